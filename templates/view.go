package templates

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"desist/takedown"
)

// Bounds of what is printed; the rest stays in the machine-readable report.
const (
	maxDescriptions = 5
	maxReferences   = 5
	maxAddresses    = 8
	maxEarlier      = 10
	maxEvidence     = 50
)

// view is what wording may use. Every string in it is clean, bounded and
// defanged; a template cannot reach the request itself.
type view struct {
	Lang, Kind, Class, Role string
	ClassName, Place        string // in the language of the view
	Reference               string
	Target                  string // defanged and masked
	Short                   string // the target, short enough for a subject
	Masked                  bool
	Domain                  string
	Addresses               []string
	FirstSeen, Checked, Now string
	Observation             string
	Descriptions            []string
	References              []string
	Evidence                []evidenceView
	Earlier                 []earlierView
	Sender                  senderView
	VerifyURL, AnswerURL    string
	ReportID                string
	Prevails                string
	First                   bool // first language of several
	Basis, BasisShort       string
	Pack, PackVersion       string
	CheckedOn               string

	pack *pack
}

type senderView struct {
	Name, Address, Email, Telephone, Capacity, PrivacyURL string
}

type evidenceView struct {
	Number                  int
	Kind, MediaType, SHA256 string
	Withheld                bool
}

type earlierView struct {
	Kind, Recipient, MessageID, AcceptedAt, Reply string
}

// Cite returns the locked citation of an instrument of the pack, or an error
// that stops the rendering when the pack does not allow it here.
func (v *view) Cite(id string) (string, error) {
	in, err := v.citable(id)
	if err != nil {
		return "", err
	}
	if in.Cite[v.Lang] == "" {
		return "", fmt.Errorf("instrument %s of pack %s has no citation in language %s", id, v.pack.ID, v.Lang)
	}
	return in.Cite[v.Lang], nil
}

func (v *view) citable(id string) (*instrument, error) {
	in := v.pack.instrument(id)
	if in == nil {
		return nil, fmt.Errorf("pack %s has no instrument %q to cite", v.pack.ID, id)
	}
	if err := v.pack.allowed(in); err != nil {
		return nil, err
	}
	if !matches(in.Roles, takedown.Role(v.Role)) || !matches(in.Classes, takedown.Class(v.Class)) {
		return nil, fmt.Errorf("instrument %s of pack %s does not apply to a %s and %s", id, v.pack.ID, v.Role, v.Class)
	}
	return in, nil
}

