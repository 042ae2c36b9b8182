package email_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"desist/notifiers/email"
	"desist/notifiers/notifiertest"
	"desist/takedown"
)

// certificate returns a server's configuration for 127.0.0.1 and example.com,
// and the roots that trust it.
func certificate(t *testing.T) (server *tls.Config, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, roots
}

func TestTLS(t *testing.T) {
	server, roots := certificate(t)
	for _, tc := range []struct {
		name    string
		mode    email.TLSMode
		roots   *x509.CertPool
		outcome takedown.Outcome
		tls     string
	}{
		{"required, trusted", email.TLSRequire, roots, takedown.OutcomeAccepted, "TLS 1.3"},
		{"required, not trusted", email.TLSRequire, x509.NewCertPool(), takedown.OutcomeDeferred, ""},
		{"opportunistic, not trusted", email.TLSOpportunistic, x509.NewCertPool(), takedown.OutcomeAccepted, "TLS 1.3"},
		{"none", email.TLSNone, roots, takedown.OutcomeAccepted, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			relay := notifiertest.NewTLSRelay(t, server)
			n := newNotifier(t, email.Config{Relay: relay.Addr, TLS: tc.mode, TLSConfig: &tls.Config{RootCAs: tc.roots}})
			// Twice, so that a kept connection reports its protection too.
			for i := range 2 {
				d := n.Send(t.Context(), notifiertest.Notice(int64(i+1), notifiertest.Accept))
				if d.Outcome != tc.outcome || !strings.HasPrefix(d.TLS, tc.tls) || tc.tls == "" && d.TLS != "" {
					t.Errorf("got %s with TLS %q (%s), want %s with %q", d.Outcome, d.TLS, d.Reply, tc.outcome, tc.tls)
				}
			}
		})
	}
}

// On port 465 TLS comes first, then the credentials, then the mail.
func TestImplicitTLSAndPassword(t *testing.T) {
	server, roots := certificate(t)
	var said []string
	d := sendAuthenticated(t, "example.com:465", roots, func(c net.Conn) {
		tlsConn := tls.Server(c, server)
		said = speak(tlsConn, "235 2.7.0 welcome")
	})
	if d.Outcome != takedown.OutcomeAccepted || d.TLS == "" {
		t.Fatalf("got %s with TLS %q: %s", d.Outcome, d.TLS, d.Reply)
	}
	want := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00user\x00secret"))
	if len(said) < 2 || said[1] != want {
		t.Errorf("the relay heard %q, want %q after EHLO", said, want)
	}
}

func TestWrongPasswordIsDeferred(t *testing.T) {
	server, roots := certificate(t)
	d := sendAuthenticated(t, "example.com:465", roots, func(c net.Conn) {
		speak(tls.Server(c, server), "535 5.7.8 bad credentials")
	})
	if d.Outcome != takedown.OutcomeDeferred || d.Code != 535 || d.BadAddress || strings.Contains(d.Reply, "secret") {
		t.Errorf("got %+v", d)
	}
}

// A server that offers no TLS never sees the password.
func TestNoPasswordInClear(t *testing.T) {
	var said []string
	d := sendAuthenticated(t, "example.com:25", nil, func(c net.Conn) { said = speak(c, "235 2.7.0 welcome") })
	if d.Outcome != takedown.OutcomeDeferred {
		t.Errorf("got %s: %s", d.Outcome, d.Reply)
	}
	if strings.Contains(strings.Join(said, "\n"), "AUTH") {
		t.Errorf("the server heard %q", said)
	}
}

func sendAuthenticated(t *testing.T, relay string, roots *x509.CertPool, script func(net.Conn)) takedown.Delivery {
	t.Helper()
	mode := email.TLSRequire
	if roots == nil {
		mode = email.TLSOpportunistic
	}
	done := make(chan struct{})
	n, err := email.New(email.Config{
		Relay: relay, TLS: mode, TLSConfig: &tls.Config{RootCAs: roots}, Username: "user", Password: "secret",
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer close(done)
				defer server.Close()
				script(server)
			}()
			return client, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := n.Send(t.Context(), notifiertest.Notice(1, notifiertest.Accept))
	_ = n.Close()
	<-done
	return d
}

// speak is a server that agrees to everything, and says answer to AUTH. It
// returns the commands it heard.
func speak(c net.Conn, answer string) (commands []string) {
	defer c.Close()
	in := bufio.NewScanner(c)
	fmt.Fprint(c, "220 relay.example ready\r\n")
	data := false
	for in.Scan() {
		line := in.Text()
		switch {
		case data && line != ".":
			continue
		case data:
			data = false
			fmt.Fprint(c, "250 2.0.0 queued\r\n")
			continue
		}
		commands = append(commands, line)
		switch {
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(c, "250-relay.example\r\n250 AUTH PLAIN\r\n")
		case strings.HasPrefix(line, "AUTH"):
			fmt.Fprintf(c, "%s\r\n", answer)
		case line == "DATA":
			data = true
			fmt.Fprint(c, "354 go ahead\r\n")
		default:
			fmt.Fprint(c, "250 2.0.0 fine\r\n")
		}
	}
	return commands
}
