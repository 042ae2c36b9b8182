package simnet

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
)

//go:embed worlds/*.yaml
var worldFiles embed.FS

// InternetOptions size the default world.
type InternetOptions struct {
	// Indicators is the number of malicious sites. Zero: 300.
	Indicators int
	// Seed zero keeps the one in the file.
	Seed uint64
	// Unlimited drops the RDAP servers' request budgets, for benchmarks.
	Unlimited bool
}

// Internet returns the world of the demo: providers in several countries, a
// CDN, platforms, and as many indicators as asked for.
func Internet(opts InternetOptions) (*World, error) {
	if opts.Indicators == 0 {
		opts.Indicators = 300
	}
	if opts.Indicators < 0 {
		return nil, errors.New("simnet: internet: the number of indicators is negative")
	}
	w, err := embedded("internet.yaml")
	if err != nil {
		return nil, err
	}
	if opts.Seed != 0 {
		w.Seed = opts.Seed
	}
	if opts.Unlimited {
		for i := range w.Registries {
			w.Registries[i].Limit = 0
		}
		for i := range w.Registrars {
			w.Registrars[i].Limit = 0
		}
	}
	w.scale(opts.Indicators)
	if err := w.expand(); err != nil {
		return nil, fmt.Errorf("simnet: internet: %w", err)
	}
	return w, nil
}

// Tiny returns the world of the tests: every behaviour once, exact times.
func Tiny() (*World, error) {
	w, err := embedded("tiny.yaml")
	if err != nil {
		return nil, err
	}
	if err := w.expand(); err != nil {
		return nil, fmt.Errorf("simnet: tiny: %w", err)
	}
	return w, nil
}

func embedded(name string) (*World, error) {
	src, err := worldFiles.ReadFile("worlds/" + name)
	if err != nil {
		return nil, fmt.Errorf("simnet: embedded world: %w", err)
	}
	return decodeWorld(bytes.NewReader(src), name)
}

// scale shares out a number of sites among the populations in proportion to
// their counts.
func (w *World) scale(total int) {
	sum := 0
	for _, p := range w.Populations {
		sum += p.Count
	}
	before, given := 0, 0
	for i := range w.Populations {
		before += w.Populations[i].Count
		upTo := total
		if sum > 0 {
			upTo = total * before / sum // rounding errors do not add up
		}
		w.Populations[i].Count = upTo - given
		given = upTo
	}
}
