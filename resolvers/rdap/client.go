package rdap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"desist/takedown"
)

// maxBody caps an answer in bytes, whatever the client's own cap.
const maxBody = 4 << 20

// defaultPause is how long a server that says 429 without saying how long is
// left alone.
const defaultPause = time.Minute

// Locator finds the servers for a query; a *Bootstrap does.
type Locator interface {
	Domain(ctx context.Context, domain string) ([]*url.URL, error)
	Addr(ctx context.Context, a netip.Addr) ([]*url.URL, error)
}

// Budget limits the requests to each server; see package budget.
type Budget interface {
	Wait(ctx context.Context, server string) error
	Done(server string, err error)
}

// reply is one answer and where it came from.
type reply struct {
	server string // host of the URL
	body   []byte
}

// query asks the servers in turn for a path such as ip/192.0.2.1.
func (s *Source) query(ctx context.Context, servers []*url.URL, path ...string) (reply, error) {
	var errs []error
	for _, base := range servers {
		r, err := s.get(ctx, base.JoinPath(path...))
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
		if kind := takedown.KindOf(err); ctx.Err() != nil || kind == takedown.KindNotFound || kind == takedown.KindSnooze {
			break // an answer, or a wish that another address of theirs would evade
		}
	}
	return reply{}, errors.Join(errs...)
}

// get fetches one URL. A server that asks for a short wait is asked again once.
func (s *Source) get(ctx context.Context, u *url.URL) (reply, error) {
	for attempt := 1; ; attempt++ {
		if err := s.cfg.Budget.Wait(ctx, u.Host); err != nil {
			return reply{}, fmt.Errorf("rdap: query %s: %w", u, err)
		}
		body, err := s.fetch(ctx, u)
		if ctx.Err() == nil {
			s.cfg.Budget.Done(u.Host, err)
		}
		if err == nil {
			return reply{u.Host, body}, nil
		}
		if takedown.KindOf(err) != takedown.KindSnooze || attempt == 2 {
			return reply{}, fmt.Errorf("rdap: query %s: %w", u, err)
		}
	}
}

func (s *Source) fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, takedown.Permanent(err)
	}
	// RFC 7480 section 4.2.
	req.Header.Set("Accept", "application/rdap+json, application/json;q=0.8")
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	resp, err := s.cfg.HTTP.Do(req)
	if err != nil {
		return nil, err // netguard gives refusals their kind; the rest is temporary
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	if err := s.statusError(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, takedown.Permanent(fmt.Errorf("the answer is larger than %d bytes", maxBody))
	}
	return body, nil
}

// statusError gives a status its kind (RFC 7480 section 5).
func (s *Source) statusError(resp *http.Response) error {
	err := fmt.Errorf("the server answered %s", resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound:
		return takedown.NotFound(err)
	case code == http.StatusTooManyRequests:
		return takedown.Snooze(s.pause(resp.Header.Get("Retry-After"), defaultPause), err)
	case code == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return takedown.Snooze(s.pause(resp.Header.Get("Retry-After"), defaultPause), err)
	case code >= 500:
		return takedown.Temporary(err)
	}
	return takedown.Permanent(err)
}

// pause reads Retry-After, seconds or a date (RFC 9110 section 10.2.3), up to a
// day.
func (s *Source) pause(header string, otherwise time.Duration) time.Duration {
	d := otherwise
	if n, err := strconv.Atoi(strings.TrimSpace(header)); err == nil && n >= 0 {
		d = time.Duration(min(n, 86400)) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(s.cfg.Now())
	}
	return min(max(d, 0), 24*time.Hour)
}
