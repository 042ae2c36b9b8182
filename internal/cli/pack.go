package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"desist/internal/app"
	"desist/takedown"
	"desist/templates"
)

type packCmd struct {
	List packListCmd `cmd:"" help:"List the packs."`
	Show packShowCmd `cmd:"" help:"Show what a pack cites, requires and rests on."`
	Lint packLintCmd `cmd:"" help:"Check every pack, role, class and language, and name each fault with file and line."`
}

func (p *Program) library() (*templates.Library, error) {
	cfg, err := p.config()
	if err != nil {
		return nil, err
	}
	return app.NewLibrary(cfg, p.logger(cfg, true))
}

type packListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (*packListCmd) Help() string {
	return `Example:

  desist pack list
`
}

func (c *packListCmd) Run(p *Program) error {
	lib, err := p.library()
	if err != nil {
		return err
	}
	packs := lib.Packs()
	if c.JSON {
		return p.printJSON(packs)
	}
	t := table{head: []string{"PACK", "GRADE", "LANGUAGES", "CHECKED ON", "REVIEWED BY", "REGIMES", "NAME"}, flex: []int{6, 5}}
	for _, i := range packs {
		reviewed := i.ReviewedBy
		if reviewed == "" {
			reviewed = "nobody"
		}
		t.rows = append(t.rows, []string{i.ID, i.Grade, strings.Join(i.Languages, " "), i.CheckedOn, reviewed, strings.Join(i.Regimes, " "), i.Name})
	}
	out := p.printer()
	out.table(t)
	return out.flush()
}

type packShowCmd struct {
	Pack string `arg:"" help:"Its id, as \"pack list\" shows it."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (*packShowCmd) Help() string {
	return `Example:

  desist pack show eu-de
`
}

func (c *packShowCmd) Run(p *Program) error {
	lib, err := p.library()
	if err != nil {
		return err
	}
	packs := lib.Packs()
	i := slices.IndexFunc(packs, func(i templates.PackInfo) bool { return strings.EqualFold(i.ID, c.Pack) })
	if i < 0 {
		return takedown.NotFound(fmt.Errorf("there is no pack %q; \"desist pack list\" names them", safe(c.Pack)))
	}
	sheet := lib.Sheet(packs[i].ID)
	if c.JSON {
		return p.printJSON(struct {
			templates.PackInfo
			Sheet string `json:"sheet"`
		}{packs[i], sheet})
	}
	out := p.printer()
	out.printf("%s", sheet)
	return out.flush()
}

type packLintCmd struct {
	Dir  string `type:"path" placeholder:"DIR" help:"Folder whose files stand over the shipped ones. Default: templates.dir of the configuration."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (*packLintCmd) Help() string {
	return `Renders a notice for every pack, role, class, kind and language, and checks that each element the law requires has a place in it, that nothing is cited that may not be, and that nothing threatens. The exit code is 1 if there is a fault.

Examples:

  desist pack lint
  desist pack lint --dir ./our-wording
`
}

func (c *packLintCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		dir = cfg.Templates.Dir
	}
	var over fs.FS
	if dir != "" {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = errors.New(dir + " is not a folder")
		}
		if err != nil {
			return fileError(fmt.Errorf("pack lint: %w", err))
		}
		over = os.DirFS(dir)
	}
	faults := templates.Lint(over, clock(cfg).Now())
	if c.JSON {
		err = p.printJSON(orEmpty(faults))
	} else {
		out := p.printer()
		for _, f := range faults {
			out.printf("%s\n", safe(f.String()))
		}
		if len(faults) == 0 {
			out.printf("the packs and the wording are sound\n")
		}
		err = out.flush()
	}
	if err == nil && len(faults) > 0 {
		err = takedown.Permanent(fmt.Errorf("%s found; none of it may be sent", plural(len(faults), "fault", "faults")))
	}
	return err
}
