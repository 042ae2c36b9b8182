package app_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"desist/internal/app"
	"desist/internal/postgres"
	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/takedown"
)

const (
	slow = 60       // a minute in a second, while the first notices are written
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
	const relapsing = "http://sim-malware-0003-cedar.com/files/invoice.bin"
	eventually(t, 30*time.Second, func() string {
		c := storyOf(t, s, relapsing).Case
		if c.Relapses == 0 || leg(t, c, takedown.RoleHost).Seq < 2 || leg(t, c, takedown.RoleHost).State != takedown.LegNotified {
			return fmt.Sprintf("the site that comes back is %s after %d relapses", c.State, c.Relapses)
		}
		return ""
	})
	clock.Speed(slow)
	story := func(t *testing.T, indicator string) (*postgres.Story, *tale) {
		st := storyOf(t, s, indicator)
		return st, &tale{t, st, n.Mails(20_000)}
	}

	t.Run("refused address", func(t *testing.T) {
		st, tale := story(t, "sim-phish-0010-juniper.net")
		tale.attempts(takedown.RoleHost, "rejected 550 5.1.1 No such user here")
		tale.happened(takedown.EventLegUnreachable, takedown.RoleHost)
		tale.attempts(takedown.RoleRegistrar, "accepted 250 2.0.0 OK: queued")
		if told := leg(t, st.Case, takedown.RoleRegistrar).NotifiedAt; told.After(world.Epoch.Add(time.Hour)) {
			t.Errorf("the registrar was told at %v only", told)
		}
	})
	t.Run("bounce", func(t *testing.T) {
		_, tale := story(t, "sim-phish-0013-maple.com")
		tale.attempts(takedown.RoleHost, "accepted 250 2.0.0 OK: queued")
		tale.heard(takedown.ReplyBounce)
		tale.happened(takedown.EventLegUnreachable, takedown.RoleHost)
		tale.attempts(takedown.RoleRegistrar, "accepted 250 2.0.0 OK: queued")
		if dead, err := s.DeadContacts(t.Context(), []string{"abuse@sim-bounce.com"}); err != nil || len(dead) != 1 {
			t.Errorf("the address that bounced is not dead: %v, %v", dead, err)
		}
	})
	t.Run("forged bounce", func(t *testing.T) {
		st, tale := story(t, "sim-phish-0014-north.com")
		if i := slices.IndexFunc(st.Replies, func(r takedown.Reply) bool { return r.Class == takedown.ReplyBounce }); i >= 0 {
			t.Errorf("the forged bounce is a reply of the case, number %d", st.Replies[i].ID)
		}
		tale.attempts(takedown.RoleHost, "accepted 250 2.0.0 OK: queued", "accepted 250 2.0.0 OK: queued") // reminded, so not given up
		if dead, err := s.DeadContacts(t.Context(), []string{"abuse@sim-filter.com"}); err != nil || len(dead) != 0 {
			t.Errorf("a forged bounce killed an address: %v, %v", dead, err)
		}
		if got := overview(t, s).Replies[string(takedown.ReplyBounce)]; got != 2 {
			t.Errorf("%d bounces are stored, want the true and the forged one", got)
		}
	})
	t.Run("greylisting", func(t *testing.T) {
		_, tale := story(t, "sim-phish-0009-iris.com")
		tale.attempts(takedown.RoleHost, "deferred 451 4.7.1 Greylisted, please try again later", "accepted 250 2.0.0 OK: queued")
		tale.arrived("abuse@sim-greylist.net", 1)
	})
	t.Run("unavailable", func(t *testing.T) {
		_, tale := story(t, "sim-phish-0011-kelp.com")
		tale.attempts(takedown.RoleHost, "deferred 421 4.3.2 Service not available, closing transmission channel", "accepted 250 2.0.0 OK: queued")
		tale.arrived("abuse@sim-busy.net", 1)
	})
	t.Run("full mailbox", func(t *testing.T) {
		st, tale := story(t, "sim-phish-0018-raven.com")
		tale.happened(takedown.EventRejected, takedown.RoleHost)
		tale.happened(takedown.EventLegUnreachable, takedown.RoleHost)
		if n := count(st.Deliveries, func(d takedown.Delivery) bool { return d.Outcome == takedown.OutcomeDeferred }); n < 3 {
			t.Errorf("it was tried %d times only", n)
		}
	})
	t.Run("dropped after the dot", func(t *testing.T) {
		_, tale := story(t, "sim-phish-0012-larch.com")
		tale.attempts(takedown.RoleHost, "unknown after the final dot: EOF")
		tale.arrived("abuse@sim-drop.com", 1)
		_, tale = story(t, "sim-phish-0008-heron.com") // nobody acts there: a reminder follows, the first mail does not
		tale.attempts(takedown.RoleHost, "unknown after the final dot: EOF", "unknown after the final dot: EOF")
		tale.arrived("abuse@sim-ignore.com", 2)
	})
	t.Run("form only", func(t *testing.T) {
		st, tale := story(t, "sim-phish-0002-birch.nl")
		e := tale.happened(takedown.EventLegManual, takedown.RoleRegistrar)
		if !strings.Contains(string(e.Data), "/abuse") {
			t.Errorf("the task for a person does not name the form: %s", e.Data)
		}
		if l := leg(t, st.Case, takedown.RoleRegistrar); l.Seq != 0 {
			t.Errorf("%d notices were sealed for a form", l.Seq)
		}
	})
	t.Run("no contact", func(t *testing.T) {
		_, tale := story(t, "sim-phish-0017-quartz.com")
		tale.happened(takedown.EventLegUnreachable, takedown.RoleHost)
		tale.attempts(takedown.RoleRegistrar, "accepted 250 2.0.0 OK: queued")
	})
	t.Run("ticket quoted", func(t *testing.T) {
		st, tale := story(t, "www.sim-phish-0006-fjord.com") // behind a delivery network
		for _, l := range st.Case.Legs {
			if l.Party.Role == takedown.RoleHost {
				t.Errorf("a host was guessed behind the delivery network: %s", l.Party.Name)
			}
		}
		tale.heard(takedown.ReplyAuto)
		ticket := leg(t, st.Case, takedown.RoleCDN).Ticket
		mails := tale.arrived("abuse@sim-front.com", 2)
		if ticket == "" || !strings.Contains(mails[1].Subject, ticket) || strings.Contains(mails[0].Subject, ticket) {
			t.Errorf("ticket %q; subjects %q and %q", ticket, mails[0].Subject, mails[1].Subject)
		}
	})
	t.Run("platform", func(t *testing.T) {
		st, _ := story(t, "sim-phish-0007-glade.github.io")
		leg(t, st.Case, takedown.RolePlatform)
		for _, l := range st.Case.Legs {
			if l.Party.Role == takedown.RoleRegistrar || l.Party.Role == takedown.RoleRegistry {
				t.Errorf("there is a %s leg: it would take down the whole platform", l.Party.Role)
			}
		}
	})
	t.Run("relapse", func(t *testing.T) {
		st, tale := story(t, relapsing)
		tale.happened(takedown.EventRemoved, "")
		tale.happened(takedown.EventRelapsed, "")
		if st.Case.State != takedown.CaseActive || st.Notices[len(st.Notices)-1].Kind != takedown.NoticeRelapse {
			t.Errorf("it is %s, and the last notice is a %s", st.Case.State, st.Notices[len(st.Notices)-1].Kind)
		}
	})
	t.Run("answer of a person", func(t *testing.T) {
		st, tale := story(t, "sim-phish-0015-olive.com")
		r := tale.heard(takedown.ReplyHuman)
		if r.From != "abuse@sim-deny.com" || r.Excerpt == "" || st.Case.AnsweredAt.IsZero() {
			t.Errorf("the answer is %+v, noted at %v", r, st.Case.AnsweredAt)
		}
	})
	t.Run("unplugged", func(t *testing.T) {
		st, _ := story(t, "198.51.100.20")
		if st.Case.State != takedown.CaseRemoved {
			t.Errorf("it is %s: %s", st.Case.State, st.Case.Track.Detail)
		}
	})
	t.Run("gone before anybody was told", func(t *testing.T) {
		st, _ := story(t, "sim-phish-0021-umber.com")
		if st.Case.State != takedown.CaseRemoved || len(st.Notices) > 0 {
			t.Errorf("it is %s after %d notices", st.Case.State, len(st.Notices))
		}
	})
	saidOnce(t, s, n.Mails(20_000))
	audited(t, s)
	stop(t, a)
}

