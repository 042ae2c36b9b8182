package cli

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (*versionCmd) Help() string {
	return `Example:

  desist version --json
`
}

type buildJSON struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func build() buildJSON {
	b := buildJSON{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (c *versionCmd) Run(p *Program) error {
	b := build()
	if c.JSON {
		return p.printJSON(b)
	}
	out := p.printer()
	out.printf("desist %s\n", b.Version)
	out.field("revision", b.Revision)
	out.field("time", b.Time)
	if b.Modified {
		out.field("modified", "yes, it was built from files that were not committed")
	}
	out.field("built with", b.Go+" for "+b.Platform)
	return out.flush()
}
