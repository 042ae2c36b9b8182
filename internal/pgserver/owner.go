package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// An owner is the user that PostgreSQL runs as.
type owner struct {
	uid, gid uint32
	// drop is true where this process is root and must become the owner.
	drop bool
}

// ownerOf returns who is to own the cluster in dir, which need not exist.
func ownerOf(dir string) (owner, error) {
	if euid := os.Geteuid(); euid != 0 {
		return owner{uid: uint32(euid), gid: uint32(os.Getegid())}, nil
	}
	if info, err := os.Stat(dir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return owner{uid: st.Uid, gid: st.Gid, drop: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return owner{uid: uint32(uid), gid: uint32(gid), drop: true}, nil
		}
	}
	return owner{}, errors.New("pgserver: PostgreSQL refuses to run as root, and this system has neither a user postgres nor a user nobody: start as another user")
}

func (o owner) String() string {
	if u, err := user.LookupId(strconv.FormatUint(uint64(o.uid), 10)); err == nil {
		return u.Username
	}
	return "uid " + strconv.FormatUint(uint64(o.uid), 10)
}

// give makes o the owner of an open file.
func (o owner) give(f *os.File) error {
	if !o.drop {
		return nil
	}
	return f.Chown(int(o.uid), int(o.gid))
}

// run makes cmd run as the owner, in its own process group, so that a Ctrl-C in
// the terminal reaches the parent only and the parent decides the order of
// stopping. PG* variables of the environment must not steer the server.
func (o owner) run(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PG") && !strings.HasPrefix(kv, "LC_") && !strings.HasPrefix(kv, "LANG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
}

// canEnter proves that the owner can reach dir and run the binaries, and names
// the directory that keeps it out. It asks the kernel by running a program there
// as the owner, because mode bits alone do not tell (ACLs, mount options).
func (o owner) canEnter(bin Binaries, dir string) error {
	if !o.drop {
		return nil
	}
	for _, try := range []struct{ cwd, need string }{{"/", bin.Dir}, {dir, dir}} {
		cmd := exec.Command(bin.path("postgres"), "--version")
		cmd.Dir = try.cwd
		o.run(cmd)
		err := cmd.Run()
		if err == nil {
			continue
		}
		if closed := o.closedParent(try.need); closed != "" {
			return fmt.Errorf("pgserver: PostgreSQL refuses to run as root and would run as %s, who cannot enter %s on the way to %s: choose a directory elsewhere, or \"chmod a+x %s\": %w",
				o, closed, try.need, closed, err)
		}
		return fmt.Errorf("pgserver: PostgreSQL refuses to run as root and would run as %s, who cannot use %s: %w", o, try.need, err)
	}
	return nil
}

// closedParent returns the topmost directory on the way to dir, dir included,
// whose mode bits keep the owner out, or "".
func (o owner) closedParent(dir string) string {
	closed := ""
	for {
		if info, err := os.Stat(dir); err == nil && !o.mayTraverse(info) {
			closed = dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return closed
		}
		dir = parent
	}
}

func (o owner) mayTraverse(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case st.Uid == o.uid:
		return info.Mode()&0o100 != 0
	case st.Gid == o.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}