// A tale is what became of one case, here and in the world.
type tale struct {
	t     *testing.T
	st    *postgres.Story
	mails []simnet.Mail
}

// attempts compares the deliveries to a role, as outcome and the server's whole
// reply.
func (x *tale) attempts(role takedown.Role, want ...string) {
	x.t.Helper()
	id := leg(x.t, x.st.Case, role).ID
	var got []string
	for _, d := range x.st.Deliveries {
		if d.LegID == id {
			got = append(got, string(d.Outcome)+" "+d.Reply)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("deliveries to the %s -want +got:\n%s", role, diff)
	}
}

// happened returns the first event of a kind, about a role if one is given.
func (x *tale) happened(kind takedown.EventKind, role takedown.Role) takedown.Event {
	x.t.Helper()
	for _, e := range x.st.Events {
		if e.Kind == kind && (role == "" || strings.Contains(string(e.Data), `"role":"`+string(role)+`"`)) {
			return e
		}
	}
	x.t.Fatalf("%s %s did not happen in %v", role, kind, kinds(x.st.Events))
	return takedown.Event{}
}

func kinds(events []takedown.Event) []takedown.EventKind {
	out := make([]takedown.EventKind, len(events))
	for i, e := range events {
		out[i] = e.Kind
	}
	return out
}

// heard returns the first reply of a class, which must be proved ours.
func (x *tale) heard(class takedown.ReplyClass) takedown.Reply {
	x.t.Helper()
	for _, r := range x.st.Replies {
		if r.Class == class {
			if !r.Authentic || r.LegID == 0 {
				x.t.Errorf("the %s is not proved: %+v", class, r)
			}
			return r
		}
	}
	x.t.Fatalf("no %s was heard", class)
	return takedown.Reply{}
}

// arrived returns the mails to a desk about this case, n of them with n
// Message-IDs.
func (x *tale) arrived(recipient string, n int) []simnet.Mail {
	x.t.Helper()
	var mails []simnet.Mail
	ids := make(map[string]bool)
	for _, m := range x.mails {
		if m.Recipient == recipient && strings.Contains(m.Subject, x.st.Case.Reference()) {
			mails = append(mails, m)
			ids[m.MessageID] = true
		}
	}
	if len(mails) != n || len(ids) != n {
		x.t.Fatalf("%d mails with %d Message-IDs arrived at %s, want %d", len(mails), len(ids), recipient, n)
	}
	return mails
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
	token := []byte(local)
	if at := len(token) - 8; token[at] == 'a' {
		token[at] = 'b'
	} else {
		token[at] = 'a'
	}
	forged := string(token) + "@" + domain
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
		t.Fatal(err)
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
