package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/mail"
	"strings"

	"desist/web/api"

	"github.com/jhillyerd/enmime/v2"

	"desist/internal/app"
	"desist/takedown"
)

type noticeCmd struct {
	Preview noticePreviewCmd `cmd:"" help:"Show what a notice would say; sends and stores nothing."`
	Show    noticeShowCmd    `cmd:"" help:"Show a sealed notice."`
	Verify  noticeVerifyCmd  `cmd:"" help:"Say whether a mail is a notice of ours, unchanged."`
}

type noticeShowCmd struct {
	Notice string `arg:"" help:"Its number, as \"case show\" prints it, or its Message-ID."`
	Format string `enum:"text,mime,json" default:"text" help:"text, mime (the sealed bytes as they are), or json."`
}

func (*noticeShowCmd) Help() string {
	return `Examples:

  desist notice show 12
  desist notice show 12 --format mime > notice.eml
`
}

func (c *noticeShowCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		n, err := r.notice(ctx, c.Notice)
		if err != nil {
			return err
		}
		switch c.Format {
		case "mime":
			_, err := p.Out.Write(n.Sealed)
			return written(err)
		case "json":
			return p.printJSON(struct {
				api.Notice
				Message string `json:"message"` // the complete mail
			}{api.NewNotice(n), string(n.Sealed)})
		}
		text, err := textPart(n.Sealed)
		if err != nil {
			return takedown.Permanent(fmt.Errorf("notice %d cannot be read: %w", n.ID, err))
		}
		out := p.printer()
		out.printf("%s of %s, number %d of its leg\n", out.paint(bold, fmt.Sprintf("notice %d", n.ID)), takedown.Reference(n.CaseID), n.Seq)
		out.field("kind", string(n.Kind))
		out.field("sealed", when(n.SealedAt))
		out.field("to", n.Recipient)
		out.field("Message-ID", n.MessageID)
		out.field("SHA-256", n.SHA256.String())
		printDraft(out, n.Draft, text)
		return out.flush()
	})
}

// notice finds a notice by its number or Message-ID.
func (r *record) notice(ctx context.Context, name string) (takedown.Notice, error) {
	if strings.Contains(name, "@") {
		return r.store.NoticeByMessageID(ctx, strings.Trim(strings.TrimSpace(name), "<>"))
	}
	id, ok := number(name)
	if !ok || strings.HasPrefix(strings.ToUpper(name), "DSI") {
		return takedown.Notice{}, usage("%q is neither the number of a notice nor a Message-ID; \"case show\" prints both", safe(name))
	}
	return r.store.Notice(ctx, id)
}

// textPart returns the text that a recipient reads first.
func textPart(sealed []byte) (string, error) {
	env, err := enmime.ReadEnvelope(bytes.NewReader(sealed))
	if err != nil {
		return "", err
	}
	return env.Text, nil
}

// printDraft prints what the law requires with its place, then the wording.
func printDraft(out *printer, d takedown.Draft, text string) {
	out.field("law", fmt.Sprintf("pack %s, version %s, checked on %s, grade %s, regime %s", d.Pack, d.PackVersion, d.CheckedOn, d.Grade, d.Regime))
	out.field("languages", strings.Join(d.Languages, ", "))
	for _, w := range d.Warnings {
		out.textAs(yellow, "  warning       ", "                ", w)
	}
	if len(d.Elements) > 0 {
		out.title("Required elements")
		t := table{head: []string{"ELEMENT", "REQUIRED BY", "LINE", "WHAT STANDS THERE"}, flex: []int{3, 1}}
		for _, e := range d.Elements {
			t.rows = append(t.rows, []string{e.ID, e.Required, fmt.Sprint(e.Line), e.Quote})
		}
		out.table(t)
	}
	out.title("Subject: " + d.Subject)
	out.printf("\n")
	for line := range strings.Lines(text) {
		out.printf("%s\n", strings.TrimRight(safe(strings.TrimRight(line, "\r\n")), " "))
	}
}

type noticeVerifyCmd struct {
	File string `arg:"" help:"The mail, or - for standard input."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (*noticeVerifyCmd) Help() string {
	return `Takes away what transport adds, and compares the rest with what was sealed. The exit code is 0 if the mail is a notice of ours and unchanged, 1 if it was changed, 4 if it is not ours.

Example:

  desist notice verify suspicious.eml
`
}

type verifyJSON struct {
	Genuine   bool                `json:"genuine"`
	MessageID string              `json:"message_id"`
	Notice    int64               `json:"notice"`
	Case      string              `json:"case"`
	Kind      takedown.NoticeKind `json:"kind"`
	Recipient string              `json:"recipient"`
	SealedAt  string              `json:"sealed_at"`
	SHA256    takedown.Hash       `json:"sha256"` // of what was sealed
	Found     takedown.Hash       `json:"found"`  // of the mail
}

func (c *noticeVerifyCmd) Run(ctx context.Context, p *Program) error {
	raw, err := p.readFile(c.File, maxInput)
	if err != nil {
		return err
	}
	if _, err := mail.ReadMessage(bytes.NewReader(raw)); err != nil {
		return takedown.Permanent(fmt.Errorf("%s is not a mail: %w", c.File, err))
	}
	return p.withRecord(ctx, func(r *record) error {
		tokens, err := app.NewTokens(ctx, r.store, r.cfg)
		if err != nil {
			return err
		}
		id, sealed, err := tokens.Unseal(raw)
		if err != nil {
			return err
		}
		n, err := r.store.NoticeByMessageID(ctx, id)
		if err != nil {
			return err
		}
		v := verifyJSON{
			MessageID: n.MessageID, Notice: n.ID, Case: takedown.Reference(n.CaseID), Kind: n.Kind, Recipient: n.Recipient,
			SealedAt: when(n.SealedAt), SHA256: n.SHA256, Found: sha256.Sum256(sealed),
		}
		v.Genuine = v.Found == v.SHA256
		if c.JSON {
			err = p.printJSON(v)
		} else if v.Genuine {
			out := p.printer()
			out.printf("This is our %s notice %d of %s to %s, sealed %s, unchanged.\n", v.Kind, v.Notice, v.Case, safe(v.Recipient), v.SealedAt)
			err = out.flush()
		}
		if err == nil && !v.Genuine {
			err = takedown.Permanent(fmt.Errorf("the mail carries the Message-ID of our notice %d of %s, but it was changed: its SHA-256 is %s, ours is %s",
				v.Notice, v.Case, v.Found, v.SHA256))
		}
		return err
	})
}
