package email_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/notifiers/email"
	"desist/notifiers/notifiertest"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newNotifier(t testing.TB, cfg email.Config) *email.Notifier {
	t.Helper()
	n, err := email.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestConformance(t *testing.T) {
	notifiertest.Run(t, notifiertest.Harness{
		New: func(t *testing.T, addr string, timeout time.Duration, connections int) notifiertest.Notifier {
			return newNotifier(t, email.Config{
				Relay: addr, TLS: email.TLSNone, Hello: "sender.example", Timeout: timeout, Connections: connections,
			})
		},
	})
}

func TestIdleConnectionClosedByRelay(t *testing.T) {
	relay := notifiertest.NewRelay(t)
	n := newNotifier(t, email.Config{Relay: relay.Addr})
	for i, b := range []notifiertest.Behaviour{notifiertest.CloseIdle, notifiertest.Accept, notifiertest.Accept} {
		if d := n.Send(t.Context(), notifiertest.Notice(int64(i+1), b)); d.Outcome != takedown.OutcomeAccepted {
			t.Fatalf("notice %d: %s: %s", i+1, d.Outcome, d.Reply)
		}
	}
	if got := relay.Connections(); got != 2 {
		t.Errorf("%d connections were opened, want 2", got)
	}
	if got := len(relay.Mails()); got != 3 {
		t.Errorf("the relay holds %d mails, want 3", got)
	}
}

func TestRelayGoneIsDeferred(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	d := newNotifier(t, email.Config{Relay: addr}).Send(t.Context(), notifiertest.Notice(1, notifiertest.Accept))
	if d.Outcome != takedown.OutcomeDeferred || d.Host != "127.0.0.1" || !strings.Contains(d.Reply, "connect") {
		t.Errorf("got %s from %q: %s", d.Outcome, d.Host, d.Reply)
	}
}

// A server that talks without end must cost neither memory nor time.
func TestEndlessReply(t *testing.T) {
	d := sendToScript(t, func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("220-still talking\r\n")); err != nil {
				return
			}
		}
	})
	if d.Outcome != takedown.OutcomeDeferred || len(d.Reply) > 8<<10 {
		t.Errorf("got %s with a reply of %d bytes", d.Outcome, len(d.Reply))
	}
}

func TestGreetingRefusal(t *testing.T) {
	d := sendToScript(t, func(c net.Conn) { _, _ = c.Write([]byte("554 5.3.2 no service here\r\n")) })
	if d.Outcome != takedown.OutcomeDeferred || d.Code != 554 || d.Enhanced != "5.3.2" || d.BadAddress {
		t.Errorf("got %+v, want deferred by 554 5.3.2", d)
	}
}

// sendToScript sends a notice to a server that does what script does.
func sendToScript(t *testing.T, script func(net.Conn)) takedown.Delivery {
	t.Helper()
	n := newNotifier(t, email.Config{
		Relay: "relay.example:25",
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer server.Close()
				script(server)
			}()
			t.Cleanup(func() { <-done })
			return client, nil
		},
	})
	return n.Send(t.Context(), notifiertest.Notice(1, notifiertest.Accept))
}

func TestRequireTLSRefusesClear(t *testing.T) {
	relay := notifiertest.NewRelay(t)
	d := newNotifier(t, email.Config{Relay: relay.Addr, TLS: email.TLSRequire}).Send(t.Context(), notifiertest.Notice(1, notifiertest.Accept))
	if d.Outcome != takedown.OutcomeDeferred || !strings.Contains(d.Reply, "STARTTLS") {
		t.Errorf("got %s: %s", d.Outcome, d.Reply)
	}
}

func TestDirect(t *testing.T) {
	relay := notifiertest.NewRelay(t)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case "mx1.recipient.example:25":
			return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
		case "mx2.recipient.example:25", "recipient.example:25":
			return new(net.Dialer).DialContext(ctx, network, relay.Addr)
		}
		t.Errorf("dialled %s", address)
		return nil, net.ErrClosed
	}
	for _, tc := range []struct {
		name    string
		mx      []*net.MX
		err     error
		outcome takedown.Outcome
		host    string
		bad     bool
	}{
		{"second exchanger", []*net.MX{{Host: "mx1.recipient.example.", Pref: 1}, {Host: "mx2.recipient.example.", Pref: 2}}, nil, takedown.OutcomeAccepted, "mx2.recipient.example", false},
		{"no MX", nil, &net.DNSError{Err: "no such host", IsNotFound: true}, takedown.OutcomeAccepted, "recipient.example", false},
		{"null MX", []*net.MX{{Host: "."}}, nil, takedown.OutcomeRejected, "", true},
		{"DNS fails", nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}, takedown.OutcomeDeferred, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newNotifier(t, email.Config{
				Dial:     dial,
				LookupMX: func(context.Context, string) ([]*net.MX, error) { return tc.mx, tc.err },
			})
			d := n.Send(t.Context(), notifiertest.Notice(1, notifiertest.Accept))
			if d.Outcome != tc.outcome || d.Host != tc.host || d.BadAddress != tc.bad {
				t.Errorf("got %s at %q, bad address %v (%s); want %s at %q, %v", d.Outcome, d.Host, d.BadAddress, d.Reply, tc.outcome, tc.host, tc.bad)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]email.Config{
		"relay without port":   {Relay: "relay.example"},
		"unknown TLS mode":     {Relay: "relay.example:25", TLS: "maybe"},
		"password in clear":    {Relay: "relay.example:25", TLS: email.TLSNone, Username: "u", Password: "p"},
		"password without one": {Username: "u", Password: "p"},
		"hello with a line":    {Relay: "relay.example:25", Hello: "a\r\nMAIL"},
	} {
		if _, err := email.New(cfg); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("%s: got %v, want a permanent error", name, err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for _, connections := range []int{1, 8, 16} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			relay := notifiertest.NewRelay(b)
			n := newNotifier(b, email.Config{Relay: relay.Addr, TLS: email.TLSNone, Connections: connections})
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if d := n.Send(b.Context(), notifiertest.Notice(1, notifiertest.Accept)); d.Outcome != takedown.OutcomeAccepted {
						b.Errorf("%s: %s", d.Outcome, d.Reply)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}
