package email

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"desist/takedown"
)

// MinKeyLength is the shortest key that a token may be made with, in bytes.
const MinKeyLength = 16

// The two mailboxes that carry a token: where bounces go and where people
// answer. Both lead to the inbox.
const (
	bounceBox = "bounce"
	replyBox  = "reply"
)

// macLength is the length of a truncated HMAC-SHA256 in bytes. Ten bytes keep
// the local part far below the 64 octets of RFC 5321 section 4.5.3.1.1, and an
// attacker can only guess online, one mail a guess.
const macLength = 10

// encoding is lower case and compared without case, because some mail systems
// change the case of local parts.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// TokenConfig says how tokens are made.
type TokenConfig struct {
	// Domain is the mail domain that our Message-IDs and return paths stand on.
	Domain string
	// Key is secret, at least MinKeyLength bytes, and the same in every process.
	Key []byte
	// KeyVersion names Key, 0 to 255. Give each new key a new version.
	KeyVersion int
	// OldKeys are the keys of earlier versions, so that answers to older
	// notices still verify.
	OldKeys map[int][]byte
}

// Tokens makes and verifies the proofs in return paths and Message-IDs. It is
// safe for concurrent use.
type Tokens struct {
	domain  string
	version int
	keys    map[int][]byte
}

// NewTokens checks the configuration.
func NewTokens(cfg TokenConfig) (*Tokens, error) {
	domain, err := asciiDomain(cfg.Domain)
	if err != nil {
		return nil, fmt.Errorf("mail tokens: %w", err)
	}
	keys := maps.Clone(cfg.OldKeys)
	if keys == nil {
		keys = map[int][]byte{}
	}
	keys[cfg.KeyVersion] = cfg.Key
	for version, key := range keys {
		if version < 0 || version > 255 {
			return nil, takedown.Permanent(fmt.Errorf("mail tokens: key version %d is not between 0 and 255", version))
		}
		if len(key) < MinKeyLength {
			return nil, takedown.Permanent(fmt.Errorf("mail tokens: key of version %d has %d bytes, need at least %d", version, len(key), MinKeyLength))
		}
	}
	return &Tokens{domain: domain, version: cfg.KeyVersion, keys: keys}, nil
}

// Domain returns the domain of all addresses and Message-IDs, in A-labels.
func (t *Tokens) Domain() string { return t.domain }

// ReturnPath returns the envelope sender of a notice (VERP).
func (t *Tokens) ReturnPath(legID int64, seq int) string { return t.address(bounceBox, legID, seq) }

// ReplyTo returns the address that people answer to.
func (t *Tokens) ReplyTo(legID int64, seq int) string { return t.address(replyBox, legID, seq) }

func (t *Tokens) address(box string, legID int64, seq int) string {
	body := []byte{byte(t.version)}
	body = binary.AppendUvarint(body, uint64(legID))
	body = binary.AppendUvarint(body, uint64(seq))
	body = append(body, mac(t.keys[t.version], "token", body)...)
	return box + "+" + encoding.EncodeToString(body) + "@" + t.domain
}

// VerifyToken returns the leg and the sequence number of the notice that addr
// was made for. ok is false when addr is not an address of ours.
func (t *Tokens) VerifyToken(addr string) (legID int64, seq int, ok bool) {
	addr = strings.ToLower(strings.Trim(strings.TrimSpace(addr), "<>"))
	local, domain, found := strings.Cut(addr, "@")
	if !found || domain != t.domain {
		return 0, 0, false
	}
	box, token, _ := strings.Cut(local, "+")
	if box != bounceBox && box != replyBox || len(token) > 64 {
		return 0, 0, false
	}
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) < 3+macLength || encoding.EncodeToString(raw) != token { // one spelling only
		return 0, 0, false
	}
	body, sum := raw[:len(raw)-macLength], raw[len(raw)-macLength:]
	key, known := t.keys[int(body[0])]
	if !known || !hmac.Equal(sum, mac(key, "token", body)) {
		return 0, 0, false
	}
	leg, n := binary.Uvarint(body[1:])
	if n <= 0 {
		return 0, 0, false
	}
	number, m := binary.Uvarint(body[1+n:])
	if m <= 0 || 1+n+m != len(body) {
		return 0, 0, false
	}
	return int64(leg), int(number), true
}

// MessageID returns the Message-ID of a notice, without angle brackets. It is
// a function of its arguments and the key, so a notice that is composed again
// keeps its name.
func (t *Tokens) MessageID(caseID, legID int64, seq int) string {
	body := fmt.Sprintf("dsi.%d.%d.%d.%d", caseID, legID, seq, t.version)
	return body + "." + encoding.EncodeToString(mac(t.keys[t.version], "message-id", []byte(body))) + "@" + t.domain
}

// VerifyMessageID returns what the notice with this Message-ID, with or without
// angle brackets, was about. ok is false when the Message-ID is not ours.
func (t *Tokens) VerifyMessageID(id string) (caseID, legID int64, seq int, ok bool) {
	id = strings.ToLower(strings.Trim(strings.TrimSpace(id), "<>"))
	local, domain, found := strings.Cut(id, "@")
	fields := strings.Split(local, ".")
	if !found || domain != t.domain || len(fields) != 6 || fields[0] != "dsi" {
		return 0, 0, 0, false
	}
	var numbers [4]int64
	for i := range numbers {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = n
	}
	sum, err := encoding.DecodeString(fields[5])
	key, known := t.keys[int(numbers[3])]
	if err != nil || !known || !hmac.Equal(sum, mac(key, "message-id", []byte(strings.TrimSuffix(local, "."+fields[5])))) {
		return 0, 0, 0, false
	}
	return numbers[0], numbers[1], int(numbers[2]), true
}

// mac authenticates data for one purpose, so that a proof made for one use is
// worthless for another.
func mac(key []byte, purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("desist mail " + purpose + "\x00"))
	h.Write(data)
	return h.Sum(nil)[:macLength]
}
