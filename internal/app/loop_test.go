package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"desist/internal/app"
	"desist/internal/postgres"
	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/takedown"
)

const (
	slow = 60      // a minute in a second, while the first notices are written
	fast = 4 * 3600 // four hours in a second
)

// TestLoop lets every behaviour of the tiny world happen once, from the
// submission to the relapse.
func TestLoop(t *testing.T) {
	database := postgrestest.URL(t)
	world, err := simnet.Tiny()
	if err != nil {
		t.Fatal(err)
	}
	clock := newWarp(world.Epoch, slow)
	n := startWorld(t, world, clock)
	cfg := configure(t, n, database, map[string]string{
		"track.first": "1h", "track.after_day": "2h", "track.confirm_interval": "30m", "track.confirm_rounds": "2", "track.watch_interval": "2h",
		"ladder.host.reminder_after": "4h", "ladder.cdn.reminder_after": "2h", "ladder.registrar.after": "90m",
		"deliver.retry.first": "10m", "deliver.retry.max": "1h", "deliver.retry.give_up": "3h",
	})
	// This desk never acts, and its server takes mail without saying so.
	if err := n.Fault(simnet.Faults{SMTP: &simnet.SMTPFault{Recipient: "abuse@sim-ignore.com", Mode: "drop"}}); err != nil {
		t.Fatal(err)
	}
	a := start(t, cfg, n, clock, fast)
	s := a.Database().Store
	bad := 0
	for i, site := range world.Sites {
		if site.Class != "" {
			publish(t, a, "test", report(t, site.Indicator(), site.Class, world.Epoch.Add(-time.Hour), fmt.Sprint(i)))
			bad++
		}
	}
	eventually(t, 20*time.Second, func() string {
		o := overview(t, s)
		early := o.Cases["submitted"] + o.Cases["screened"] + o.Cases["resolved"]
		if o.Submissions < bad || early > 0 || o.Told < 12 {
			return fmt.Sprintf("first notices: %d submissions, cases %v, %d told", o.Submissions, o.Cases, o.Told)
		}
		return ""
	})
	forge(t, a, n)
	clock.Speed(fast)
	eventually(t, 25*time.Second, func() string {
		if r := storyOf(t, s, "http://sim-malware-0003-cedar.com/files/invoice.bin").Case.Relapses; r == 0 {
			return "the site that comes back was not noticed"
		}
		return ""
	})
	clock.Speed(slow)
	for _, c := range cases(t, s) {
		st, _ := s.Story(t.Context(), c.ID)
		t.Logf("%s %s %s rel=%d replies=%d", c.Indicator.Value, c.State, c.Reason, c.Relapses, len(st.Replies))
		for _, l := range c.Legs {
			t.Logf("    %s %s seq=%d kind=%s rem=%d ticket=%q answer=%q reason=%q", l.Party.Role, l.State, l.Seq, l.Kind, l.Reminders, l.Ticket, l.Answer, l.Reason)
		}
		for _, d := range st.Deliveries {
			t.Logf("    d leg=%d attempt=%d %s %q", d.LegID, d.Attempt, d.Outcome, d.Reply)
		}
		for _, r := range st.Replies {
			t.Logf("    r %s auth=%v ticket=%q subj=%q", r.Class, r.Authentic, r.Ticket, r.Subject)
		}
	}
	stop(t, a)
}

// forge sends a bounce that claims to answer a real notice, with the right
// Message-ID and a return path that we never made. It changes nothing.
func forge(t *testing.T, a *app.App, n *simnet.Net) {
	t.Helper()
	mails := n.Mails(1000)
	i := slices.IndexFunc(mails, func(m simnet.Mail) bool { return m.Desk == "filter-host" })
	if i < 0 {
		t.Fatal("no notice to forge a bounce of")
	}
	real := mails[i]
	local, domain, _ := strings.Cut(real.From, "@")
	forged := local[:len(local)-1] + string('a'+(local[len(local)-1]-'a'+1)%26) + "@" + domain
	conn, err := net.Dial("tcp", a.InboxAddr())
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClientLMTP(conn)
	defer func() { _ = c.Close() }() // Quit may have been first
	body := "From: MAILER-DAEMON@sim-filter.com\r\nTo: <" + forged + ">\r\nSubject: Undelivered Mail Returned to Sender\r\nIn-Reply-To: " + real.MessageID +
		"\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; sim-filter.com\r\n\r\nFinal-Recipient: rfc822; " + real.Recipient + "\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
		"Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: " + real.MessageID + "\r\n\r\n--b--\r\n"
	if err := c.Hello("sim-filter.com"); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail("", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt(forged, nil); err != nil {
		t.Logf("the forged bounce was refused: %v", err)
		return
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

var _ = maps.Keys[map[string]int]
var _ = bytes.NewReader
var _ = mail.ReadMessage
var _ = postgres.Filter{}
var _ takedown.Role
