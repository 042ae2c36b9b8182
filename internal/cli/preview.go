package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/notifiers/email"
	"desist/takedown"
	"desist/takedown/indicator"
	"desist/templates"
)

type noticePreviewCmd struct {
	Indicator string              `arg:"" help:"Domain, URL or address, defanged or not."`
	Class     takedown.Class      `required:"" placeholder:"CLASS" help:"phishing, malware, c2, compromised, spam, attack or fraudshop."`
	As        string              `placeholder:"COUNTRY" help:"Country of the recipient, such as DE. Default: unknown."`
	Role      takedown.Role       `default:"host" placeholder:"ROLE" help:"Of the recipient: host, isp, cdn, platform, upstream, registrar, registry or csirt. Default: host."`
	Lang      string              `placeholder:"LANG" help:"Ask for one language, such as de. Default: those of the pack."`
	Kind      takedown.NoticeKind `default:"first" placeholder:"KIND" help:"first, reminder, escalation, relapse, correction or withdrawal. Default: first."`
	Format    string              `enum:"text,mime,json" default:"text" help:"text with the proof of completeness, mime (the complete mail), or json."`
}

func (*noticePreviewCmd) Help() string {
	return `Writes the notice that a recipient in this role and country would get, with the place of every element that the law requires. Asks nobody, sends and stores nothing. What only a case knows, such as times and observations, is made up; where the configuration names no sender, an example stands in.

Examples:

  desist notice preview https://login.example.com/x --class phishing --as DE
  desist notice preview example.com --class malware --role registrar --format mime
`
}

func (c *noticePreviewCmd) Validate() error {
	if c.As != "" && (len(c.As) != 2 || strings.Trim(strings.ToUpper(c.As), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return usage("--as: %q is not a country of two letters, such as DE", c.As)
	}
	return nil
}

func (c *noticePreviewCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	log := p.logger(cfg, true)
	ind, err := indicator.Parse(c.Indicator)
	if err != nil {
		return err
	}
	lib, err := app.NewLibrary(cfg, log)
	if err != nil {
		return err
	}
	now := clock(cfg).Now()
	req := c.request(cfg, ind, now)
	if missing := fillSender(&req.Sender, now); len(missing) > 0 {
		log.WarnContext(ctx, "the configuration does not say who sends; examples stand in", "missing", strings.Join(missing, ", "))
	}
	draft, err := lib.Render(req)
	if err != nil {
		return err
	}
	switch c.Format {
	case "json":
		return p.printJSON(draft)
	case "mime":
		sealed, err := sealPreview(cfg, req, draft)
		if err != nil {
			return err
		}
		_, err = p.Out.Write(sealed)
		return written(err)
	}
	out := p.printer()
	out.printf("%s\n", out.paint(bold, fmt.Sprintf("%s notice about %s to a %s", req.Kind, safe(ind.Defang()), req.Role)))
	printDraft(out, draft, draft.Text)
	return out.flush()
}

// request makes up what only a case knows.
func (c *noticePreviewCmd) request(cfg config.Config, ind takedown.Indicator, now time.Time) takedown.NoticeRequest {
	req := templates.Sample(c.Kind, c.Role, c.Class, now)
	party := takedown.Party{Role: c.Role, Name: "the recipient", Country: strings.ToUpper(c.As)}
	if c.Role == takedown.RoleRegistrar || c.Role == takedown.RoleRegistry {
		party.GTLD = genericTLD(ind)
	}
	req.Indicator, req.Party, req.Language, req.Sender = ind, party, c.Lang, cfg.Sender.Notices()
	req.Recipient.Address = "abuse@recipient.example"
	req.Reference = takedown.Reference(0)
	req.Addresses, req.Evidence, req.Descriptions, req.References = nil, nil, nil, nil
	if addr, err := netip.ParseAddr(ind.Host); err == nil {
		req.Addresses = []string{addr.String()}
	}
	req.VerifyURL, req.AnswerURL = "", ""
	if cfg.PublicURL != "" {
		req.VerifyURL = strings.TrimSuffix(cfg.PublicURL, "/") + "/verify"
	}
	return req
}

// genericTLD reports whether the registrar acts under an ICANN contract: every
// top-level domain of more than two letters does, but for a handful.
func genericTLD(ind takedown.Indicator) bool {
	tld := ind.Registrable[strings.LastIndexByte(ind.Registrable, '.')+1:]
	return len(tld) > 2 && !strings.HasPrefix(tld, "xn--")
}

// fillSender puts examples where the configuration has nothing, and names the
// settings.
func fillSender(s *takedown.Sender, now time.Time) (missing []string) {
	example := templates.Sample(takedown.NoticeFirst, takedown.RoleHost, takedown.ClassPhishing, now).Sender
	for _, f := range []struct {
		key       string
		to        *string
		otherwise string
	}{
		{"sender.legal_name", &s.LegalName, example.LegalName},
		{"sender.organisation", &s.Organisation, example.Organisation},
		{"sender.address", &s.Address, example.Address},
		{"sender.email", &s.Email, example.Email},
		{"sender.telephone", &s.Telephone, example.Telephone},
		{"sender.capacity", &s.Capacity, example.Capacity},
		{"sender.country", &s.Country, example.Country},
	} {
		if *f.to == "" {
			*f.to = f.otherwise
			missing = append(missing, f.key)
		}
	}
	return missing
}

// sealPreview makes the mail with a key that proves nothing, so that nobody can
// pass a preview off as a notice.
func sealPreview(cfg config.Config, req takedown.NoticeRequest, draft takedown.Draft) ([]byte, error) {
	sealer, err := email.NewSealer(email.SealConfig{Sender: req.Sender, Domain: cfg.SMTP.ReplyDomain, Key: make([]byte, email.MinKeyLength)})
	if err != nil {
		return nil, err
	}
	n, err := sealer.Seal(email.SealInput{
		CaseID: 1, LegID: 1, Seq: 1, Kind: req.Kind, Draft: draft, Recipient: req.Recipient, Reference: req.Reference, At: req.Now,
	})
	return n.Sealed, err
}
