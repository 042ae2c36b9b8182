// Package bustest gives tests a NATS server with JetStream that stands by
// itself, as an operator's does, on loopback. It ends with the test.
package bustest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server starts a server and returns its URL.
func Server(tb testing.TB) string {
	tb.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: tb.TempDir(), NoSigs: true, NoLog: true,
		DisableJetStreamBanner: true, MaxPayload: 8 << 20, // what a submission with evidence needs
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("bustest: the NATS server did not start")
	}
	return s.ClientURL()
}
