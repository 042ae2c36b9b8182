package app

import (
	"context"
	"time"

	"desist/inbox"
	"desist/pipeline"
)

// recoverEvery is how often replies are looked for that a crash left between
// storing and acting, or that came before the outcome of what they answer.
const recoverEvery = time.Second

// hear listens for what comes back, if an address is configured.
func (a *App) hear(context.Context) error {
	h := &pipeline.Hear{Replies: a.db.Store, Actions: a.actions, Logger: a.log}
	a.goRun(func() { pipeline.Pump(a.soft, a.log, "taking in replies", recoverEvery, nil, h.Recover) })
	if a.cfg.Inbox.LMTP == "" {
		return nil
	}
	l, err := inbox.Listen(inbox.Config{
		Address: a.cfg.Inbox.LMTP, Domain: a.parts.tokens.Domain(), Sink: h, Verifier: a.parts.tokens, Logger: a.log, Now: a.clock.Now,
	})
	if err != nil {
		return err
	}
	a.inbox = l
	a.onClose("inbox", func(context.Context) error { return l.Close() })
	return nil
}

// InboxAddr returns where replies arrive, or nothing if nobody listens.
func (a *App) InboxAddr() string {
	if a.inbox == nil {
		return ""
	}
	return a.inbox.Addr().String()
}
