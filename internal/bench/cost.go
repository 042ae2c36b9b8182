package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Rate is what a number of equal things took.
type Rate struct {
	N         int     `json:"n"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	// P50 and P99 are of what Of says, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Of  string  `json:"percentiles_of"`
	// CPU is that of this process, in seconds for 1,000 things; PostgreSQLCPU
	// that of the database, absent where it was not measured.
	CPU           float64  `json:"cpu_s_per_1000"`
	PostgreSQLCPU *float64 `json:"postgresql_cpu_s_per_1000,omitempty"`

	stored bool // PostgreSQL was in use
}

// A watch measures one run.
type watch struct {
	begun         time.Time
	cpu, postgres time.Duration
	postmaster    int
}

// noDatabase stands for the postmaster where PostgreSQL takes no part; 0 is one
// that cannot be seen.
const noDatabase = -1

// newWatch starts.
func newWatch(postmaster int) watch {
	w := watch{postmaster: postmaster, cpu: ownCPU()}
	w.postgres, _ = familyCPU(postmaster)
	w.begun = time.Now()
	return w
}

// stop ends the run over n things.
func (w watch) stop(n int, of string, each []time.Duration) Rate {
	return w.stopAt(time.Now(), n, of, each)
}

func (w watch) stopAt(end time.Time, n int, of string, each []time.Duration) Rate {
	took := end.Sub(w.begun).Seconds()
	r := Rate{N: n, Seconds: took, PerSecond: float64(n) / took, Of: of, P50: percentile(each, 50), P99: percentile(each, 99), stored: w.postmaster != noDatabase}
	r.CPU = (ownCPU() - w.cpu).Seconds() * 1000 / float64(n)
	if after, ok := familyCPU(w.postmaster); ok {
		cpu := (after - w.postgres).Seconds() * 1000 / float64(n)
		r.PostgreSQLCPU = &cpu
	}
	return r
}

// percentile is the nearest rank, in milliseconds.
func percentile(each []time.Duration, p int) float64 {
	if len(each) == 0 {
		return 0
	}
	each = slices.Sorted(slices.Values(each))
	rank := (len(each)*p + 99) / 100
	return float64(each[max(rank, 1)-1]) / float64(time.Millisecond)
}

// ownCPU is what this process has used, in user and kernel mode.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick is the unit of times in /proc: USER_HZ, which Linux fixes at 100 for
// programs (proc(5), times(2)).
const tick = 10 * time.Millisecond

// familyCPU is what a process, its children, and those of them that ended have
// used. Only Linux shows it.
func familyCPU(parent int) (time.Duration, bool) {
	if runtime.GOOS != "linux" || parent <= 0 {
		return 0, false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return 0, false
	}
	var sum int64
	found := false
	for _, name := range stats {
		s, ok := readStat(name)
		if ok && (s.pid == parent || s.parent == parent) {
			sum += s.ticks
			found = true
		}
	}
	return time.Duration(sum) * tick, found
}

type procStat struct {
	pid, parent int
	ticks       int64
}

// readStat reads /proc/PID/stat as proc(5) has it: the name of the program,
// which may hold anything, stands in parentheses; parent, utime, stime, cutime
// and cstime are fields 4 and 14 to 17.
func readStat(name string) (procStat, bool) {
	text, err := os.ReadFile(name)
	if err != nil { // it ended meanwhile
		return procStat{}, false
	}
	open, shut := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || shut < open {
		return procStat{}, false
	}
	var s procStat
	var err1, err2 error
	s.pid, err1 = strconv.Atoi(strings.TrimSpace(string(text[:open])))
	fields := strings.Fields(string(text[shut+1:]))
	if len(fields) < 15 {
		return procStat{}, false
	}
	s.parent, err2 = strconv.Atoi(fields[1])
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return procStat{}, false
		}
		s.ticks += n
	}
	return s, err1 == nil && err2 == nil
}

// parentOf returns the parent of a process, or 0 where that cannot be seen.
func parentOf(pid int) int {
	s, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return s.parent
}

// resetPeak makes peakMemory count from now on (proc(5), clear_refs).
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) }

// peakMemory is the most memory that this process had resident, in bytes, or 0
// where that cannot be seen.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

// inMemory reports whether the files of dir are on a tmpfs. Only Linux shows
// it.
func inMemory(dir string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return false
	}
	best, kind := "", ""
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line) // device, mount point, type: fstab(5)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			best, kind = f[1], f[2]
		}
	}
	return kind == "tmpfs" || kind == "ramfs"
}
