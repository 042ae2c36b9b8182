package pipeline

import (
	"slices"
	"time"

	"desist/takedown"
)

// A Rung says when a role is told, reminded, and given up on. The ladder is
// data: operators set it, class by class if they want.
type Rung struct {
	Role takedown.Role
	// After is how long after planning the leg starts.
	After time.Duration
	// ReminderAfter is how long after each accepted notice the next step
	// follows; Reminders is how many reminders there are.
	ReminderAfter time.Duration
	Reminders     int
	// Classes limits the rung; empty means every class.
	Classes []takedown.Class
}

// Ladder is the order in which parties are told.
type Ladder struct {
	Rungs []Rung
	// ManualAfter is how long a task for a person may stay open before the next
	// rung starts without it.
	ManualAfter time.Duration
	// FinalWait is how long after the last step the target is still watched
	// before the case expires.
	FinalWait time.Duration
}

// DefaultLadder tells those who hold the content first and those who hold the
// name a day later, because suspending a name hits everything under it.
func DefaultLadder() Ladder {
	day := 24 * time.Hour
	return Ladder{
		Rungs: []Rung{
			{Role: takedown.RoleHost, ReminderAfter: day, Reminders: 1},
			{Role: takedown.RolePlatform, ReminderAfter: day, Reminders: 1},
			{Role: takedown.RoleCDN, ReminderAfter: day, Reminders: 1},
			{Role: takedown.RoleISP, ReminderAfter: 2 * day, Reminders: 1},
			{
				Role: takedown.RoleRegistrar, After: day, ReminderAfter: 2 * day, Reminders: 1,
				Classes: []takedown.Class{takedown.ClassPhishing, takedown.ClassMalware, takedown.ClassC2, takedown.ClassFraudshop},
			},
		},
		ManualAfter: 2 * day,
		FinalWait:   3 * day,
	}
}

// rung returns the rung for a role and class.
func (l *Ladder) rung(role takedown.Role, class takedown.Class) (Rung, bool) {
	for _, r := range l.Rungs {
		if r.Role == role && (len(r.Classes) == 0 || slices.Contains(r.Classes, class)) {
			return r, true
		}
	}
	return Rung{}, false
}

// advance brings the next leg that only waits for its time forward, because a
// leg before it came to nothing and none is under way.
func advance(c *takedown.Case, now time.Time) {
	var next *takedown.Leg
	for _, l := range c.Legs {
		switch l.State {
		case takedown.LegComposed, takedown.LegSending, takedown.LegNotified, takedown.LegUnknown, takedown.LegHeld, takedown.LegDisputed:
			return
		case takedown.LegPlanned:
			if !l.DueAt.After(now) {
				return
			}
		}
		if l.State == takedown.LegPlanned && l.Seq == 0 && l.DueAt.After(now) && (next == nil || l.DueAt.Before(next.DueAt)) {
			next = l
		}
	}
	if next != nil {
		next.DueAt = now
		next.Touch()
	}
}

// over reports whether no leg has anything left to do by itself.
func over(c *takedown.Case) bool {
	for _, l := range c.Legs {
		switch l.State {
		case takedown.LegUnreachable, takedown.LegExhausted, takedown.LegDrafted, takedown.LegClosed:
		case takedown.LegManual, takedown.LegNotified, takedown.LegUnknown:
			if !l.DueAt.IsZero() {
				return false
			}
		default:
			return false
		}
	}
	return true
}
