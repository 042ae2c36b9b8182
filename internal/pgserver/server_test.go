package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// parentEnv makes the test binary start a server in the directory it names,
// print the postmaster's pid, and wait to be killed.
const parentEnv = "DESIST_PGSERVER_TEST_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentEnv); dir != "" {
		if err := beParent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func beParent(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Start(ctx, Config{Dir: dir, Settings: ForTests()})
	if err != nil {
		return err
	}
	fmt.Println(s.proc.pid)
	_, err = os.Stdin.Read(make([]byte, 1)) // until killed
	return err
}

// killedParent runs a parent on dir until its server is ready, calls while,
// kills the parent with SIGKILL and returns the pid of the orphaned postmaster.
func killedParent(t *testing.T, dir string, while func()) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err == nil && while != nil {
		while()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		t.Fatalf("parent printed %q: %v, %v", line, err, readErr)
	}
	return pid
}

// needBinaries skips where PostgreSQL is missing, and fails there under CI.
func needBinaries(t *testing.T) Binaries {
	t.Helper()
	b, err := Find()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("This test needs PostgreSQL: %v", err)
	}
	return b
}

// openDir returns a temporary directory that other users may enter; that of
// t.TempDir is closed to the user that PostgreSQL runs as under root.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, dir string, settings map[string]string) *Server {
	t.Helper()
	s, err := Start(testContext(t), Config{Dir: dir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(testContext(t)); err != nil {
		t.Error(err)
	}
}

func run(t *testing.T, s *Server, sql string) {
	t.Helper()
	if err := query(testContext(t), s.SocketDir(), "desist", sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// mustHold fails unless the SQL condition is true; a false one divides by zero.
func mustHold(t *testing.T, s *Server, condition string) {
	t.Helper()
	run(t, s, "SELECT 1/(CASE WHEN "+condition+" THEN 1 ELSE 0 END)")
}

func TestStartStopRestart(t *testing.T) {
	bin := needBinaries(t)
	dir := filepath.Join(openDir(t), "pg")
	s := start(t, dir, map[string]string{"fsync": "off", "work_mem": "5MB"})

	if s.Version() != bin.Version {
		t.Errorf("Version() = %q, want %q", s.Version(), bin.Version)
	}
	u, err := url.Parse(s.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	if u.Path != "/desist" || u.Query().Get("host") != filepath.Join(dir, "run") || u.Query().Get("user") != "desist" {
		t.Errorf("URL = %s", u)
	}
	mustHold(t, s, "current_setting('work_mem') = '5MB'")
	mustHold(t, s, "current_setting('data_checksums') = 'on'")
	mustHold(t, s, "current_setting('listen_addresses') = ''")
	mustHold(t, s, "current_setting('server_encoding') = 'UTF8'")
	mustHold(t, s, "current_setting('synchronous_commit') = 'on'")
	for _, d := range []string{dir, s.SocketDir()} {
		info, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("mode of %s is %o, want 0700", d, info.Mode().Perm())
		}
	}
	if err := s.CreateDatabase(testContext(t), `odd "name"`); err != nil {
		t.Error(err)
	}
	run(t, s, "CREATE TABLE kept AS SELECT 7 AS n")
	stop(t, s)
	stop(t, s) // again: no error
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Stop")
	}

	s = start(t, dir, ForTests())
	mustHold(t, s, "(SELECT n FROM kept) = 7")
}

func TestPsql(t *testing.T) {
	bin := needBinaries(t)
	psql := filepath.Join(bin.Dir, "psql")
	if _, err := os.Stat(psql); err != nil {
		t.Skipf("This test needs psql: %v", err)
	}
	s := start(t, filepath.Join(openDir(t), "pg"), ForTests())
	cmd := exec.Command(psql, "--no-psqlrc", "-At", "-c", "SELECT current_database()", s.URL("desist"))
	cmd.Env = append(os.Environ(), "PGPORT=1")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "desist\n" {
		t.Errorf("psql %s: %q, %v", s.URL("desist"), out, err)
	}
}

func TestTakeOverAfterKill(t *testing.T) {
	needBinaries(t)
	dir := filepath.Join(openDir(t), "pg")
	var second error
	orphan := killedParent(t, dir, func() {
		_, second = Start(testContext(t), Config{Dir: dir, Settings: ForTests()})
	})
	var inUse *InUseError
	if !errors.As(second, &inUse) || inUse.PID == 0 || inUse.PID == os.Getpid() || inUse.Dir != dir {
		t.Errorf("second owner got %v, want an *InUseError with the parent's pid", second)
	}

	s := start(t, dir, ForTests())
	if s.proc.pid != orphan {
		t.Errorf("postmaster is %d, want the orphan %d", s.proc.pid, orphan)
	}
	run(t, s, "CREATE TABLE kept AS SELECT 7 AS n")
	stop(t, s)
	s = start(t, dir, ForTests())
	if s.proc.pid == orphan {
		t.Error("the orphan still runs after Stop")
	}
	mustHold(t, s, "(SELECT n FROM kept) = 7")
}

func TestTakeOverChangesSettings(t *testing.T) {
	needBinaries(t)
	dir := filepath.Join(openDir(t), "pg")
	orphan := killedParent(t, dir, nil)
	s := start(t, dir, map[string]string{"fsync": "on"})
	if s.proc.pid == orphan {
		t.Error("took over a server that runs without fsync for one that must have it")
	}
	mustHold(t, s, "current_setting('fsync') = 'on'")
}

// Parent and postmaster killed: the pid file is stale, and what was committed
// comes back by crash recovery.
func TestRecoverAfterKillOfBoth(t *testing.T) {
	needBinaries(t)
	for _, tt := range []struct {
		name string
		pid  int // written to the stale pid file; 0 leaves it
	}{
		{name: "pid is gone"},
		{name: "pid belongs to somebody else", pid: os.Getppid()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(openDir(t), "pg")
			orphan := killedParent(t, dir, func() {
				err := query(testContext(t), filepath.Join(dir, runDir), "desist", "SET synchronous_commit = on; CREATE TABLE kept AS SELECT 7 AS n")
				if err != nil {
					t.Error(err)
				}
			})
			if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if tt.pid != 0 {
				name := filepath.Join(dir, pidFile)
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				_, rest, _ := strings.Cut(string(text), "\n")
				if err := os.WriteFile(name, []byte(strconv.Itoa(tt.pid)+"\n"+rest), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := start(t, dir, ForTests())
			mustHold(t, s, "(SELECT n FROM kept) = 7")
		})
	}
}

func TestDoneTellsOfUnexpectedEnd(t *testing.T) {
	needBinaries(t)
	s := start(t, filepath.Join(openDir(t), "pg"), ForTests())
	if err := syscall.Kill(s.proc.pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-testContext(t).Done():
		t.Fatal("Done stays open")
	}
	stop(t, s)
}

func TestStopWithEndedContext(t *testing.T) {
	needBinaries(t)
	s := start(t, filepath.Join(openDir(t), "pg"), ForTests())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestInitialiseAfterInterruptedAttempt(t *testing.T) {
	needBinaries(t)
	dir := filepath.Join(openDir(t), "pg")
	if err := os.MkdirAll(filepath.Join(dir, newDataDir, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, lockFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, ForTests())
	mustHold(t, s, "true")
}

func TestTooLongPath(t *testing.T) {
	needBinaries(t)
	parent := openDir(t)
	long := filepath.Join(parent, strings.Repeat("d", 60), strings.Repeat("e", 60))
	s := start(t, long, ForTests())
	sock := s.SocketDir()
	if strings.HasPrefix(sock, long) || len(sock) > 90 {
		t.Errorf("socket directory is %s", sock)
	}
	info, err := os.Stat(sock)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode of %s is %o", sock, info.Mode().Perm())
	}
	mustHold(t, s, "true")
	stop(t, s)
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket directory after Stop: %v", err)
	}

	// A directory that somebody else prepared under the name is refused.
	if err := os.Mkdir(sock, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sock, 0o777); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(sock)
	_, err = Start(testContext(t), Config{Dir: long, Settings: ForTests()})
	if err == nil || !strings.Contains(err.Error(), "not a private directory") {
		t.Errorf("Start with an open socket directory: %v", err)
	}
}

func TestClosedParent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("Only a root parent runs PostgreSQL as another user.")
	}
	needBinaries(t)
	closed := filepath.Join(openDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), Config{Dir: filepath.Join(closed, "deeper", "pg")})
	if err == nil || !strings.Contains(err.Error(), "cannot enter "+closed+" on the way") {
		t.Errorf("Start below a closed directory: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	needBinaries(t)
	foreign := openDir(t)
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	later := filepath.Join(openDir(t), "later")
	if err := os.MkdirAll(filepath.Join(later, dataDir), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{lockFile: "", versionFile: "8\n"} {
		if err := os.WriteFile(filepath.Join(later, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no directory", Config{}, "no directory given"},
		{"foreign files", Config{Dir: foreign}, "is not empty (thesis.txt)"},
		{"other major version", Config{Dir: later}, "PostgreSQL 8, which made the existing cluster, is not installed"},
		{"private setting", Config{Dir: filepath.Join(foreign, "x"), Settings: map[string]string{"listen_addresses": "*"}}, "keeps the server private"},
		{"setting with capital", Config{Dir: filepath.Join(foreign, "x"), Settings: map[string]string{"Fsync": "off"}}, "no name of a PostgreSQL setting"},
		{"setting with line break", Config{Dir: filepath.Join(foreign, "x"), Settings: map[string]string{"work_mem": "1MB\n"}}, "line break"},
		{"setting that PostgreSQL refuses", Config{Dir: filepath.Join(openDir(t), "x"), Settings: map[string]string{"work_mem": "much"}}, `invalid value for parameter "work_mem"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Start(testContext(t), tt.cfg)
			if err == nil {
				stop(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: %v, want %q", err, tt.want)
			}
		})
	}
}
