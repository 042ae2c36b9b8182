package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// postmasterPID returns the pid in the cluster's postmaster.pid, or 0 if there is
// none to be read.
func (c *cluster) postmasterPID() (int, error) {
	text, err := c.root.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("pgserver: read %s: %w", filepath.Join(c.dir, pidFile), err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 0 {
		return 0, nil // half written when the machine went down
	}
	return pid, nil
}

// runs tells whether pid is a living postmaster of this cluster. That the pid
// exists proves nothing: after a restart of a container the same small number
// often belongs to somebody else. A postmaster's working directory is its data
// directory.
func (c *cluster) runs(pid int) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	if runtime.GOOS == "linux" {
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)) // fails for a zombie
		return err == nil && cwd == c.path(dataDir)
	}
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), c.path(dataDir))
}

// clearStale prepares for a start after a postmaster that did not clean up. It
// may be called only when none runs.
//
// PostgreSQL refuses to start if the number in the pid file is in use again, by
// a foreign process or a zombie. The number is therefore replaced by that of
// this process: PostgreSQL takes the pid of its own parent for stale
// (CreateLockFile in miscinit.c). The file is not removed, because its
// shared-memory line is what keeps a second server off while orphaned backends
// still write. The lock beside the socket has no such task.
func (c *cluster) clearStale() error {
	if err := c.removeSocketLock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pgserver: remove stale lock of the socket: %w", err)
	}
	text, err := c.root.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pgserver: read stale pid file: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	f, err := c.root.OpenFile(pidFile, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("pgserver: rewrite stale pid file: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n" + rest)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("pgserver: rewrite stale pid file: %w", err)
	}
	return nil
}

func (c *cluster) removeSocketLock() error {
	const name = socketName + ".lock"
	if c.sockDir == c.path(runDir) {
		return c.root.Remove(filepath.Join(runDir, name))
	}
	return os.Remove(filepath.Join(c.sockDir, name))
}
