package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BinEnv names the environment variable that overrides the search for the
// PostgreSQL binaries with one directory.
const BinEnv = "DESIST_PG_BIN"

// Binaries is one installation of PostgreSQL.
type Binaries struct {
	Dir     string // holds initdb, postgres and pg_ctl
	Version string // as the server prints it, such as "15.18"
	Major   int    // a cluster belongs to one major version
}

// NotFoundError says that no usable installation of PostgreSQL was found, and
// which package brings one.
type NotFoundError struct {
	Looked  []string // directories without the binaries
	Major   int      // the major version needed, or 0 for any
	Install string   // the command that installs PostgreSQL on this system
}

func (e *NotFoundError) Error() string {
	what := "PostgreSQL"
	if e.Major != 0 {
		what = fmt.Sprintf("PostgreSQL %d, which made the existing cluster,", e.Major)
	}
	return fmt.Sprintf("pgserver: %s is not installed (no initdb, postgres and pg_ctl in %s): install it with %q, or name its bin directory in %s, or set database.url to a running server",
		what, strings.Join(e.Looked, ", "), e.Install, BinEnv)
}

// places are where systems put PostgreSQL, as globs: Debian and Ubuntu, the
// PGDG packages for Red Hat, Fedora and Arch, Alpine, Homebrew, from source.
var places = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/usr/local/pgsql/bin",
	"/usr/local/bin",
	"/usr/bin",
}

// Find returns the newest PostgreSQL among dirs if any are given; else the one
// in the directory that DESIST_PG_BIN names; else the newest among the places
// where systems install it and the one that pg_config on the PATH names. The
// error is a *NotFoundError if there is none.
func Find(dirs ...string) (Binaries, error) {
	return find(0, dirs)
}

// find is Find for one major version; 0 is any.
func find(major int, dirs []string) (Binaries, error) {
	looked := searchDirs(dirs)
	var found []Binaries
	var broken []error
	for _, dir := range looked {
		b, err := inspect(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			broken = append(broken, err) // matters only if no other works
			continue
		}
		if major == 0 || b.Major == major {
			found = append(found, b)
		}
	}
	if len(found) == 0 && len(broken) > 0 {
		return Binaries{}, errors.Join(broken...)
	}
	if len(found) == 0 {
		release, _ := os.ReadFile("/etc/os-release") // missing: a general answer
		return Binaries{}, &NotFoundError{Looked: looked, Major: major, Install: installCommand(runtime.GOOS, string(release), major)}
	}
	return slices.MaxFunc(found, func(a, b Binaries) int { return compareVersions(a.Version, b.Version) }), nil
}

func searchDirs(dirs []string) []string {
	if len(dirs) > 0 {
		return dirs
	}
	if dir := os.Getenv(BinEnv); dir != "" {
		return []string{dir}
	}
	var all []string
	for _, glob := range places {
		matches, _ := filepath.Glob(glob) // the patterns are constant and valid
		all = append(all, matches...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		if dir := strings.TrimSpace(string(out)); !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return all
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

func inspect(dir string) (Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, fmt.Errorf("pgserver: directory of the binaries: %w", err)
	}
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return Binaries{}, fmt.Errorf("pgserver: look for %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	postgres := filepath.Join(dir, "postgres")
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("pgserver: ask %s for its version: %w", postgres, err)
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return Binaries{}, fmt.Errorf("pgserver: ask %s for its version: cannot read %q", postgres, out)
	}
	major, err := strconv.Atoi(string(m[2]))
	if err != nil {
		return Binaries{}, fmt.Errorf("pgserver: ask %s for its version: %w", postgres, err)
	}
	return Binaries{Dir: dir, Version: string(m[1]), Major: major}, nil
}

func (b Binaries) path(name string) string { return filepath.Join(b.Dir, name) }

// compareVersions orders "9.6.24" < "15.9" < "15.18". A part that is not a
// number, as in "18beta1", counts by its leading digits.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		return cmp.Compare(leadingNumber(x), leadingNumber(y))
	})
}

func leadingNumber(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		s = s[:end]
	}
	n, _ := strconv.Atoi(s) // empty counts as 0
	return n
}

// installCommand returns the command that installs PostgreSQL on the system
// that goos and the text of os-release(5) describe.
func installCommand(goos, release string, major int) string {
	version := ""
	if major != 0 {
		version = strconv.Itoa(major)
	}
	dashed := func(name string) string {
		if version == "" {
			return name
		}
		return name + "-" + version
	}
	if goos == "darwin" {
		if version == "" {
			return "brew install postgresql"
		}
		return "brew install postgresql@" + version
	}
	for _, id := range releaseIDs(release) {
		switch id {
		case "debian", "ubuntu":
			return "apt-get install " + dashed("postgresql")
		case "fedora", "rhel", "centos":
			if version != "" {
				return "dnf install postgresql" + version + "-server"
			}
			return "dnf install postgresql-server"
		case "alpine":
			return "apk add postgresql" + version
		case "arch":
			return "pacman -S postgresql"
		case "suse", "opensuse":
			return "zypper install postgresql" + version + "-server"
		}
	}
	return "the package manager of this system, package " + dashed("postgresql")
}

// releaseIDs returns ID and then ID_LIKE of os-release(5), nearest first.
func releaseIDs(release string) []string {
	var id, like []string
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			id = strings.Fields(value)
		case "ID_LIKE":
			like = strings.Fields(value)
		}
	}
	return append(id, like...)
}
