package app

import "time"

// A Clock is the service's idea of time. In a rehearsal it runs faster than the
// world: days pass in seconds.
type Clock struct {
	now    func() time.Time
	factor float64
}

// NewClock returns a clock that shows epoch at start and runs factor times as
// fast. A zero epoch is start itself; a factor of zero is one.
func NewClock(epoch, start time.Time, factor float64) Clock {
	if factor <= 0 {
		factor = 1
	}
	if epoch.IsZero() || epoch.Equal(start) {
		if factor == 1 {
			return Clock{time.Now, 1}
		}
		epoch = start
	}
	return Clock{func() time.Time { return epoch.Add(time.Duration(float64(time.Since(start)) * factor)) }, factor}
}

// ClockOf returns a clock that shows what now returns and never runs more than
// factor times as fast as the world.
func ClockOf(now func() time.Time, factor float64) Clock { return Clock{now, factor} }

// Now returns the time of the service, in UTC.
func (c Clock) Now() time.Time { return c.now().UTC() }

// Real stretches a duration that must pass in the world, such as the longest
// dialogue with a server, to the service's time.
func (c Clock) Real(d time.Duration) time.Duration { return time.Duration(float64(d) * c.factor) }
