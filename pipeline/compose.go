package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"desist/takedown"
)

// Renderer words a notice. It fails with kind denied when the law or the
// missing data of a sender do not allow one.
type Renderer interface {
	Render(req takedown.NoticeRequest) (takedown.Draft, error)
}

// Sealer makes the complete message of a draft, the same bytes each time for
// the same input.
type Sealer interface {
	Seal(req takedown.NoticeRequest, c *takedown.Case, l *takedown.Leg, seq int, d takedown.Draft) (takedown.Notice, error)
}

// ComposeStore is what compose reads.
type ComposeStore interface {
	Submissions
	EarlierNotices(ctx context.Context, caseIDs []int64) (map[int64][]takedown.EarlierNotice, error)
	DeadContacts(ctx context.Context, addresses []string) (map[string]string, error)
}

// Compose writes and seals the notices that are due. A sealed notice is stored
// before anything is sent.
type Compose struct {
	Store    ComposeStore
	Renderer Renderer
	Sealer   Sealer
	Sender   takedown.Sender
	// PublicURL is where recipients can verify a notice; may be empty.
	PublicURL   string
	ManualAfter time.Duration
	// MaxAge is how old the newest sighting may be before our own look at the
	// target must have confirmed it; 0 trusts every sighting.
	MaxAge time.Duration
	// Review says why a person must look before a notice is sealed, or nothing;
	// nil asks for nobody.
	Review func(d takedown.Draft, to takedown.Contact) string
	// Salt makes the identifiers of our reports differ from those of every
	// other installation.
	Salt []byte
}

// Name implements Stage.
func (*Compose) Name() takedown.Stage { return takedown.StageCompose }

// Run implements Stage.
func (s *Compose) Run(ctx context.Context, now time.Time, batch []*Work) {
	ids := caseIDs(batch)
	subs, err := s.Store.Submissions(ctx, ids)
	var dead map[string]string
	if err == nil {
		dead, err = s.Store.DeadContacts(ctx, addresses(batch))
	}
	var repeat []int64 // cases in which something was said before
	for _, w := range batch {
		if !w.Case.NotifiedAt.IsZero() {
			repeat = append(repeat, w.Case.ID)
		}
	}
	var earlier map[int64][]takedown.EarlierNotice
	if err == nil && len(repeat) > 0 {
		earlier, err = s.Store.EarlierNotices(ctx, repeat)
	}
	for _, w := range batch {
		if err != nil {
			w.Err = err
			continue
		}
		for _, l := range w.Case.Legs {
			if l.State != takedown.LegPlanned || l.DueAt.After(now) {
				continue
			}
			if w.Err = s.compose(w, l, now, subs[w.Case.ID], earlier[w.Case.ID], dead); w.Err != nil {
				break
			}
		}
		if w.Err == nil && w.Case.State.Closed() {
			closeLegs(w.Case, now, "it could not be taken back by mail")
		}
	}
}

func addresses(batch []*Work) []string {
	var out []string
	for _, w := range batch {
		for _, l := range w.Case.Legs {
			if l.State == takedown.LegPlanned {
				for _, c := range l.Party.Contacts {
					out = append(out, c.Address)
				}
			}
		}
	}
	return out
}

