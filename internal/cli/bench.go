package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"desist/internal/bench"
	"desist/takedown"
)

type benchCmd struct {
	Name        string `arg:"" enum:"floor,intake,compose,smtp,pipeline,all" help:"floor, intake, compose, smtp, pipeline or all."`
	N           int    `short:"n" default:"5000" placeholder:"N" help:"Indicators, mails, notices or rows. Default: ${default}."`
	Connections int    `default:"8" placeholder:"C" help:"Connections to the mail server. Default: ${default}."`
	CPUProfile  string `name:"cpuprofile" type:"path" placeholder:"FILE" help:"Write a profile of the measured part, for go tool pprof."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (*benchCmd) Help() string {
	return `Measures this machine and prints the figures. Nothing leaves it: mail goes to a sink on loopback, contacts come from the simulated internet. The files stand in a temporary folder, below --data if that is given, and are removed at the end.

  floor     what bare durable messages, bare durable rows and a bare mail dialogue cost
  intake    submissions taken in durably, in batches and through the NATS door
  compose   notices worded and sealed on all cores
  smtp      mails handed to the sink by the program's own client
  pipeline  indicators from their submission to the accepted mail, beside the floor

Examples:

  desist bench pipeline
  desist bench all --json
  desist bench pipeline -n 20000 --connections 16 --cpuprofile cpu.prof
`
}

func (c *benchCmd) Validate() error {
	switch {
	case c.N < 1 || c.N > 1_000_000:
		return usage("-n: %d is not between 1 and 1000000", c.N)
	case c.Connections < 1 || c.Connections > 1000:
		return usage("--connections: %d is not between 1 and 1000", c.Connections)
	case c.CPUProfile != "" && c.Name == bench.All:
		return usage("--cpuprofile: a profile is of one benchmark; name it")
	}
	return nil
}

func (c *benchCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	bar := p.progress("")
	o := bench.Options{
		N: c.N, Connections: c.Connections, Dir: p.flags.DataDir, Logger: p.logger(cfg, true),
		Progress: func(label string, done, total int) {
			bar.label = label
			bar.show(int64(done), int64(total), fmt.Sprintf("%d of %d", done, total))
		},
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return fileError(fmt.Errorf("--data: %w", err))
		}
	}
	if c.CPUProfile != "" {
		o.Profile = func() (func() error, error) { return startProfile(c.CPUProfile) }
	}
	report, err := bench.Run(ctx, c.Name, o)
	bar.clear()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return takedown.Temporary(fmt.Errorf("interrupted: %w", err))
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(report)
	}
	return written(report.Write(p.Out))
}

// startProfile profiles into a file until stop is called.
func startProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fileError(fmt.Errorf("--cpuprofile: %w", err))
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fileError(fmt.Errorf("--cpuprofile: %w", err)), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return written(f.Close())
	}, nil
}
