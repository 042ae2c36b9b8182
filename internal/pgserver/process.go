package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A process is a postmaster, our child or adopted.
type process struct {
	pid    int
	handle *os.Process
	done   chan struct{} // closed when the postmaster has ended
	// cancel ends the watching of an adopted process.
	cancel context.CancelFunc
	joined chan struct{} // closed when the watching goroutine has ended
}

// watchChild reaps a child.
func watchChild(cmd *exec.Cmd) *process {
	p := &process{pid: cmd.Process.Pid, handle: cmd.Process, done: make(chan struct{}), joined: make(chan struct{}), cancel: func() {}}
	go func() {
		defer close(p.joined)
		_ = cmd.Wait() // the log says why it ended
		close(p.done)
	}()
	return p
}

// adopt watches a postmaster that is not our child.
func adopt(c *cluster, pid int) (*process, error) {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("pgserver: take over pid %d: %w", pid, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{pid: pid, handle: handle, done: make(chan struct{}), joined: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(p.joined)
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for c.runs(pid) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		close(p.done)
	}()
	return p, nil
}

// release leaves an adopted process alone.
func (p *process) release() {
	p.cancel()
	<-p.joined
	_ = p.handle.Release() // frees the descriptor, cannot fail in a way that matters
}

// stop is Server.Stop for the process.
func (p *process) stop(ctx context.Context) error {
	if err := p.signal(syscall.SIGINT); err != nil {
		return err
	}
	fast, cancel := beforeEnd(ctx)
	defer cancel()
	select {
	case <-p.done:
		p.cancel()
		<-p.joined
		return nil
	case <-fast.Done():
	}
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	timer := time.NewTimer(quitTime)
	defer timer.Stop()
	select {
	case <-p.done:
		p.cancel()
		<-p.joined
		return nil
	case <-timer.C:
		return fmt.Errorf("pgserver: PostgreSQL (pid %d) does not end, neither by SIGINT nor by SIGQUIT", p.pid)
	}
}

func (p *process) signal(sig os.Signal) error {
	if err := p.handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgserver: send %s to PostgreSQL (pid %d): %w", sig, p.pid, err)
	}
	return nil
}

// beforeEnd returns a context that ends before ctx by a quarter of the time
// left, two seconds at most.
func beforeEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin := min(time.Until(deadline)/4, 2*time.Second)
	return context.WithDeadline(ctx, deadline.Add(-margin))
}