func (s *Compose) compose(w *Work, l *takedown.Leg, now time.Time, subs []takedown.Submission, earlier []takedown.EarlierNotice, dead map[string]string) error {
	c := w.Case
	contact, ok := l.CurrentContact()
	for ok && isDead(dead, contact.Address) {
		l.Contact++
		l.Touch()
		contact, ok = l.CurrentContact()
	}
	if !ok {
		return unreachable(c, l, now, "compose", "every known contact failed before")
	}
	if contact.Channel != takedown.ChannelEmail {
		if err := l.Move(takedown.LegManual, "a person has to report this at "+contact.Address, now.Add(s.ManualAfter)); err != nil {
			return err
		}
		data := legData(l)
		data["form"] = takedown.CleanText(contact.Address)
		c.Record(now, takedown.EventLegManual, "compose", data)
		return nil
	}
	if first := l.Kind == takedown.NoticeFirst || l.Kind == takedown.NoticeEscalation; first && l.ApprovedBy == "" && s.stale(c, subs, now) {
		return hold(c, l, now, fmt.Sprintf("the newest sighting is older than %d days, and our own look did not confirm it: %s", int(s.MaxAge.Hours()/24), c.Track.Detail))
	}
	if l.Kind == takedown.NoticeReminder && !slices.ContainsFunc(earlier, func(e takedown.EarlierNotice) bool { return e.Recipient == contact.Address }) {
		// Nothing is known to have reached this desk: the first notice's outcome
		// is unknown, or it went to another address. There is nothing to recall.
		l.Kind = takedown.NoticeFirst
	}
	if l.Kind == takedown.NoticeFirst && len(earlier) > 0 {
		l.Kind = takedown.NoticeEscalation // others were told before; say so, with proof
	}
	req := s.request(c, l, contact, now, subs, earlier)
	draft, err := s.Renderer.Render(req)
	if takedown.KindOf(err) == takedown.KindDenied {
		return hold(c, l, now, err.Error())
	}
	if err != nil {
		return fmt.Errorf("render the %s notice of leg %d: %w", l.Kind, l.ID, err)
	}
	if s.Review != nil && l.ApprovedBy == "" {
		if why := s.Review(draft, contact); why != "" {
			return hold(c, l, now, why)
		}
	}
	n, err := s.Sealer.Seal(req, c, l, l.Seq+1, draft)
	if err != nil {
		return fmt.Errorf("seal notice %d of leg %d: %w", l.Seq+1, l.ID, err)
	}
	if err := l.Move(takedown.LegComposed, "", now); err != nil {
		return err
	}
	l.Seq, l.Attempts = n.Seq, 0
	w.Notices = append(w.Notices, &n)
	c.Record(now, takedown.EventNoticeSealed, "compose", map[string]any{
		"leg": l.ID, "seq": n.Seq, "kind": n.Kind, "role": l.Party.Role, "recipient": n.Recipient, "message_id": n.MessageID,
		"sha256": n.SHA256.String(), "pack": draft.Pack, "pack_version": draft.PackVersion, "regime": draft.Regime, "languages": draft.Languages,
	})
	return nil
}

// hold leaves a leg to a person.
func hold(c *takedown.Case, l *takedown.Leg, now time.Time, why string) error {
	if err := l.Move(takedown.LegHeld, why, time.Time{}); err != nil {
		return err
	}
	c.Record(now, takedown.EventLegHeld, "compose", legData(l))
	return nil
}

// stale reports whether nobody has seen the target lately: neither a source nor
// we ourselves.
func (s *Compose) stale(c *takedown.Case, subs []takedown.Submission, now time.Time) bool {
	if s.MaxAge <= 0 || c.Track.Verdict == takedown.VerdictUp {
		return false
	}
	for _, sub := range subs {
		if now.Sub(sub.SeenAt) <= s.MaxAge {
			return false
		}
	}
	return true
}

func (s *Compose) request(c *takedown.Case, l *takedown.Leg, to takedown.Contact, now time.Time, subs []takedown.Submission, earlier []takedown.EarlierNotice) takedown.NoticeRequest {
	req := takedown.NoticeRequest{
		Kind: l.Kind, Reference: c.Reference(), ReportID: reportID(s.Salt, l.ID, l.Seq+1), Indicator: c.Indicator, Class: c.Class, Role: l.Party.Role, Party: l.Party,
		Recipient: to, Sender: s.Sender, Addresses: c.Track.Addresses, FirstSeenAt: c.FirstSeenAt, CheckedAt: c.Track.UpAt, Earlier: earlier, Now: now,
	}
	if !c.Track.UpAt.IsZero() && c.Track.Verdict == takedown.VerdictUp {
		req.Observation = c.Track.Detail
	}
	if len(req.Addresses) == 0 {
		if a, ok := c.Indicator.Addr(); ok {
			req.Addresses = []string{a.String()}
		}
	}
	seen := make(map[string]bool)
	for _, sub := range subs {
		if d := sub.Description; d != "" && !seen[d] && len(req.Descriptions) < 5 {
			seen[d] = true
			req.Descriptions = append(req.Descriptions, d)
		}
		for _, r := range sub.References {
			if !seen[r] && len(req.References) < 10 {
				seen[r] = true
				req.References = append(req.References, r)
			}
		}
		req.Evidence = append(req.Evidence, sub.Evidence...)
	}
	if l.Kind == takedown.NoticeWithdrawal {
		req.ReportID = "" // there is nothing to report
	}
	if s.PublicURL != "" {
		req.VerifyURL = s.PublicURL + "/verify"
	}
	return req
}

// unreachable ends a leg that has no contact left, and starts the next rung.
func unreachable(c *takedown.Case, l *takedown.Leg, now time.Time, actor, reason string) error {
	if err := l.Move(takedown.LegUnreachable, reason, time.Time{}); err != nil {
		return err
	}
	c.Record(now, takedown.EventLegUnreachable, actor, legData(l))
	advance(c, now)
	return nil
}
