package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"desist/takedown"
)

// Acceptor stores submissions.
type Acceptor interface {
	Accept(ctx context.Context, now time.Time, sweepAfter time.Duration, subs []takedown.Submission) ([]takedown.Accepted, error)
	DeadLetter(ctx context.Context, at time.Time, subject string, caseID int64, body []byte, reason string) error
}

// Intake is the front door: it reads submissions, canonicalises their
// indicators, and stores them. Whatever it refuses it refuses with a reason.
type Intake struct {
	Store Acceptor
	// Parse canonicalises an indicator.
	Parse func(string) (takedown.Indicator, error)
	// Policy lets the receipt say what screening will refuse, so that the
	// submitter hears of it at once; nil leaves it to screening alone.
	Policy     Screener
	Now        func() time.Time
	SweepAfter time.Duration
	Logger     *slog.Logger
}

// Limits of one submission. The front door is open to feeds; nothing behind it
// should have to think of sizes.
const (
	MaxDescription = 8 << 10
	MaxReferences  = 50
	MaxReference   = 2 << 10
	MaxEvidence    = 20
	MaxEvidenceLen = 5 << 20
)

// An Offer is a submission at the front door.
type Offer struct {
	Message takedown.IndicatorMessage
	Source  string
	// Key makes the offer idempotent. If it is empty, the source's external id
	// does; if there is none either, every offer is a report of its own.
	Key string
}

// A Receipt answers an offer.
type Receipt struct {
	takedown.Accepted
	Indicator takedown.Indicator
	// Refusal is why screening will refuse the case, which is on record all the
	// same; empty when it will not.
	Refusal string
	Err     error // a refusal, or a failure to store
}

// Submit accepts offers and answers each, in order. When it returns, what it
// accepted survives a crash. Its error means that nothing was stored.
func (in *Intake) Submit(ctx context.Context, offers []Offer) ([]Receipt, error) {
	now := in.Now()
	receipts := make([]Receipt, len(offers))
	subs := make([]takedown.Submission, 0, len(offers))
	index := make([]int, 0, len(offers))
	for i, o := range offers {
		sub, err := in.read(now, o)
		if err != nil {
			receipts[i].Err = err
			continue
		}
		receipts[i].Indicator, receipts[i].Refusal = sub.Indicator, in.refusal(sub, now)
		subs = append(subs, sub)
		index = append(index, i)
	}
	accepted, err := in.Store.Accept(ctx, now, in.SweepAfter, subs)
	if err != nil {
		return nil, err
	}
	for n, a := range accepted {
		receipts[index[n]].Accepted = a
	}
	return receipts, nil
}

// read checks one offer and makes it a submission.
func (in *Intake) read(now time.Time, o Offer) (takedown.Submission, error) {
	m := o.Message
	bad := func(field, format string, args ...any) (takedown.Submission, error) {
		return takedown.Submission{}, takedown.Permanent(fmt.Errorf(field+": "+format, args...))
	}
	if strings.TrimSpace(m.Indicator) == "" {
		return bad("indicator", "is missing; give a domain, URL or IP address")
	}
	if m.Class == "" {
		return bad("class", "is missing; give one of phishing, malware, c2, compromised, spam, attack, fraudshop")
	}
	if err := m.Class.Validate(); err != nil {
		return bad("class", "%w", err)
	}
	ind, err := in.Parse(m.Indicator)
	if err != nil {
		return bad("indicator", "%w", err)
	}
	if m.Confidence < 0 || m.Confidence > 1 {
		return bad("confidence", "%v is outside 0 to 1", m.Confidence)
	}
	if len(m.Description) > MaxDescription {
		return bad("description", "%d bytes are more than %d; put the rest into evidence", len(m.Description), MaxDescription)
	}
	if len(m.References) > MaxReferences {
		return bad("references", "%d are more than %d", len(m.References), MaxReferences)
	}
	for n, r := range m.References {
		if len(r) > MaxReference {
			return bad("references", "number %d has %d bytes, more than %d", n+1, len(r), MaxReference)
		}
	}
	if len(m.Evidence) > MaxEvidence {
		return bad("evidence", "%d items are more than %d", len(m.Evidence), MaxEvidence)
	}
	for n, e := range m.Evidence {
		if err := checkEvidence(&m.Evidence[n]); err != nil {
			return bad("evidence", "item %d (%s): %w", n+1, clipText(e.Kind, 40), err)
		}
	}
	seen := now
	if m.SeenAt != nil {
		seen = *m.SeenAt
		if seen.Year() < 1990 || seen.After(now.Add(24*time.Hour)) {
			return bad("seen_at", "%s is not a time at which something can have been seen", seen.UTC().Format(time.RFC3339))
		}
	}
	source := clipText(strings.TrimSpace(o.Source), 100)
	if source == "" {
		source = "unnamed"
	}
	key := o.Key
	if key == "" && m.ExternalID != "" {
		key = digestKey("external", source, m.ExternalID, ind.Value, string(m.Class))
	}
	if key == "" {
		key = digestKey("offer", source, ind.Value, string(m.Class), seen.UTC().Format(time.RFC3339Nano), m.Description, strings.Join(m.References, " "))
	}
	sub := takedown.Submission{
		Key: key, Indicator: ind, Raw: clipText(m.Indicator, 8<<10), Class: m.Class, Source: source, SeenAt: seen, ReceivedAt: now,
		Confidence: m.Confidence, TLP: clipText(m.TLP, 40), Description: m.Description, References: m.References, Evidence: m.Evidence,
		Reporter:   takedown.Reporter{Name: clipText(m.Reporter.Name, 200), Email: clipText(m.Reporter.Email, 320)},
		ExternalID: clipText(m.ExternalID, 300),
	}
	return sub, nil
}

