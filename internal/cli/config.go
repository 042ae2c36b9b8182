package cli

import (
	"io"
	"slices"

	"desist/internal/config"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the configuration, and name every fault with its line."`
	Print configPrintCmd `cmd:"" help:"Print the settings in use, with secrets hidden."`
}

type configCheckCmd struct{}

func (*configCheckCmd) Help() string {
	return `Reads the file and the environment as "serve" does. All faults are reported at once; the exit code is 1 if there is one.

Example:

  desist config check --config /etc/desist.yaml
`
}

func (*configCheckCmd) Run(p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	if err := cfg.Unbuilt(); err != nil {
		return fileError(err)
	}
	out := p.printer()
	for _, name := range p.strayEnv() {
		out.text("warning: ", "the variable "+name+" sets nothing; is it misspelt?")
	}
	out.printf("the configuration is sound\n")
	return out.flush()
}

type configPrintCmd struct {
	Reference bool `help:"Print the commented reference file with every default instead."`
}

func (*configPrintCmd) Help() string {
	return `The output is YAML that can be used as a configuration file, once the secrets are put in.

Examples:

  desist config print --reference > desist.yaml
  DESIST_SENDING=live desist config print --config desist.yaml
`
}

func (c *configPrintCmd) Run(p *Program) error {
	if c.Reference {
		_, err := io.WriteString(p.Out, config.Reference)
		return written(err)
	}
	cfg, err := p.config()
	if err != nil {
		return err
	}
	return written(cfg.Print(p.Out))
}

// strayEnv returns the variables that look like settings and set nothing.
func (p *Program) strayEnv() []string {
	return slices.DeleteFunc(config.UnknownEnv(p.Environ), func(name string) bool {
		return name == "DESIST_CONFIG" || name == "DESIST_CORPORA"
	})
}