// newView cleans everything that languages share. warnings says what was left
// out.
func newView(req *takedown.NoticeRequest, p *pack) (v view, warnings []string) {
	v = view{
		Kind: string(req.Kind), Class: string(req.Class), Role: string(req.Role),
		Reference: req.Reference,
		FirstSeen: timestamp(req.FirstSeenAt), Checked: timestamp(req.CheckedAt), Now: timestamp(req.Now),
		Pack: p.ID, CheckedOn: p.CheckedOn, pack: p,
		ReportID:  clean(req.ReportID, 64),
		VerifyURL: link(req.VerifyURL), AnswerURL: link(req.AnswerURL),
		Sender: senderView{
			Name: clean(req.Sender.LegalName, 200), Address: clean(strings.ReplaceAll(req.Sender.Address, "\n", ", "), 300),
			Email: clean(req.Sender.Email, 254), Telephone: clean(req.Sender.Telephone, 60),
			Capacity: clean(req.Sender.Capacity, 200), PrivacyURL: link(req.Sender.PrivacyURL),
		},
	}
	if org := clean(req.Sender.Organisation, 200); org != "" && org != v.Sender.Name {
		if v.Sender.Name == "" {
			v.Sender.Name = org
		} else {
			v.Sender.Name += " (" + org + ")"
		}
	}
	v.Target, v.Masked = target(req.Indicator)
	v.Short = shortTarget(req.Indicator)
	v.Domain = takedown.Defang(clean(req.Indicator.Registrable, 253))
	for _, a := range req.Addresses[:min(len(req.Addresses), maxAddresses)] {
		if a != req.Indicator.Value {
			v.Addresses = append(v.Addresses, takedown.Defang(clean(a, 45)))
		}
	}
	prose := func(what, s string, limit int) string {
		s = clean(s, limit)
		if phrase := threatening.FindString(s); phrase != "" {
			warnings = append(warnings, fmt.Sprintf("%s was left out because it says %q", what, phrase))
			return ""
		}
		return defangProse(s)
	}
	v.Observation = prose("the observation", req.Observation, 600)
	for _, d := range req.Descriptions[:min(len(req.Descriptions), maxDescriptions)] {
		if d = prose("a description", d, 600); d != "" {
			v.Descriptions = append(v.Descriptions, d)
		}
	}
	for _, r := range req.References[:min(len(req.References), maxReferences)] {
		if r, _ := maskURL(clean(r, 500)); strings.HasPrefix(r, "http") {
			if r = prose("a reference", r, 500); r != "" {
				v.References = append(v.References, r)
			}
		}
	}
	if n := len(req.Descriptions) - maxDescriptions; n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d more descriptions are not printed", n))
	}
	for i, e := range req.Evidence[:min(len(req.Evidence), maxEvidence)] {
		sum := only(hexHash, e.SHA256)
		if sum == "" && len(e.Data) > 0 {
			h := sha256.Sum256(e.Data)
			sum = hex.EncodeToString(h[:])
		}
		v.Evidence = append(v.Evidence, evidenceView{
			Number: i + 1, Kind: prose("the kind of an item of evidence", e.Kind, 60),
			MediaType: defangHost(only(mediaType, e.MediaType), req.Indicator), SHA256: sum, Withheld: len(e.Data) == 0,
		})
	}
	for _, e := range req.Earlier[:min(len(req.Earlier), maxEarlier)] {
		recipient := only(mailAddress, e.Recipient)
		if recipient == "" {
			recipient = prose("a recipient", e.Recipient, 254)
		}
		v.Earlier = append(v.Earlier, earlierView{
			Kind: string(e.Kind), Recipient: defangHost(recipient, req.Indicator),
			MessageID:  defangHost(only(messageID, e.MessageID), req.Indicator),
			AcceptedAt: timestamp(e.AcceptedAt), Reply: prose("the answer of a mail server", e.Reply, 200),
		})
	}
	if v.Observation == "" && len(v.Descriptions) == 0 && len(v.References) == 0 && len(v.Evidence) == 0 && req.Kind != takedown.NoticeWithdrawal {
		warnings = append(warnings, "no observation, description, reference or evidence: the reasons rest on the class alone")
	}
	return v, warnings
}

// Forms of the outside values that are printed as they are.
var (
	mediaType   = regexp.MustCompile(`^[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}$`)
	mailAddress = regexp.MustCompile(`^[!-?A-~]{1,64}@[0-9A-Za-z.-]{1,253}$`)
	messageID   = regexp.MustCompile(`^[!-~]{1,250}$`)
	hexHash     = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

// only returns s if it has the form, or nothing.
func only(form *regexp.Regexp, s string) string {
	if form.MatchString(s) {
		return s
	}
	return ""
}

// defangHost makes the indicator's own host harmless inside s.
func defangHost(s string, i takedown.Indicator) string {
	if i.Host == "" {
		return s
	}
	return strings.ReplaceAll(s, i.Host, takedown.Defang(i.Host))
}

// timestamp prints t in UTC, or nothing when it is not known.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// link returns an HTTP address of ours, or nothing if it is not one.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return strings.ReplaceAll(clean(u.String(), 900), " ", "")
}

// shortTarget is scheme and host of the indicator for the subject.
func shortTarget(i takedown.Indicator) string {
	short := takedown.Defang(i.Host)
	if sch, _, ok := strings.Cut(i.Value, "://"); ok {
		short = takedown.Defang(sch + "://" + i.Host)
	}
	if i.Host == "" {
		short = takedown.Defang(i.Value)
	}
	short = ascii(clean(short, 250))
	if len(short) > 48 {
		short = short[:30] + "..." + short[len(short)-15:]
	}
	return short
}