// refusal is why policy would refuse a case of this submission alone.
func (in *Intake) refusal(sub takedown.Submission, now time.Time) string {
	if in.Policy == nil {
		return ""
	}
	c := &takedown.Case{Indicator: sub.Indicator, Class: sub.Class, FirstSeenAt: sub.SeenAt, SubmittedAt: now}
	r := in.Policy.Screen(c, []takedown.Submission{sub}, now)
	if r.Outcome != Refuse {
		return ""
	}
	return strings.Join(r.Reasons, "; ")
}

// checkEvidence bounds one item and makes its hash true.
func checkEvidence(e *takedown.Evidence) error {
	if e.Kind == "" {
		return errors.New("kind is missing")
	}
	if len(e.Data) > MaxEvidenceLen {
		return fmt.Errorf("%d bytes are more than %d", len(e.Data), MaxEvidenceLen)
	}
	if e.Kind == "sample" && len(e.Data) > 0 {
		return errors.New("live samples are not taken; send the sha256 alone")
	}
	if len(e.Data) > 0 {
		sum := sha256.Sum256(e.Data)
		if have := hex.EncodeToString(sum[:]); e.SHA256 == "" {
			e.SHA256 = have
		} else if !strings.EqualFold(e.SHA256, have) {
			return fmt.Errorf("sha256 is %s, but the data has %s", e.SHA256, have)
		}
	}
	if e.SHA256 != "" {
		if raw, err := hex.DecodeString(e.SHA256); err != nil || len(raw) != sha256.Size {
			return fmt.Errorf("sha256 %q is not 64 hexadecimal digits", clipText(e.SHA256, 80))
		}
	}
	return nil
}

func digestKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(p)) // a hash does not fail
		h.Write([]byte(p))
	}
	return parts[0] + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func clipText(s string, n int) string {
	s = takedown.CleanText(s)
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Delivery of the front door's stream.
type Delivery interface {
	Body() []byte
	Subject() string
	// Key names this message for ever, across redeliveries.
	Key() string
	Last() bool
	Ack(context.Context) error
	Nak(delay time.Duration) error
	Term(reason string) error
}

// Deliveries is the source of the front door's messages.
type Deliveries interface {
	Fetch(ctx context.Context, max int, wait time.Duration) ([]Delivery, error)
}

// SubjectPrefix is the front door; the rest of a subject names the source.
const SubjectPrefix = "desist.indicators."

// Serve takes submissions from the front door until ctx ends, and finishes the
// batch in hand with hard.
func (in *Intake) Serve(ctx, hard context.Context, queue Deliveries, batch int) {
	for ctx.Err() == nil {
		msgs, err := queue.Fetch(ctx, batch, time.Second)
		if err != nil {
			if ctx.Err() == nil {
				in.Logger.Warn("cannot fetch submissions", "err", err)
				pause(ctx, time.Second)
			}
			continue
		}
		if len(msgs) > 0 {
			in.handle(hard, msgs)
		}
	}
}

func (in *Intake) handle(ctx context.Context, msgs []Delivery) {
	offers := make([]Offer, 0, len(msgs))
	sound := make([]Delivery, 0, len(msgs))
	for _, m := range msgs {
		var im takedown.IndicatorMessage
		if err := json.Unmarshal(m.Body(), &im); err != nil {
			in.refuse(ctx, m, fmt.Errorf("the body is not the documented JSON: %w", err))
			continue
		}
		offers = append(offers, Offer{Message: im, Source: strings.TrimPrefix(m.Subject(), SubjectPrefix), Key: m.Key()})
		sound = append(sound, m)
	}
	receipts, err := in.Submit(ctx, offers)
	if err != nil {
		in.Logger.Warn("cannot store submissions; they will be delivered again", "count", len(offers), "err", err)
		for i, m := range sound {
			if !m.Last() {
				_ = m.Nak(2 * time.Second)
				continue
			}
			// The last delivery: try it alone, then keep it where it is seen.
			if r, err := in.Submit(ctx, offers[i:i+1]); err == nil && r[0].Err == nil {
				_ = m.Ack(ctx)
			} else {
				in.refuse(ctx, m, errors.Join(err, firstErr(r)))
			}
		}
		return
	}
	for i, r := range receipts {
		if r.Err != nil {
			in.refuse(ctx, sound[i], r.Err)
			continue
		}
		if err := sound[i].Ack(ctx); err != nil {
			in.Logger.Debug("ack failed; the submission is known by its key", "err", err)
		}
	}
}

func firstErr(r []Receipt) error {
	if len(r) == 0 {
		return nil
	}
	return r[0].Err
}

// refuse keeps a message that cannot be used, with the reason.
func (in *Intake) refuse(ctx context.Context, m Delivery, reason error) {
	if err := in.Store.DeadLetter(ctx, in.Now(), m.Subject(), 0, m.Body(), reason.Error()); err != nil {
		in.Logger.Warn("cannot store a dead letter", "err", err)
		_ = m.Nak(2 * time.Second)
		return
	}
	_ = m.Term(clipText(reason.Error(), 200))
}
