package simnet

import "time"

// A Clock maps real time to the world's time: Now = Epoch + (real - Start) x
// Factor. The zero Clock runs at the speed of the real one, from the world's
// epoch.
type Clock struct {
	// Epoch is the world's time at Start. Zero: the epoch of the world.
	Epoch time.Time
	// Start is the real time at which the world began. Zero: when Start was called.
	Start time.Time
	// Factor is how many seconds of the world pass in a real second. Zero: 1.
	Factor float64
	// Real reads the real time. Nil: time.Now. A test that sets it advances the
	// clock itself and then calls [Net.RunDue].
	Real func() time.Time
}

// Now returns the world's time.
func (c Clock) Now() time.Time {
	elapsed := c.real().Sub(c.Start)
	return c.Epoch.Add(time.Duration(float64(elapsed) * c.Factor))
}

// wait returns the real time until the world's time reaches t.
func (c Clock) wait(t time.Time) time.Duration {
	return time.Duration(float64(t.Sub(c.Now())) / c.Factor)
}

func (c Clock) real() time.Time {
	if c.Real != nil {
		return c.Real()
	}
	return time.Now()
}

// withDefaults fills what the configuration left out.
func (c Clock) withDefaults(epoch time.Time) Clock {
	if c.Epoch.IsZero() {
		c.Epoch = epoch
	}
	if c.Factor <= 0 {
		c.Factor = 1
	}
	if c.Start.IsZero() {
		c.Start = c.real()
	}
	return c
}
