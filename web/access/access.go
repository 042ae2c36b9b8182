// Package access says who makes a request and what they may do: bearer tokens
// (RFC 6750) with scopes, from the database or from the operator's
// configuration.
//
// It fails closed: a request without a valid token is nobody, and where the
// database cannot be asked the answer is an error, not a guess. The one
// exception is for rehearsals: with OpenRead a browser on the same machine may
// read without a token.
package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

// A Scope is a permission that a token carries.
type Scope string

// The scopes. Admin includes all others.
const (
	Submit Scope = "submit"
	Read   Scope = "read"
	Review Scope = "review"
	Send   Scope = "send"
	Admin  Scope = "admin"
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{Submit, Read, Review, Send, Admin} }

// Validate reports an unknown scope.
func (s Scope) Validate() error {
	if slices.Contains(Scopes(), s) {
		return nil
	}
	return fmt.Errorf("scope %q is not one of submit, read, review, send, admin", string(s))
}

// Cookie carries the token of a browser that signed in. It opens reading only:
// whatever changes something needs the Authorization header, which a foreign
// page cannot set.
const Cookie = "desist_token"

// ErrNobody is the answer to a request without a token.
var ErrNobody = errors.New("the request has no token; send \"Authorization: Bearer …\" with one made by \"desist token create\"")

// Tokens looks tokens up in the database.
type Tokens interface {
	CheckToken(ctx context.Context, now time.Time, secret string) (postgres.Token, error)
}

// A Token is one that the operator set in the configuration.
type Token struct {
	Name   string
	Secret string
	Scopes []string
}

// Config says whom to let in.
type Config struct {
	Store  Tokens
	Tokens []Token
	// OpenRead lets requests from this machine read without a token.
	OpenRead bool
	Now      func() time.Time
}

// A Guard identifies requests.
type Guard struct {
	cfg    Config
	static []static
}

type static struct {
	hash [sha256.Size]byte
	who  Who
}

// Who is the author of a request.
type Who struct {
	// ID names the token for ever; a name can be given twice.
	ID     string
	Name   string
	Scopes []Scope
}

// May reports whether the scope is granted.
func (w Who) May(s Scope) bool {
	return slices.Contains(w.Scopes, s) || slices.Contains(w.Scopes, Admin)
}

// New checks the configured tokens.
func New(cfg Config) (*Guard, error) {
	g := &Guard{cfg: cfg}
	for i, t := range cfg.Tokens {
		if t.Name == "" || t.Secret == "" {
			return nil, takedown.Permanent(fmt.Errorf("auth.tokens: entry %d needs a name and a token", i+1))
		}
		who := Who{ID: "config:" + t.Name, Name: t.Name}
		for _, s := range t.Scopes {
			if err := Scope(s).Validate(); err != nil {
				return nil, takedown.Permanent(fmt.Errorf("auth.tokens: %s: %w", t.Name, err))
			}
			who.Scopes = append(who.Scopes, Scope(s))
		}
		g.static = append(g.static, static{sha256.Sum256([]byte(t.Secret)), who})
	}
	return g, nil
}

// Check returns whose a secret is. Its error is of kind denied if nobody's.
func (g *Guard) Check(ctx context.Context, secret string) (Who, error) {
	hash := sha256.Sum256([]byte(secret))
	for _, s := range g.static {
		if subtle.ConstantTimeCompare(s.hash[:], hash[:]) == 1 {
			return s.who, nil
		}
	}
	t, err := g.cfg.Store.CheckToken(ctx, g.cfg.Now(), secret)
	if err != nil {
		return Who{}, err
	}
	who := Who{ID: strconv.FormatInt(t.ID, 10), Name: t.Name}
	for _, s := range t.Scopes {
		who.Scopes = append(who.Scopes, Scope(s))
	}
	return who, nil
}

// Identify returns who makes a request: [ErrNobody] without a token, an error
// of kind denied with one that is not valid.
func (g *Guard) Identify(r *http.Request) (Who, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(secret) == "" {
			return Who{}, takedown.Denied(errors.New("the Authorization header is not of the form \"Bearer TOKEN\""))
		}
		return g.Check(r.Context(), strings.TrimSpace(secret))
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if c, err := r.Cookie(Cookie); err == nil && c.Value != "" && reading {
		who, err := g.Check(r.Context(), c.Value)
		if err == nil {
			return onlyReading(who), nil
		}
		if takedown.KindOf(err) != takedown.KindDenied || !g.open(r) {
			return who, err
		}
	}
	if reading && g.open(r) {
		return Who{ID: "local", Name: "this machine", Scopes: []Scope{Read}}, nil
	}
	return Who{}, ErrNobody
}

func onlyReading(w Who) Who {
	if w.May(Read) {
		w.Scopes = []Scope{Read}
	} else {
		w.Scopes = nil
	}
	return w
}

func (g *Guard) open(r *http.Request) bool { return g.cfg.OpenRead && Local(r) }

// Local reports whether a request comes from this machine itself. A proxy on
// this machine speaks for others, so its headers disqualify; and the name asked
// for must be this machine's, or a foreign page could reach it by a name that
// resolves here (DNS rebinding).
func Local(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
