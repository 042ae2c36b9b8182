package app_test

import (
	"fmt"
	"testing"
	"time"

	"desist/internal/bus/bustest"
	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/takedown"
)

// TestSplit shares the roles between two services that meet only at a
// PostgreSQL and a NATS server of their own.
func TestSplit(t *testing.T) {
	world, err := simnet.Tiny()
	if err != nil {
		t.Fatal(err)
	}
	clock := newWarp(world.Epoch, slow)
	n := startWorld(t, world, clock)
	more := map[string]string{
		"nats.url": bustest.Server(t), "track.first": "1h", "track.confirm_interval": "30m", "track.confirm_rounds": "2", "deliver.retry.first": "1m",
	}
	database := postgrestest.URL(t)
	front := start(t, configure(t, n, database, more), n, clock, fast, "intake", "screen", "resolve", "plan", "relay")
	back := start(t, configure(t, n, database, more), n, clock, fast, "compose", "deliver", "track", "inbox", "api")
	if front.URL() != "" || back.URL() == "" || front.InboxAddr() != "" {
		t.Errorf("front serves %q and hears at %q, back serves %q", front.URL(), front.InboxAddr(), back.URL())
	}
	s := front.Database().Store
	acts := []string{"http://sim-phish-0001-amber.com/signin/", "sim-phish-0002-birch.nl", "sim-phish-0009-iris.com", "sim-phish-0007-glade.github.io"}
	for i, ind := range acts {
		publish(t, front, "one", report(t, ind, "phishing", world.Epoch.Add(-time.Hour), fmt.Sprint(i)))
		publish(t, back, "two", report(t, ind, "phishing", world.Epoch.Add(-time.Hour), fmt.Sprint(i)))
	}
	eventually(t, 20*time.Second, func() string {
		if o := overview(t, s); o.Told < len(acts) || o.Submissions < 2*len(acts) {
			return fmt.Sprintf("first notices: %d submissions, cases %v, legs %v", o.Submissions, o.Cases, o.Legs)
		}
		return ""
	})
	clock.Speed(fast)
	eventually(t, 20*time.Second, func() string {
		if o := overview(t, s); o.Cases[string(takedown.CaseRemoved)] != len(acts) || o.Replies[string(takedown.ReplyAuto)] < 3 {
			return fmt.Sprintf("cases %v, legs %v, replies %v", o.Cases, o.Legs, o.Replies)
		}
		return ""
	})
	saidOnce(t, s, n.Mails(20_000))
	audited(t, s)
	stop(t, front)
	stop(t, back)
}
