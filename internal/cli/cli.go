package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"desist/takedown"
)

// commands is every command. Each is a struct of flags and arguments with a
// method Run(context.Context, *Program) error.
type commands struct {
	globals

	Demo       demoCmd       `cmd:"" group:"service" help:"Rehearse the whole service against the simulated internet."`
	Serve      serveCmd      `cmd:"" group:"service" help:"Run the service."`
	Simnet     simnetCmd     `cmd:"" group:"service" help:"Run the simulated internet alone."`
	Submit     submitCmd     `cmd:"" group:"analyst" help:"Hand over indicators."`
	Case       caseCmd       `cmd:"" group:"analyst" help:"Look at cases and act on them."`
	Lookup     lookupCmd     `cmd:"" group:"analyst" help:"Find out who is responsible for an indicator, and why; submits nothing."`
	Notice     noticeCmd     `cmd:"" group:"analyst" help:"Preview, show and verify notices."`
	Stats      statsCmd      `cmd:"" group:"analyst" help:"Print removal-time figures."`
	Pack       packCmd       `cmd:"" group:"law" help:"List, show and check the packs of law and wording."`
	Audit      auditCmd      `cmd:"" group:"law" help:"Prove that the record is whole."`
	Inspect    inspectCmd    `cmd:"" group:"tools" help:"Run one parser by itself."`
	Bench      benchCmd      `cmd:"" group:"tools" help:"Measure this machine and print the figures."`
	Token      tokenCmd      `cmd:"" group:"tools" help:"Make, list and revoke tokens of the API."`
	Deadletter deadletterCmd `cmd:"" group:"tools" help:"Look at what could not be handled, and try it again."`
	Migrate    migrateCmd    `cmd:"" group:"tools" help:"Bring the database up to date."`
	Config     configCmd     `cmd:"" group:"tools" help:"Check and print the configuration."`
	Version    versionCmd    `cmd:"" group:"tools" help:"Print the version."`
}

type globals struct {
	ConfigFile string `name:"config" placeholder:"FILE" env:"DESIST_CONFIG" help:"Configuration file. Without one every setting has its default."`
	DataDir    string `name:"data" placeholder:"DIR" help:"Folder of the embedded parts; overrides data_dir."`
	Verbose    bool   `short:"v" help:"Log more."`
}

// A Program is what a command runs in.
type Program struct {
	In       io.Reader
	Out, Err io.Writer
	// Environ is the environment as os.Environ returns it.
	Environ []string

	flags globals
}

// Main runs the command of this process and returns its exit code. The first
// interrupt asks it to stop, the second ends it at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// A reader that has enough, such as head, makes writing fail; it must not
	// end the process before the private database is closed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p := &Program{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}
	return p.Run(ctx, os.Args[1:])
}

const description = `Desist takes in malicious domains, URLs and addresses, finds who can switch them off, serves each a notice that the law of its place backs, and watches until the target is gone.

Start with "desist submit" and "desist case list". Nothing is sent unless the configuration says "sending: live".`

// Run runs one command and returns its exit code.
func (p *Program) Run(ctx context.Context, args []string) int {
	var c commands
	helped := false
	parser, err := kong.New(&c,
		kong.Name("desist"), kong.Description(description), kong.Writers(p.Out, p.Err),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "service", Title: "Service:"},
			{Key: "analyst", Title: "Cases and figures:"},
			{Key: "law", Title: "Law and proof:"},
			{Key: "tools", Title: "Housekeeping:"},
		}),
		kong.Bind(p), kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return p.report(fmt.Errorf("command line: %w", err))
	}
	parsed, err := parser.Parse(args)
	if helped {
		return 0
	}
	if err != nil {
		return p.report(wrongUse(parser, err))
	}
	p.flags = c.globals
	return p.report(parsed.Run())
}

// A usageError is wrong use of the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// wrongUse says where help is.
func wrongUse(parser *kong.Kong, err error) error {
	name := parser.Model.Name
	var pe *kong.ParseError
	if errors.As(err, &pe) && pe.Context != nil {
		for _, el := range pe.Context.Path {
			if el.Command != nil {
				name += " " + el.Command.Name
			}
		}
	}
	return usage("%w; see %s --help", err, name)
}

// report prints an error, a line for each fault, and returns the exit code. An
// indented line goes on with the fault above it.
func (p *Program) report(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, syscall.EPIPE) {
		return 1 // whoever read us knows
	}
	text := strings.ReplaceAll(err.Error(), "\n\t", " ")
	for line := range strings.SplitSeq(text, "\n") {
		p.say("desist: %s\n", safe(line))
	}
	var use *usageError
	if errors.As(err, &use) {
		return 2
	}
	return takedown.ConsequenceOf(err).ExitCode
}
