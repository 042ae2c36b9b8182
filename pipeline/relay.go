package pipeline

import (
	"context"
	"log/slog"
	"time"
)

// Pump calls step again and again until ctx ends: at once while there is work,
// and after idle, or when wake says so, when there is none. A failed step is
// logged and tried again after a second.
func Pump(ctx context.Context, log *slog.Logger, name string, idle time.Duration, wake <-chan struct{}, step func(context.Context) (n int, err error)) {
	for ctx.Err() == nil {
		n, err := step(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn("a loop failed; trying again", "loop", name, "err", err)
			pause(ctx, time.Second)
			continue
		}
		if n > 0 {
			continue
		}
		t := time.NewTimer(idle)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-t.C:
		}
		t.Stop()
	}
}
