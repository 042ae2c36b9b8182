package app

import (
	"context"
	"fmt"
	"time"

	"desist/notifiers/email"
	"desist/notifiers/xarf"
	"desist/pipeline"
	"desist/takedown"
)

// parts are what the stages are made of.
type parts struct {
	stages []pipeline.Stage
	tokens *email.Tokens
}

// reportSalt names the secret that makes the identifiers of our reports ours.
const reportSalt = "report_salt"

func (a *App) newParts(ctx context.Context, o Options) (*parts, error) {
	cfg, clock, store := a.cfg, a.clock, a.db.Store
	servers, err := dnsServers(cfg)
	if err != nil {
		return nil, err
	}
	library, err := NewLibrary(cfg, a.log)
	if err != nil {
		return nil, err
	}
	rules, err := newPolicy(cfg, clock)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(ctx, store, cfg, clock)
	if err != nil {
		return nil, err
	}
	salt, err := store.Secret(ctx, reportSalt)
	if err != nil {
		return nil, err
	}
	net, err := newNetwork(cfg, o.Dial, clock, a.log)
	if err != nil {
		return nil, err
	}
	a.onClose("resolver", func(context.Context) error { net.close(); return nil })
	resolver := o.Resolver
	if resolver == nil {
		resolver = net.resolver
	}
	notifier := o.Notifier
	if notifier == nil {
		n, closeNotifier, err := newNotifier(cfg, net.guard, net.lookupMX, clock, a.log)
		if err != nil {
			return nil, err
		}
		a.onClose("notifier", func(context.Context) error { return closeNotifier() })
		notifier = n
	}
	watch, err := newTracker(cfg, net.guard, servers, clock)
	if err != nil {
		return nil, err
	}
	steps := ladder(cfg)
	publicURL := cfg.PublicURL
	return &parts{tokens: sealer.Tokens(), stages: []pipeline.Stage{
		&pipeline.Screen{Policy: screener{rules}, Store: store},
		&pipeline.Resolve{Resolver: resolver, Concurrency: cfg.Resolve.Concurrency, Timeout: cfg.Resolve.Timeout},
		&pipeline.Plan{Ladder: steps, LookFirst: cfg.Track.LookFirst, FirstCheck: cfg.Track.First},
		&pipeline.Compose{
			Store: store, Renderer: library, Sealer: sealing{sealer}, Sender: sender(cfg), PublicURL: publicURL, ManualAfter: cfg.Ladder.ManualAfter, Salt: salt,
			MaxAge: cfg.Policy.MaxAge, Review: review(cfg),
		},
		&pipeline.Deliver{
			Store: store, Notifier: notifier, Ladder: steps, Now: clock.Now, Connections: cfg.SMTP.Connections, Lease: clock.Real(cfg.Deliver.Lease),
			Retry: cfg.Deliver.Retry.First, RetryMax: cfg.Deliver.Retry.Max, GiveUp: cfg.Deliver.Retry.GiveUp, SweepAfter: clock.Real(cfg.Pipeline.SweepAfter),
		},
		&pipeline.Track{
			Tracker: tracker{watch}, Ladder: steps, Concurrency: cfg.Track.Concurrency, Timeout: time.Minute, Rounds: cfg.Track.ConfirmRounds,
			Watch: cfg.Track.Watch, GiveUp: cfg.Track.GiveUp, Next: schedule(cfg),
		},
	}}, nil
}

// NewSealing returns what the compose stage seals with.
func NewSealing(s *email.Sealer) pipeline.Sealer { return sealing{s} }

// sealing puts the machine-readable report beside the text and seals both.
type sealing struct{ sealer *email.Sealer }

func (s sealing) Seal(req takedown.NoticeRequest, c *takedown.Case, l *takedown.Leg, seq int, d takedown.Draft) (takedown.Notice, error) {
	var attachments []takedown.Attachment
	if req.ReportID != "" {
		report, err := xarf.Build(req, s.sealer.Tokens().Domain())
		if err != nil {
			return takedown.Notice{}, fmt.Errorf("report: %w", err)
		}
		attachments = append(attachments, report)
	}
	in := email.SealInput{
		CaseID: c.ID, LegID: l.ID, Seq: seq, Kind: l.Kind, Draft: d, Recipient: req.Recipient, Reference: req.Reference,
		Attachments: attachments, Ticket: l.Ticket, At: req.Now,
	}
	for earlier := 1; earlier < seq; earlier++ { // one thread for what one desk is told
		id := s.sealer.Tokens().MessageID(c.ID, l.ID, earlier)
		in.References, in.InReplyTo = append(in.References, id), id
	}
	return s.sealer.Seal(in)
}
