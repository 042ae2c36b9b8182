package simnet

import (
	"fmt"
	"testing"
	"time"
)

// TestInternetGoesDownAsPublished tells every host desk about every site once
// and compares the shares that are gone with the wide bands between the
// published studies.
func TestInternetGoesDownAsPublished(t *testing.T) {
	w, err := Internet(InternetOptions{Indicators: 2000})
	if err != nil {
		t.Fatal(err)
	}
	n := startWorld(t, w)
	for i := range w.Sites {
		s := &w.Sites[i]
		to := w.network(s.Network).Desk.Abuse
		if to == "" {
			continue
		}
		from := fmt.Sprintf("bounce+%d@desist.example", i)
		for range quotaAttempts + 1 { // greylisted mail is sent again
			if mode := n.rcptMode(to, from); mode == "" {
				n.receive(from, to, []byte(xarfNotice(to, fmt.Sprint(i), "url", s.Indicator())))
				break
			}
		}
	}
	at := time.Duration(0)
	for _, step := range []struct {
		after    time.Duration
		min, max float64
	}{
		{24 * time.Hour, 0.40, 0.70},
		{72 * time.Hour, 0.55, 0.80},
		{30 * 24 * time.Hour, 0.68, 0.97},
	} {
		n.advance(step.after - at)
		at = step.after
		stats := n.Stats()
		gone := float64(stats.SitesDown) / float64(stats.SitesDown+stats.SitesUp)
		t.Logf("after %s %.1f %% are gone (relapses %d, hops %d, natural deaths %d)", step.after, 100*gone, stats.Relapses, stats.Hops, stats.NaturalDeaths)
		if gone < step.min || gone > step.max {
			t.Errorf("after %s %.2f are gone, want %.2f to %.2f", step.after, gone, step.min, step.max)
		}
	}
	kinds := map[string]int{}
	for _, a := range n.Answers(1000) {
		kinds[a.Kind]++
	}
	for _, kind := range []string{kindAck, kindResolved, kindNotOurs, kindNeedEvidence, kindBounce} {
		if kinds[kind] == 0 {
			t.Errorf("no answer of the kind %s: %v", kind, kinds)
		}
	}
}
