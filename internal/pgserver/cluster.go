package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// Names inside the directory of a cluster.
const (
	lockFile    = "lock"
	dataDir     = "data"
	newDataDir  = "data.new" // initdb works here; renamed when complete
	runDir      = "run"
	logDir      = "log"
	logFile     = "log/postgres.log"
	oldLogFile  = "log/postgres.log.1"
	pidFile     = "data/postmaster.pid"
	optsFile    = "data/postmaster.opts"
	versionFile = "data/PG_VERSION"
)

const (
	superuser  = "desist"
	port       = "5432" // only names the socket; there is no TCP
	socketName = ".s.PGSQL." + port
)

// A cluster is the directory of one server. All files inside are reached
// through root, so that links planted by the unprivileged owner cannot lead a
// root parent elsewhere.
type cluster struct {
	dir     string // absolute, without symbolic links
	root    *os.Root
	owner   owner
	sockDir string
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// openCluster creates the directory if need be and gives it to its owner.
func openCluster(dir string) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("pgserver: directory: %w", err)
	}
	own, err := ownerOf(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("pgserver: create directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("pgserver: create directory: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("pgserver: directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("pgserver: open directory: %w", err)
	}
	c := &cluster{dir: dir, root: root, owner: own}
	if err := c.claim(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return c, nil
}

// claim refuses a directory with somebody else's files, then closes it to all
// but its owner.
func (c *cluster) claim() error {
	names, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("pgserver: read directory %s: %w", c.dir, err)
	}
	if len(names) > 0 {
		if _, err := c.root.Lstat(lockFile); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pgserver: %s is not empty (%s) and holds no private server: choose an empty or new directory", c.dir, names[0].Name())
		}
	}
	self, err := c.root.Open(".")
	if err != nil {
		return fmt.Errorf("pgserver: open directory %s: %w", c.dir, err)
	}
	if err := errors.Join(c.owner.give(self), self.Chmod(0o700), self.Close()); err != nil {
		return fmt.Errorf("pgserver: take directory %s for %s: %w", c.dir, c.owner, err)
	}
	return nil
}

// layOut makes the directories for log and socket.
func (c *cluster) layOut() error {
	for _, name := range []string{runDir, logDir} {
		if err := c.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("pgserver: create %s: %w", c.path(name), err)
		}
		if c.owner.drop {
			if err := c.root.Lchown(name, int(c.owner.uid), int(c.owner.gid)); err != nil {
				return fmt.Errorf("pgserver: give %s to %s: %w", c.path(name), c.owner, err)
			}
		}
	}
	var err error
	c.sockDir, err = c.socketDir(os.TempDir())
	return err
}

// socketDir returns run/, or a private directory under temp where the socket's
// path would be too long for the kernel.
func (c *cluster) socketDir(temp string) (string, error) {
	limit := 107 // sun_path of Linux, less the terminating NUL
	if runtime.GOOS != "linux" {
		limit = 103 // of macOS and the BSDs
	}
	fits := func(dir string) bool { return len(filepath.Join(dir, socketName)) <= limit }
	dir := c.path(runDir)
	if fits(dir) {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(c.dir))
	dir = filepath.Join(temp, "desist-pg-"+hex.EncodeToString(sum[:6]))
	if !fits(dir) {
		return "", fmt.Errorf("pgserver: the path of the socket may have %d bytes, and both %s and %s lead to a longer one: choose a shorter directory", limit, c.dir, temp)
	}
	if err := os.Mkdir(dir, 0o700); err == nil {
		if c.owner.drop {
			if err := os.Lchown(dir, int(c.owner.uid), int(c.owner.gid)); err != nil {
				return "", fmt.Errorf("pgserver: give socket directory to %s: %w", c.owner, err)
			}
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("pgserver: create socket directory: %w", err)
	}
	// The name can be guessed and temp is open to all: trust only what is ours.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("pgserver: socket directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || st.Uid != c.owner.uid {
		return "", fmt.Errorf("pgserver: %s exists but is not a private directory of %s: remove it, or choose a shorter directory than %s", dir, c.owner, c.dir)
	}
	return dir, nil
}

// major returns the major version that made the cluster, or 0 if there is none.
func (c *cluster) major() (int, error) {
	text, err := c.root.ReadFile(versionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("pgserver: read version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("pgserver: read version of the cluster: %w", err)
	}
	return major, nil
}

// initialise makes the cluster. What an interrupted attempt left is thrown
// away: data/ exists only when initdb has finished and synced it.
func (c *cluster) initialise(ctx context.Context, bin Binaries, settings map[string]string) error {
	if err := c.root.RemoveAll(newDataDir); err != nil {
		return fmt.Errorf("pgserver: remove unfinished cluster: %w", err)
	}
	args := []string{
		"--pgdata=" + c.path(newDataDir),
		"--username=" + superuser,
		"--auth-local=trust", "--auth-host=reject",
		"--encoding=UTF8", "--locale=C", // the same order everywhere, whatever the system's libc
		"--data-checksums",
	}
	if settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
	cmd.Dir = c.dir
	c.owner.run(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: initdb in %s as %s: %w: %s", c.dir, c.owner, errors.Join(err, ctx.Err()), tail(out))
	}
	if err := c.root.Rename(newDataDir, dataDir); err != nil {
		return fmt.Errorf("pgserver: finish cluster: %w", err)
	}
	self, err := c.root.Open(".")
	if err != nil {
		return fmt.Errorf("pgserver: finish cluster: %w", err)
	}
	if err := errors.Join(self.Sync(), self.Close()); err != nil {
		return fmt.Errorf("pgserver: finish cluster: sync %s: %w", c.dir, err)
	}
	return nil
}

// openLog starts a new log and keeps the one before it.
func (c *cluster) openLog() (*os.File, error) {
	if err := c.root.Rename(logFile, oldLogFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pgserver: rotate log: %w", err)
	}
	f, err := c.root.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgserver: open log: %w", err)
	}
	if err := c.owner.give(f); err != nil {
		return nil, errors.Join(fmt.Errorf("pgserver: open log: %w", err), f.Close())
	}
	return f, nil
}

// logTail returns the end of the server's log, for error messages.
func (c *cluster) logTail() string {
	f, err := c.root.Open(logFile)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	buf := make([]byte, min(info.Size(), maxTail))
	n, _ := f.ReadAt(buf, info.Size()-int64(len(buf))) // a log that shrinks meanwhile gives less
	return tail(buf[:n])
}

// maxTail bounds how much of a log goes into an error, in bytes.
const maxTail = 2048

func tail(out []byte) string {
	if len(out) > maxTail {
		out = out[len(out)-maxTail:]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(out), "?"))
}
