package trackers

import (
	"fmt"

	"desist/takedown"
)

// Decide says what the observations of one round add up to, at which layer, and
// why in one sentence.
//
//   - Up, if any observation below the name saw the target: one profile that is
//     served is enough. That a name resolves is not enough by itself, unless
//     nothing looked further than the name.
//   - Unclear, if any observation is unclear, if there is none, or if the only
//     word of absence is about the name and another vantage resolved it.
//   - Gone otherwise: everybody who looked agrees. The layer is the deepest one
//     that said so, because what lies above it still answered.
func Decide(observations []takedown.Observation) (takedown.Verdict, takedown.Layer, string) {
	var resolved, served, gone, unclear *takedown.Observation
	deepest := func(best **takedown.Observation, o *takedown.Observation) {
		if *best == nil || depth(o.Layer) > depth((*best).Layer) {
			*best = o
		}
	}
	beyondName := false
	for i := range observations {
		o := &observations[i]
		beyondName = beyondName || o.Layer != takedown.LayerName
		switch {
		case o.Verdict == takedown.VerdictUp && o.Layer == takedown.LayerName:
			deepest(&resolved, o)
		case o.Verdict == takedown.VerdictUp:
			deepest(&served, o)
		case o.Verdict == takedown.VerdictGone:
			deepest(&gone, o)
		default:
			deepest(&unclear, o)
		}
	}
	switch {
	case served != nil:
		return takedown.VerdictUp, served.Layer, describe(served)
	case unclear != nil:
		return takedown.VerdictUnclear, unclear.Layer, describe(unclear)
	case gone != nil && gone.Layer == takedown.LayerName && resolved != nil:
		return takedown.VerdictUnclear, takedown.LayerName,
			fmt.Sprintf("the vantages disagree: %s; but %s", describe(gone), describe(resolved))
	case gone != nil:
		return takedown.VerdictGone, gone.Layer, describe(gone)
	case resolved != nil && !beyondName:
		return takedown.VerdictUp, takedown.LayerName, describe(resolved)
	}
	return takedown.VerdictUnclear, takedown.LayerName, "no probe had anything to say about this target"
}

func depth(l takedown.Layer) int {
	switch l {
	case takedown.LayerContent:
		return 2
	case takedown.LayerHost:
		return 1
	}
	return 0
}

func describe(o *takedown.Observation) string {
	who := o.Probe
	if o.Profile != "" {
		who += "/" + o.Profile
	}
	if who == "" {
		return o.Detail
	}
	return who + ": " + o.Detail
}
