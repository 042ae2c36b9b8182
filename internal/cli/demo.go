package cli

import (
	"context"
	"os"
	"path/filepath"

	"desist/internal/config"
	"desist/internal/demo"
)

type demoCmd struct {
	Indicators int     `default:"300" placeholder:"N" help:"Rows of the feed, from 1 to 50000. Default: ${default}."`
	Speed      float64 `default:"10800" placeholder:"X" help:"Simulated seconds in a second, once the first notices are out. Default: ${default}, three hours."`
	Listen     string  `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the dashboard; port 0 chooses a free one. Default: ${default}."`
	Exit       bool    `help:"End when every case is closed or its ladder has run out."`
	JSON       bool    `name:"json" help:"End with the summary as JSON."`
}

func (*demoCmd) Help() string {
	return `Runs the whole service against the simulated internet: a private PostgreSQL, NATS inside the process, name servers, registries, mail servers and web sites on this machine. No packet leaves it.

The data stay in the folder of --data (default: demo below data_dir), so that every other command can look at them; the next demo in the same folder starts afresh. Without --exit the dashboard stays up until it is interrupted.

Examples:

  desist demo
  desist demo --exit --json
  desist demo --indicators 1000 --data /tmp/rehearsal
`
}

func (c *demoCmd) Validate() error {
	switch {
	case c.Indicators < 1 || c.Indicators > 50_000:
		return usage("--indicators: %d is not between 1 and 50000", c.Indicators)
	case !(c.Speed >= 60 && c.Speed <= 1e6):
		return usage("--speed: %v is not between 60 and 1000000", c.Speed)
	}
	return nil
}

func (c *demoCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	dir := cfg.DataDir
	if p.flags.DataDir == "" {
		dir = demoDir(dir)
	}
	o := demo.Options{
		Indicators: c.Indicators, Speed: c.Speed, DataDir: dir, Listen: c.Listen, Exit: c.Exit, JSON: c.JSON,
		Out: p.Out, Err: p.Err, Logger: p.logger(cfg, true),
	}
	if _, ok := terminal(p.Err); ok && !p.flags.Verbose {
		o.Terminal = true
		o.Width = func() int { w, _ := terminal(p.Err); return w }
	}
	return demo.Run(ctx, o)
}

// orDemo turns to the demo's data where no service has any, so that the
// commands work right after a first demo.
func (p *Program) orDemo(cfg *config.Config) {
	exists := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "postgres"))
		return err == nil
	}
	if cfg.Database.URL != "" || p.flags.DataDir != "" || exists(cfg.DataDir) || !exists(demoDir(cfg.DataDir)) {
		return
	}
	cfg.DataDir = demoDir(cfg.DataDir)
	p.say("No service keeps data yet; this is the demo's, in %s.\n", cfg.DataDir)
}

// demoDir is where the demo keeps its data unless it is told.
func demoDir(dataDir string) string { return filepath.Join(dataDir, "demo") }
