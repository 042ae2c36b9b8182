package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"desist/takedown"
)

// Outcome is what policy says of an action.
type Outcome string

// The outcomes, from mild to grave.
const (
	OutcomeSend   Outcome = "send"
	OutcomeHold   Outcome = "hold" // a person decides, where set with a second one
	OutcomeRefuse Outcome = "refuse"
)

// Code names a reason; the same word goes to the log, the metric label and the
// screen.
type Code string

// The codes of reasons.
const (
	CodeInvalid         Code = "invalid"
	CodeReservedAddress Code = "reserved_address"
	CodeReservedName    Code = "reserved_name"
	CodeOwn             Code = "own"
	CodeAllowList       Code = "allow_list"
	CodeInfrastructure  Code = "infrastructure"
	CodePlatform        Code = "shared_platform"
	CodeUndated         Code = "undated"
	CodeOld             Code = "too_old"
	CodeFuture          Code = "in_the_future"
	CodeEvidence        Code = "evidence_missing"
	CodePerson          Code = "needs_person"
	CodeConfidence      Code = "low_confidence"
	CodeSuppressed      Code = "recipient_suppressed"
	CodeInvolved        Code = "recipient_involved"
	CodeDuplicate       Code = "duplicate_notice"
	CodeStale           Code = "stale_notice"
	CodeGone            Code = "target_gone"
)

// A Reason is one objection.
type Reason struct {
	Code    Code    `json:"code"`
	Text    string  `json:"text"` // one sentence for people
	Outcome Outcome `json:"outcome"`
}

// A Decision is the outcome with every reason for it, gravest first. It has no
// reasons exactly when the outcome is send.
type Decision struct {
	Outcome Outcome  `json:"outcome"`
	Reasons []Reason `json:"reasons"`
}

// Texts joins the reasons into one line.
func (d Decision) Texts() string {
	texts := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		texts[i] = r.Text
	}
	return strings.Join(texts, "; ")
}

func gravity(o Outcome) int {
	return slices.Index([]Outcome{OutcomeSend, OutcomeHold, OutcomeRefuse}, o)
}

// reasons collects objections.
type reasons []Reason

func (rs *reasons) hold(code Code, format string, args ...any) {
	*rs = append(*rs, Reason{code, takedown.CleanText(fmt.Sprintf(format, args...)), OutcomeHold})
}

func (rs *reasons) refuse(code Code, format string, args ...any) {
	*rs = append(*rs, Reason{code, takedown.CleanText(fmt.Sprintf(format, args...)), OutcomeRefuse})
}

func (rs reasons) decision() Decision {
	slices.SortStableFunc(rs, func(a, b Reason) int { return gravity(b.Outcome) - gravity(a.Outcome) })
	d := Decision{Outcome: OutcomeSend, Reasons: rs}
	if len(rs) > 0 {
		d.Outcome = rs[0].Outcome
	}
	return d
}

// Evidence is how much must support a submission before a notice about it goes
// out without a person.
type Evidence struct {
	Items int // pieces of evidence
	// Support counts pieces of evidence, references, descriptions and further
	// submissions together.
	Support int
}

// Config is what policy needs to know. Only Reserved has no default.
type Config struct {
	// Reserved says whether, and why, an address is not on the public internet.
	Reserved func(netip.Addr) (string, bool)
	// OwnPrefixes and OwnDomains are ours: never to be accused by ourselves.
	OwnPrefixes []netip.Prefix
	OwnDomains  []string
	// ExemptPrefixes and ExemptDomains are exempt from the rules on reserved
	// addresses and names and from the allow-lists, for laboratories.
	ExemptPrefixes []netip.Prefix
	ExemptDomains  []string
	// Warninglists holds MISP warninglists: files *.json at the top, or
	// <name>/list.json below. Nil has only the built-in core lists.
	Warninglists fs.FS
	// ListEffects overrides what a hit on a list does, by the list's file or
	// folder name without ".json".
	ListEffects map[string]Effect
	// MaxAge is how old the newest sighting may be; default 14 days.
	MaxAge time.Duration
	// MaxSkew is how far in the future a sighting may lie; default 15 minutes.
	MaxSkew time.Duration
	// MaxSealedAge is how long a sealed notice may wait; default 24 hours.
	MaxSealedAge time.Duration
	// EvidenceRequired is what each class needs; a class that is not in it needs
	// one supporting item of any kind.
	EvidenceRequired map[takedown.Class]Evidence
	// TrustedSources need no support: their word is an observation of our own,
	// such as a honeypot's. Pieces of evidence that a class requires they need.
	TrustedSources []string
	// ReviewClasses need a person; nil means fraudshop. An empty, non-nil list
	// means none.
	ReviewClasses []takedown.Class
	// ReviewConfidence is the confidence below which a contact needs a person;
	// 0 switches the rule off.
	ReviewConfidence float64
	Now              func() time.Time
}

