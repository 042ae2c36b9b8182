package config

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Hidden is what a secret prints as.
const Hidden = "…hidden…"

// A Secret is a string that does not show itself: not in Print, not in a log,
// not in an error.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns Hidden, or nothing if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Hidden
}

// GoString keeps %#v from showing the secret.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText keeps encoders from showing the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A SecretURL is the address of a server, or several with commas between, which
// may hold a password. It shows itself without one.
type SecretURL string

// Reveal returns the address with its password.
func (s SecretURL) Reveal() string { return string(s) }

// String returns the address with Hidden in place of passwords. What is not a
// URL, such as a PostgreSQL keyword string, is hidden as a whole.
func (s SecretURL) String() string {
	if s == "" {
		return ""
	}
	parts := strings.Split(string(s), ",")
	for i, part := range parts {
		parts[i] = redact(part)
		if parts[i] == Hidden {
			return Hidden
		}
	}
	return strings.Join(parts, ",")
}

func redact(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Scheme == "" || u.Host == "" && u.User != nil || u.Opaque != "" {
		return Hidden
	}
	// libpq takes the password as a parameter too.
	for name := range u.Query() {
		if strings.Contains(strings.ToLower(name), "password") {
			return Hidden
		}
	}
	if u.User == nil {
		return s
	}
	user := u.User.Username()
	_, hasPassword := u.User.Password()
	u.User = nil
	// A NATS URL can hold a token where the user would be.
	if !hasPassword && u.Scheme != "postgres" && u.Scheme != "postgresql" {
		user = Hidden
	}
	if hasPassword {
		user = url.User(user).String() + ":" + Hidden
	}
	return strings.Replace(u.String(), "://", "://"+user+"@", 1)
}

// GoString keeps %#v from showing the password.
func (s SecretURL) GoString() string { return strconv.Quote(s.String()) }

// MarshalText keeps encoders from showing the password.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the short form of a digest: its window.
func (d *Digest) UnmarshalText(text []byte) error {
	window, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	d.Window = window
	return nil
}

// ParseDuration reads a duration of Go, with d for days of 24 hours before the
// rest: 90s, 1h30m, 30d, 1d12h, 1.5d. Zero needs no unit.
func ParseDuration(s string) (time.Duration, error) {
	text, negative := strings.CutPrefix(s, "-")
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	n, err := strconv.ParseFloat(days, 64)
	// ParseFloat takes signs, exponents, hexadecimals, infinities; we do not.
	if err != nil || strings.Trim(days, "0123456789.") != "" {
		return 0, badDuration(s)
	}
	var short time.Duration
	if rest != "" || !hasDays {
		if short, err = time.ParseDuration(rest); err != nil || short < 0 || strings.HasPrefix(rest, "+") {
			return 0, badDuration(s)
		}
	}
	// Whole days are exact as floats, as far as a Duration reaches.
	long := math.Round(n * float64(day))
	if long >= math.MaxInt64 || short > math.MaxInt64-time.Duration(long) {
		return 0, fmt.Errorf("the duration %q is too long", s)
	}
	total := time.Duration(long) + short
	if negative {
		total = -total
	}
	return total, nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration; write a number with its unit, such as 90s, 15m, 1h30m or 30d", s)
}

// formatDuration writes d as ParseDuration reads it, in the fewest units.
func formatDuration(d time.Duration) string {
	if d < 0 { // -d of the smallest Duration would overflow
		return "-" + formatDuration(-max(d, -math.MaxInt64))
	}
	if d == 0 {
		return "0"
	}
	text := ""
	if days := d / day; days > 0 {
		text = strconv.FormatInt(int64(days), 10) + "d"
		d %= day
	}
	if d == 0 {
		return text
	}
	short := d.String()
	if strings.HasSuffix(short, "m0s") {
		short = strings.TrimSuffix(short, "0s")
	}
	if strings.HasSuffix(short, "h0m") {
		short = strings.TrimSuffix(short, "0m")
	}
	return text + short
}
