package web_test

import (
	"desist/web"
	"net/http"
	"os"
	"testing"
)

func TestServe(t *testing.T) {
	addr := os.Getenv("SERVE")
	if addr == "" {
		t.Skip()
	}
	f := newFake()
	f.fill(same)
	h := f.handler(t, func(c *web.Config) {
		c.OpenRead = true
		c.SimulatedClock = "Rehearsal against the simulated internet: this clock runs 3,600 times as fast."
	})
	t.Fatal(http.ListenAndServe(addr, h))
}