// A Policy is read-only after New and safe for concurrent use.
type Policy struct {
	cfg   Config
	lists *lists
}

// New reads the lists and returns a policy.
func New(cfg Config) (*Policy, error) {
	if cfg.Reserved == nil {
		return nil, errors.New("policy: Reserved must be given; without it a notice could accuse a private address")
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = 14 * 24 * time.Hour
	}
	if cfg.MaxSkew <= 0 {
		cfg.MaxSkew = 15 * time.Minute
	}
	if cfg.MaxSealedAge <= 0 {
		cfg.MaxSealedAge = 24 * time.Hour
	}
	if cfg.ReviewClasses == nil {
		cfg.ReviewClasses = []takedown.Class{takedown.ClassFraudshop}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	lists, err := readLists(cfg.Warninglists, cfg.ListEffects)
	if err != nil {
		return nil, err
	}
	return &Policy{cfg: cfg, lists: lists}, nil
}

// Lists returns the names of the lists in use and how many entries each has.
func (p *Policy) Lists() map[string]int {
	sizes := make(map[string]int, len(p.lists.lists))
	for _, l := range p.lists.lists {
		sizes[l.id] = l.entries
	}
	return sizes
}

// Input is what Screen looks at.
type Input struct {
	Indicator    takedown.Indicator
	Class        takedown.Class
	SeenAt       time.Time // the newest sighting among the submissions
	Submissions  int
	Evidence     int // pieces of evidence, of all submissions together
	References   int
	Descriptions int
	Source       string
}

// Screen decides whether a case may be worked on.
func (p *Policy) Screen(in Input) Decision {
	var rs reasons
	if err := errors.Join(in.Indicator.Kind.Validate(), in.Class.Validate()); err != nil {
		rs.refuse(CodeInvalid, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if in.Indicator.Host == "" {
		rs.refuse(CodeInvalid, "the indicator %q has no host", in.Indicator.Value)
	}
	p.place(&rs, in.Indicator)
	p.age(&rs, in)

	need, set := p.cfg.EvidenceRequired[in.Class]
	if !set {
		need = Evidence{Support: 1}
	}
	if in.Evidence < need.Items {
		rs.hold(CodeEvidence, "class %s needs %d pieces of evidence, there are %d", in.Class, need.Items, in.Evidence)
	} else if support := in.Evidence + in.References + in.Descriptions + max(in.Submissions-1, 0); support < need.Support && !slices.Contains(p.cfg.TrustedSources, in.Source) {
		rs.hold(CodeEvidence, "class %s needs %d pieces of evidence, references, descriptions or further submissions, there are %d", in.Class, need.Support, support)
	}
	p.class(&rs, in.Class)
	return rs.decision()
}

func (p *Policy) class(rs *reasons, class takedown.Class) {
	if slices.Contains(p.cfg.ReviewClasses, class) {
		rs.hold(CodePerson, "class %s needs a person's approval", class)
	}
}

func (p *Policy) age(rs *reasons, in Input) {
	switch age := p.cfg.Now().Sub(in.SeenAt); {
	case in.SeenAt.IsZero():
		rs.hold(CodeUndated, "no source says when it was seen")
	case age > p.cfg.MaxAge:
		rs.refuse(CodeOld, "it was last seen %s ago, and %s is the limit; check it again and resubmit", days(age), days(p.cfg.MaxAge))
	case age < -p.cfg.MaxSkew:
		rs.hold(CodeFuture, "it is said to be seen at %s, which is in the future", in.SeenAt.UTC().Format(time.RFC3339))
	}
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

// ScreenLeg decides whether one party may be told of the case. The lead into
// the decision is the role: what a registrar does hits the whole name.
func (p *Policy) ScreenLeg(leg takedown.Leg, indicator takedown.Indicator, class takedown.Class) Decision {
	var rs reasons
	p.class(&rs, class)
	switch leg.Party.Role {
	case takedown.RoleRegistrar, takedown.RoleRegistry:
		if indicator.Platform != "" {
			rs.refuse(CodePlatform, "%s sits under the shared platform %s; a %s could only suspend the platform", indicator.Host, indicator.Platform, leg.Party.Role)
		} else if indicator.Kind == takedown.KindURL && p.lists.platform(indicator.Host) != "" {
			rs.refuse(CodePlatform, "%s is a shared platform; a %s could only suspend all of it", indicator.Host, leg.Party.Role)
		}
		if class == takedown.ClassCompromised {
			rs.hold(CodePerson, "the name belongs to a victim; asking a %s to suspend it needs a person's approval", leg.Party.Role)
		}
	}
	if contact, ok := leg.CurrentContact(); ok {
		if contact.Confidence < p.cfg.ReviewConfidence {
			rs.hold(CodeConfidence, "the contact %s has confidence %.2f, below %.2f", contact.Address, contact.Confidence, p.cfg.ReviewConfidence)
		}
		p.recipient(&rs, contact, indicator)
	}
	return rs.decision()
}

// recipient objects to mailboxes that stand on the wrong side.
func (p *Policy) recipient(rs *reasons, contact takedown.Contact, indicator takedown.Indicator) {
	if contact.Channel != takedown.ChannelEmail {
		return
	}
	_, host, ok := strings.Cut(contact.Address, "@")
	if !ok {
		return
	}
	if zone := zoneOf(host, p.cfg.OwnDomains); zone != "" {
		rs.refuse(CodeInvolved, "the recipient %s is at our own domain %s", contact.Address, zone)
	}
	// On a platform the registrable domain is the platform's, and its desk is
	// the right one.
	accused := indicator.Registrable
	if indicator.Platform != "" || p.lists.platform(indicator.Host) != "" {
		accused = ""
	}
	if zoneOf(host, []string{indicator.Host}) != "" && accused != "" || zoneOf(host, []string{accused}) != "" {
		rs.refuse(CodeInvolved, "the recipient %s is at the accused domain itself", contact.Address)
	}
}

// A Send is a sealed notice about to leave.
type Send struct {
	Kind      takedown.NoticeKind
	Contact   takedown.Contact
	Indicator takedown.Indicator
	SealedAt  time.Time
	// SuppressedFor says why the recipient wants or gets no more mail; empty
	// when nothing stands against it.
	SuppressedFor string
	// SameAt is when a notice of the same kind about the same case last reached
	// the same recipient; zero when none did.
	SameAt time.Time
	// Verdict and CheckedAt are of the last check; zero when there was none.
	Verdict   takedown.Verdict
	CheckedAt time.Time
}

// ScreenSend decides, right before sending, whether a notice may still leave. A
// correction or a withdrawal undoes a wrong notice, so that neither age nor a
// vanished target stops it.
func (p *Policy) ScreenSend(s Send) Decision {
	var rs reasons
	undoes := s.Kind == takedown.NoticeCorrection || s.Kind == takedown.NoticeWithdrawal
	if err := s.Kind.Validate(); err != nil {
		rs.refuse(CodeInvalid, "%s", err)
	}
	if s.SuppressedFor != "" {
		rs.refuse(CodeSuppressed, "the recipient %s gets no mail from us: %s", s.Contact.Address, s.SuppressedFor)
	}
	p.recipient(&rs, s.Contact, s.Indicator)
	if !s.SameAt.IsZero() && s.Kind != takedown.NoticeReminder && !undoes {
		rs.refuse(CodeDuplicate, "the recipient got a %s notice about this at %s", s.Kind, s.SameAt.UTC().Format(time.RFC3339))
	}
	if age := p.cfg.Now().Sub(s.SealedAt); !undoes && (s.SealedAt.IsZero() || age > p.cfg.MaxSealedAge) {
		rs.hold(CodeStale, "the notice was sealed %s ago, and %s is the limit; check the target and write it again", days(age), days(p.cfg.MaxSealedAge))
	}
	if s.Verdict == takedown.VerdictGone && !undoes {
		rs.refuse(CodeGone, "the target was seen gone at %s", s.CheckedAt.UTC().Format(time.RFC3339))
	}
	return rs.decision()
}
