package pgserver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// install writes programs that answer like those of the version.
func install(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindNewest(t *testing.T) {
	empty, broken := t.TempDir(), install(t, "nothing")
	nine, fifteen, beta := install(t, "9.6.24"), install(t, "15.18 (Debian 15.18-0+deb12u1)"), install(t, "18beta1")
	for _, tt := range []struct {
		name  string
		major int
		dirs  []string
		want  Binaries
	}{
		{"newest", 0, []string{nine, empty, broken, beta, fifteen}, Binaries{beta, "18beta1", 18}},
		{"15.18 beats 9.6", 0, []string{fifteen, nine}, Binaries{fifteen, "15.18", 15}},
		{"by major", 9, []string{fifteen, nine}, Binaries{nine, "9.6.24", 9}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := find(tt.major, tt.dirs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("find (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindByEnvironment(t *testing.T) {
	dir := install(t, "14.2")
	t.Setenv(BinEnv, dir)
	got, err := Find()
	if err != nil || got.Dir != dir {
		t.Errorf("Find() = %v, %v; want the directory of %s", got, err, BinEnv)
	}
}

func TestFindMissing(t *testing.T) {
	dir := t.TempDir()
	_, err := Find(dir)
	var missing *NotFoundError
	if !errors.As(err, &missing) {
		t.Fatalf("Find: %v, want a *NotFoundError", err)
	}
	for _, want := range []string{dir, missing.Install, BinEnv, "database.url"} {
		if want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
}

func TestFindBroken(t *testing.T) {
	if _, err := Find(install(t, "nothing")); err == nil || !strings.Contains(err.Error(), "cannot read") {
		t.Errorf("Find: %v, want an error about the version", err)
	}
}

func TestInstallCommand(t *testing.T) {
	for _, tt := range []struct {
		goos, release string
		major         int
		want          string
	}{
		{"linux", "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n", 0, "apt-get install postgresql"},
		{"linux", "ID=debian\n", 15, "apt-get install postgresql-15"},
		{"linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", 0, "apt-get install postgresql"},
		{"linux", "ID=fedora\n", 0, "dnf install postgresql-server"},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", 0, "dnf install postgresql-server"},
		{"linux", "ID=alpine\n", 16, "apk add postgresql16"},
		{"linux", "ID=alpine\n", 0, "apk add postgresql"},
		{"linux", "ID=arch\n", 0, "pacman -S postgresql"},
		{"linux", "ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n", 0, "zypper install postgresql-server"},
		{"linux", "", 0, "the package manager of this system, package postgresql"},
		{"darwin", "", 0, "brew install postgresql"},
		{"darwin", "", 16, "brew install postgresql@16"},
	} {
		if got := installCommand(tt.goos, tt.release, tt.major); got != tt.want {
			t.Errorf("installCommand(%q, %q, %d) = %q, want %q", tt.goos, tt.release, tt.major, got, tt.want)
		}
	}
}
