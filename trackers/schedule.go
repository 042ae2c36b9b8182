package trackers

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"desist/takedown"
)

// ScheduleConfig holds the intervals between checks. A zero field takes the
// default in its comment.
type ScheduleConfig struct {
	Fresh    time.Duration // while the case is younger than FreshFor; 15 min
	FreshFor time.Duration // 24 h
	Young    time.Duration // while it is younger than YoungFor; 1 h
	YoungFor time.Duration // 7 days
	Old      time.Duration // after that; 3 h
	Confirm  time.Duration // after a round saw it gone, until it is confirmed; 30 min
	Watch    time.Duration // relapse watch after confirmation; 6 h
	// Jitter is the share by which an interval may grow or shrink, so that a
	// feed of a thousand does not come due in the same second; 0.1, at most 0.5.
	// Negative switches it off.
	Jitter float64
}

// A Round is what the schedule needs to know of a case after a check.
type Round struct {
	CaseID  int64
	Now     time.Time
	Age     time.Duration // since submission
	Verdict takedown.Verdict
	Track   takedown.Track // with this round counted
	// Removed is true when the case is confirmed gone and under relapse watch.
	Removed bool
}

// minInterval keeps a misconfigured schedule from hammering a host.
const minInterval = time.Second

// Schedule returns a pure function from a round to the time of the next check:
// always later than Now, never later than the longest interval plus its jitter.
// Equal rounds give equal times, so a schedule can be rebuilt from the rows.
func Schedule(cfg ScheduleConfig) func(Round) time.Time {
	set := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
		*d = max(*d, minInterval)
	}
	set(&cfg.Fresh, 15*time.Minute)
	set(&cfg.FreshFor, 24*time.Hour)
	set(&cfg.Young, time.Hour)
	set(&cfg.YoungFor, 7*24*time.Hour)
	set(&cfg.Old, 3*time.Hour)
	set(&cfg.Confirm, 30*time.Minute)
	set(&cfg.Watch, 6*time.Hour)
	switch {
	case cfg.Jitter == 0 || math.IsNaN(cfg.Jitter):
		cfg.Jitter = 0.1
	case cfg.Jitter < 0:
		cfg.Jitter = 0
	}
	cfg.Jitter = min(cfg.Jitter, 0.5)

	return func(r Round) time.Time {
		interval := cfg.interval(r)
		spread := time.Duration(float64(interval) * cfg.Jitter * share(r.CaseID, r.Track.Checks))
		return r.Now.Add(interval + spread)
	}
}

// interval is the time to wait before jitter.
func (cfg ScheduleConfig) interval(r Round) time.Duration {
	relapsed := r.Verdict == takedown.VerdictUp
	switch {
	case r.Removed && !relapsed:
		return cfg.Watch
	// An unclear round in a run of gone ones does not slow the confirmation.
	case r.Verdict == takedown.VerdictGone, r.Verdict == takedown.VerdictUnclear && r.Track.GoneRounds > 0:
		return cfg.Confirm
	case r.Age < cfg.FreshFor:
		return cfg.Fresh
	case r.Age < cfg.YoungFor:
		return cfg.Young
	}
	return cfg.Old
}

// share maps a case and the number of its checks to [-1, 1], evenly.
func share(caseID int64, checks int) float64 {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(caseID))
	binary.BigEndian.PutUint64(b[8:], uint64(checks))
	h := fnv.New64a()
	h.Write(b[:])
	// FNV leaves the high bits of close inputs close; multiply to spread them.
	x := h.Sum64() * 0x9E3779B97F4A7C15
	return float64(x>>11)/(1<<52) - 1
}
