package pgserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// InUseError says that another living process owns the directory.
type InUseError struct {
	Dir string
	PID int // of the owner; 0 if it has not written it yet
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("pgserver: %s is in use by pid %d: stop that process, or choose another directory", e.Dir, e.PID)
}

// lock takes the directory for this process. Closing the file frees it, as does
// the end of the process. Go opens files close-on-exec, so that the postmaster
// does not keep the lock alive.
func (c *cluster) lock() (*os.File, error) {
	f, err := c.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgserver: open lock in %s: %w", c.dir, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		text, _ := io.ReadAll(io.LimitReader(f, 32)) // for the message only
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, errors.Join(&InUseError{Dir: c.dir, PID: pid}, f.Close())
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err == nil {
		err = c.owner.give(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pgserver: lock %s: %w", c.dir, err), f.Close())
	}
	return f, nil
}
