package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"desist/internal/simnet"
	"desist/pipeline"
	"desist/takedown"
)

const (
	hosts       = 50
	submitBatch = 500
	source      = "bench"
	batchTime   = 30 * time.Second
)

// newWorld returns a world of hosts whose provider takes reports by mail, and
// their names. Hosts behind a proxy are left out: nobody but the proxy would be
// told of them.
func newWorld() (*simnet.World, []string, error) {
	candidates := make([]string, 4*hosts)
	for i := range candidates {
		candidates[i] = fmt.Sprintf("https://login-%03d.sim-bench-%03d.com/", i, i)
	}
	world, err := simnet.WorldForIndicators(candidates)
	if err != nil {
		return nil, nil, err
	}
	byMail := make(map[string]bool)
	for _, n := range world.Networks {
		byMail[n.Name] = n.Desk.Abuse != ""
	}
	names := make([]string, 0, hosts)
	for _, s := range world.Sites {
		if u, err := url.Parse(s.Indicator()); err == nil && s.CDN == "" && byMail[s.Network] && len(names) < hosts {
			names = append(names, u.Hostname())
		}
	}
	if len(names) < hosts {
		return nil, nil, fmt.Errorf("the simulated internet has only %d hosts of providers with a mailbox, want %d", len(names), hosts)
	}
	return world, slices.Clip(names), nil
}

// targetURL is the i-th address on a host.
func targetURL(host string, i int) string {
	return fmt.Sprintf("https://%s/signin/%d/verify.html", host, i)
}

func submission(indicator string) takedown.IndicatorMessage {
	seen := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Second)
	return takedown.IndicatorMessage{
		Indicator: indicator, Class: takedown.ClassPhishing, SeenAt: &seen,
		Description: "The page copies the log-in of a bank and sends what is typed to another server.",
		Reporter:    takedown.Reporter{Name: "benchmark feed", Email: "feed@reports.example"},
	}
}

func submissionJSON(indicator string) ([]byte, error) {
	body, err := json.Marshal(submission(indicator))
	if err != nil {
		return nil, fmt.Errorf("encode a submission: %w", err)
	}
	return body, nil
}

// offers returns submissions from up to, not including, to.
func offers(names []string, from, to int) []pipeline.Offer {
	out := make([]pipeline.Offer, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, pipeline.Offer{Message: submission(targetURL(names[i%len(names)], i)), Source: source})
	}
	return out
}

// submit hands a batch in; each of it must open a case.
func submit(ctx context.Context, in *pipeline.Intake, batch []pipeline.Offer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A batch under way ends by itself in less time than the driver takes to
	// break it off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
	defer cancel()
	receipts, err := in.Submit(ctx, batch)
	if err != nil {
		return err
	}
	for _, r := range receipts {
		if r.Err != nil {
			return fmt.Errorf("a submission was refused: %w", r.Err)
		}
		if !r.New {
			return takedown.Permanent(fmt.Errorf("the submission of %s attached to case %d instead of opening one", r.Indicator.Value, r.CaseID))
		}
	}
	return nil
}
