package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"desist/feeds"
	"desist/internal/simnet"
	"desist/takedown"
)

type simnetCmd struct {
	World  string  `placeholder:"FILE" help:"World to simulate, as YAML, or one of internet and tiny. Default: internet."`
	Feed   string  `placeholder:"FILE" help:"Simulate a world in which the indicators of this list exist, in any form that submit reads, instead."`
	Speed  float64 `default:"1" placeholder:"X" help:"Simulated seconds in a second. Default: ${default}."`
	Listen string  `default:"127.0.0.1:0" placeholder:"ADDR" help:"Loopback address of the management API; the other servers choose ports on its host. Default: ${default}."`
}

func (*simnetCmd) Help() string {
	return `Runs the simulated internet alone until it is interrupted, and prints the configuration with which "desist serve" lives in it. The management API is at /sim/ of the address it prints.

Examples:

  desist simnet > simnet.yaml &
  desist serve --config simnet.yaml

  desist simnet --feed misp-event.json --speed 3600
`
}

func (c *simnetCmd) Run(ctx context.Context, p *Program) error {
	world, err := c.world(p)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usage("--listen: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return usage("--listen: port %q is not a number up to 65535", port)
	}
	cfg, err := p.config()
	if err != nil {
		return err
	}
	n, err := simnet.Start(ctx, simnet.Config{
		World: world, Listen: host, ManagementPort: int(number), Clock: simnet.Clock{Factor: c.Speed}, Logger: p.logger(cfg, true),
	})
	if err != nil {
		return takedown.Permanent(err)
	}
	_, err = fmt.Fprintf(p.Out, "# The simulated internet; management API at %s/\n%s", n.ManagementURL(), n.ServeConfig())
	if err == nil {
		<-ctx.Done()
	}
	if cerr := n.Close(); cerr != nil {
		return takedown.Permanent(cerr)
	}
	return written(err)
}

func (c *simnetCmd) world(p *Program) (*simnet.World, error) {
	if c.Feed != "" {
		return c.feedWorld(p)
	}
	switch c.World {
	case "", "internet":
		w, err := simnet.Internet(simnet.InternetOptions{})
		return w, fileError(err)
	case "tiny":
		w, err := simnet.Tiny()
		return w, fileError(err)
	}
	f, err := os.Open(c.World)
	if err != nil {
		return nil, fileError(fmt.Errorf("--world: %w", err))
	}
	defer func() { _ = f.Close() }() // nothing was written
	w, err := simnet.LoadWorld(f, c.World)
	return w, fileError(err)
}

// feedWorld makes a world of the indicators in a list. What the list holds
// besides is left out, as submit would refuse it.
func (c *simnetCmd) feedWorld(p *Program) (*simnet.World, error) {
	f, err := p.open(c.Feed)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	var indicators []string
	for row, err := range feeds.Read(f, feeds.Options{Format: "auto", DefaultClass: takedown.ClassPhishing, Name: c.Feed, SeenAt: time.Now()}) {
		if err != nil {
			return nil, fileError(fmt.Errorf("--feed: %w", err))
		}
		if row.Err == nil && !row.Skipped {
			indicators = append(indicators, row.Message.Indicator)
		}
	}
	w, err := simnet.WorldForIndicators(indicators)
	return w, fileError(err)
}
