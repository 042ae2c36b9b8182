package bench

import (
	"context"
	"fmt"

	"desist/internal/simnet"
	"desist/notifiers/email"
	"desist/takedown"
)

// SMTP is how fast our own client hands mails to the sink.
type SMTP struct {
	Rate
	Connections int `json:"connections"`
	MailBytes   int `json:"mail_bytes"` // on average
}

func (r *rig) smtp(ctx context.Context) (*SMTP, error) {
	notices, bytes, err := r.samples()
	if err != nil {
		return nil, err
	}
	world, err := simnet.Tiny()
	if err != nil {
		return nil, err
	}
	s := &SMTP{Connections: r.o.Connections, MailBytes: bytes}
	err = r.withNet(ctx, world, func(net *simnet.Net) error {
		client, err := email.New(email.Config{Relay: net.SMTPAddr(), TLS: email.TLSNone, Connections: r.o.Connections, Logger: r.o.Logger})
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // only says goodbye
		return profiled(r.o.Profile, func() error {
			w := newWatch(noDatabase)
			each, err := r.parallel(ctx, "smtp", r.o.N, r.o.Connections, func(ctx context.Context, i int) error {
				if d := client.Send(ctx, notices[i%len(notices)]); d.Outcome != takedown.OutcomeAccepted {
					return takedown.Temporary(fmt.Errorf("the sink did not accept a mail: %s: %s", d.Outcome, d.Reply))
				}
				return nil
			})
			if err != nil {
				return err
			}
			s.Rate = w.stop(r.o.N, "mail", each)
			return nil
		})
	})
	return s, err
}
