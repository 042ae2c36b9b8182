package cli

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"desist/internal/postgres/postgrestest"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts and golden files")

const program = "desist"

// TestMain lets the test binary be the program itself: the scripts run it by
// that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(Main())
	}
	postgrestest.Main(m)
}

// params returns the parameters that all scripts share.
func params(t *testing.T, files []string, databaseURL string) testscript.Params {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Files:         files,
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("DESIST_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			if databaseURL != "" {
				env.Setenv("DESIST_DATABASE_URL", databaseURL)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "seed": seed},
	}
}

// exits CODE COMMAND... runs a command that must end with the given code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scripts(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", folder, err)
	}
	return files
}

// The scripts in testdata/script need no database.
func TestScripts(t *testing.T) {
	testscript.Run(t, params(t, scripts(t, "script"), ""))
}

// Each script in testdata/database has a new, empty database of its own.
func TestDatabaseScripts(t *testing.T) {
	for _, file := range scripts(t, "database") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			testscript.Run(t, params(t, []string{file}, postgrestest.URL(t)))
		})
	}
}
