package simnet

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// draw returns the random source of one question about the world, such as
// "when does this desk act on this target?". The same seed and words give the
// same answers on every machine and in any order of asking.
func draw(seed uint64, words ...string) *rand.Rand {
	h := fnv.New64a()
	for _, w := range words {
		_, _ = h.Write([]byte(w)) // a hash never fails
		_, _ = h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// A Delay is a lognormal time: Median x exp(Sigma x N(0,1)), in the world's
// time, cut at Max. Sigma 0 makes it exact.
type Delay struct {
	Median time.Duration `yaml:"median" json:"median"`
	Sigma  float64       `yaml:"sigma" json:"sigma"`
	Max    time.Duration `yaml:"max" json:"max"`
}

func (d Delay) draw(r *rand.Rand) time.Duration {
	seconds := d.Median.Seconds() * math.Exp(d.Sigma*r.NormFloat64())
	limit := d.Max
	if limit <= 0 {
		limit = 365 * 24 * time.Hour
	}
	return time.Duration(min(seconds, limit.Seconds()) * float64(time.Second))
}

// Shares maps a choice to its weight. Weights need not add up to 1 where
// something must be chosen; where "none" is an answer, the rest up to 1 is none.
type Shares map[string]float64

// pick chooses one key; the order of the map does not matter.
func (s Shares) pick(r *rand.Rand) string {
	total := 0.0
	for _, w := range s {
		total += w
	}
	return s.pickWithin(r.Float64() * total)
}

// pickOrNone chooses a key, or "" with the probability that the shares leave over.
func (s Shares) pickOrNone(r *rand.Rand) string { return s.pickWithin(r.Float64()) }

func (s Shares) pickWithin(x float64) string {
	keys := make([]string, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if x < s[k] {
			return k
		}
		x -= s[k]
	}
	return ""
}
