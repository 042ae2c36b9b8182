package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// A Token is a bearer token of the API, known by its hash.
type Token struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// CreateToken makes a token and returns the secret, which is not stored.
func (s *Store) CreateToken(ctx context.Context, now time.Time, name string, scopes []string, expires time.Time) (Token, string, error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	secret := "dsi_" + base64.RawURLEncoding.EncodeToString(raw)
	hash := sha256.Sum256([]byte(secret))
	t := Token{Name: takedown.CleanText(name), Scopes: scopes, CreatedAt: now.UTC(), ExpiresAt: expires}
	err := s.pool.QueryRow(ctx, `INSERT INTO tokens (name, hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		t.Name, hash[:], scopes, t.CreatedAt, orNull(expires)).Scan(&t.ID)
	return t, secret, classify("create token", err)
}

const tokenColumns = `id, name, scopes, created_at, expires_at, revoked_at`

func scanToken(row pgx.CollectableRow) (Token, error) {
	var t Token
	var expires, revoked *time.Time
	err := row.Scan(&t.ID, &t.Name, &t.Scopes, &t.CreatedAt, &expires, &revoked)
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = t.CreatedAt.UTC(), orZero(expires), orZero(revoked)
	return t, err
}

// Tokens lists the tokens.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	return query(ctx, s, `SELECT `+tokenColumns+` FROM tokens ORDER BY id`, scanToken)
}

// RevokeToken takes a token back.
func (s *Store) RevokeToken(ctx context.Context, now time.Time, id int64) error {
	tag, err := s.pool.Exec(ctx, `UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1`, id, now.UTC())
	if err == nil && tag.RowsAffected() == 0 {
		return takedown.NotFound(fmt.Errorf("token %d does not exist", id))
	}
	return classify("revoke token", err)
}

// CheckToken returns the token that a secret belongs to, if it is valid now.
func (s *Store) CheckToken(ctx context.Context, now time.Time, secret string) (Token, error) {
	hash := sha256.Sum256([]byte(secret))
	list, err := query(ctx, s, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1`, scanToken, hash[:])
	if err != nil {
		return Token{}, err
	}
	if len(list) == 0 || !list[0].RevokedAt.IsZero() || (!list[0].ExpiresAt.IsZero() && !now.Before(list[0].ExpiresAt)) {
		return Token{}, takedown.Denied(fmt.Errorf("the bearer token is unknown, expired or revoked"))
	}
	return list[0], nil
}

// Secret returns the installation's own secret of the given name, making it at
// first use.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh)
	if _, err := s.pool.Exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
		return nil, classify("secret "+name, err)
	}
	var value []byte
	err := s.pool.QueryRow(ctx, `SELECT value FROM settings WHERE key = $1`, name).Scan(&value)
	return value, classify("secret "+name, err)
}

// A Dead is a message or case that could not be handled.
type Dead struct {
	ID         int64     `json:"id"`
	At         time.Time `json:"at"`
	Subject    string    `json:"subject"`
	CaseID     int64     `json:"case,omitempty"`
	Reason     string    `json:"reason"`
	Body       []byte    `json:"body,omitempty"`
	ReplayedAt time.Time `json:"replayed_at,omitzero"`
}

// DeadLetters lists what could not be handled, newest first; with an id, that
// one alone. Bodies are read only for a single one.
func (s *Store) DeadLetters(ctx context.Context, id int64, limit int) ([]Dead, error) {
	return query(ctx, s, `SELECT id, at, subject, COALESCE(case_id, 0), reason, CASE WHEN $1::bigint = 0 THEN ''::bytea ELSE body END, replayed_at
		FROM dead_letters WHERE $1::bigint = 0 OR id = $1 ORDER BY id DESC LIMIT $2`, func(row pgx.CollectableRow) (Dead, error) {
		var d Dead
		var replayed *time.Time
		err := row.Scan(&d.ID, &d.At, &d.Subject, &d.CaseID, &d.Reason, &d.Body, &replayed)
		d.At, d.ReplayedAt = d.At.UTC(), orZero(replayed)
		return d, err
	}, id, limit)
}

// Replayed notes that a dead letter was tried again.
func (s *Store) Replayed(ctx context.Context, now time.Time, id int64) error {
	_, err := s.pool.Exec(ctx, `UPDATE dead_letters SET replayed_at = $2 WHERE id = $1`, id, now.UTC())
	return classify("note replay", err)
}
