package email

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"desist/takedown"
)

// maxSubject bounds the subject in runes, so that no header line passes the 998
// octets of RFC 5322 section 2.1.1. The text says everything in full.
const maxSubject = 200

// maxReferences bounds the References header; the first and the newest stay.
const maxReferences = 12

// headerReference carries the public name of the case for filters at the
// recipient's desk.
const headerReference gomail.Header = "X-Desist-Reference"

// SealConfig says who writes.
type SealConfig struct {
	Sender takedown.Sender
	// Domain is where bounces and answers arrive; empty means the domain of the
	// sender's address. Message-IDs stand on it too.
	Domain string
	// Key, KeyVersion and OldKeys are those of TokenConfig.
	Key        []byte
	KeyVersion int
	OldKeys    map[int][]byte
	// Now dates notices that have no time of their own; nil means time.Now.
	Now func() time.Time
}

// Sealer makes sealed notices. It is safe for concurrent use.
type Sealer struct {
	tokens *Tokens
	from   string
	now    func() time.Time
	// boundaryKey makes boundaries that nobody outside can predict, so that no
	// content can contain one.
	boundaryKey []byte
}

// NewSealer checks the configuration.
func NewSealer(cfg SealConfig) (*Sealer, error) {
	address, err := asciiAddress(cfg.Sender.Email)
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	domain := cfg.Domain
	if domain == "" {
		domain = address[strings.LastIndexByte(address, '@')+1:]
	}
	tokens, err := NewTokens(TokenConfig{Domain: domain, Key: cfg.Key, KeyVersion: cfg.KeyVersion, OldKeys: cfg.OldKeys})
	if err != nil {
		return nil, err
	}
	name := cfg.Sender.Organisation
	if name == "" {
		name = cfg.Sender.LegalName
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	from := mail.Address{Name: oneLine(name), Address: address}
	return &Sealer{tokens: tokens, from: from.String(), now: now, boundaryKey: cfg.Key}, nil
}

// Tokens returns the maker and verifier of the proofs in sealed notices.
func (s *Sealer) Tokens() *Tokens { return s.tokens }

// SealInput is everything that the bytes of a notice depend on.
type SealInput struct {
	CaseID    int64
	LegID     int64
	Seq       int // 1 for the first notice of the leg
	Kind      takedown.NoticeKind
	Draft     takedown.Draft
	Recipient takedown.Contact
	Reference string // the case's public reference
	// Attachments follow the text in this order.
	Attachments []takedown.Attachment
	// InReplyTo and References are Message-IDs without angle brackets, oldest
	// first.
	InReplyTo  string
	References []string
	// Ticket is the recipient's own reference, quoted back in the subject.
	Ticket string
	// At dates the notice; zero means now.
	At time.Time
}

// Seal returns the notice with its complete RFC 5322 message: CRLF line ends,
// seven bits, lines that no relay has to fold. Equal input gives equal bytes.
// An error is permanent: the same input fails again.
func (s *Sealer) Seal(in SealInput) (takedown.Notice, error) {
	fail := func(err error) (takedown.Notice, error) {
		return takedown.Notice{}, takedown.Permanent(fmt.Errorf("seal notice %d of leg %d: %w", in.Seq, in.LegID, err))
	}
	if in.Recipient.Channel != takedown.ChannelEmail {
		return fail(fmt.Errorf("contact %q is reached by %q, not by e-mail", in.Recipient.Address, in.Recipient.Channel))
	}
	if in.LegID <= 0 || in.Seq <= 0 {
		return fail(fmt.Errorf("leg and sequence number must be positive"))
	}
	if strings.TrimSpace(in.Draft.Text) == "" || oneLine(in.Draft.Subject) == "" {
		return fail(fmt.Errorf("the draft has no text or no subject"))
	}
	recipient, err := asciiAddress(in.Recipient.Address)
	if err != nil {
		return fail(err)
	}
	if in.At.IsZero() {
		in.At = s.now()
	}
	in.At = in.At.UTC().Truncate(time.Second) // the resolution of the Date header
	id := s.tokens.MessageID(in.CaseID, in.LegID, in.Seq)
	msg, err := s.message(in, recipient, id)
	if err != nil {
		return fail(err)
	}
	var buf bytes.Buffer
	if _, err := msg.WriteTo(&buf); err != nil {
		return fail(fmt.Errorf("write message: %w", err))
	}
	sealed, err := s.fixBoundaries(buf.Bytes(), id)
	if err != nil {
		return fail(err)
	}
	sealed = append(bytes.TrimRight(sealed, "\r\n"), '\r', '\n')
	return takedown.Notice{
		CaseID: in.CaseID, LegID: in.LegID, Seq: in.Seq, Kind: in.Kind,
		ContactID: in.Recipient.ID, Recipient: recipient,
		EnvelopeFrom: s.tokens.ReturnPath(in.LegID, in.Seq), MessageID: id,
		Draft: in.Draft, Sealed: sealed, SHA256: sha256.Sum256(sealed), SealedAt: in.At,
	}, nil
}

// message builds the message. Header names and the media types of parts are
// constants or checked, because go-mail writes both as they are.
func (s *Sealer) message(in SealInput, recipient, id string) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	for _, h := range []struct {
		header gomail.AddrHeader
		value  string
	}{
		{gomail.HeaderFrom, s.from},
		{gomail.HeaderTo, "<" + recipient + ">"},
		{gomail.HeaderReplyTo, "<" + s.tokens.ReplyTo(in.LegID, in.Seq) + ">"},
	} {
		if err := msg.SetAddrHeader(h.header, h.value); err != nil {
			return nil, fmt.Errorf("header %s: %w", h.header, err)
		}
	}
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(in.At)
	msg.SetGenHeader(gomail.HeaderSubject, subject(in.Draft.Subject, in.Ticket))
	// RFC 3834 section 5.1: machines must not answer this.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if ref := oneLine(in.Reference); ref != "" {
		msg.SetGenHeader(headerReference, ref)
	}
	if in.InReplyTo != "" {
		if !isMessageID(in.InReplyTo) {
			return nil, fmt.Errorf("In-Reply-To %q is not a Message-ID", in.InReplyTo)
		}
		msg.SetGenHeader(gomail.HeaderInReplyTo, "<"+in.InReplyTo+">")
	}
	if refs := references(in.References); refs != "" {
		msg.SetGenHeader(gomail.HeaderReferences, refs)
	}
	msg.SetBodyString(gomail.TypeTextPlain, lineEnds(in.Draft.Text))
	if in.Draft.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, lineEnds(in.Draft.HTML))
	}
	for _, a := range in.Attachments {
		if err := checkMediaType(a.MediaType); err != nil {
			return nil, fmt.Errorf("attachment %q: %w", a.Name, err)
		}
		err := msg.AttachReader(oneLine(a.Name), bytes.NewReader(a.Data),
			gomail.WithFileContentType(gomail.ContentType(a.MediaType)), gomail.WithFileEncoding(gomail.EncodingB64))
		if err != nil {
			return nil, fmt.Errorf("attachment %q: %w", a.Name, err)
		}
	}
	return msg, nil
}

// fixBoundaries replaces the random boundaries of the message by ones derived
// from its Message-ID. go-mail can fix one boundary, but would use it for every
// level of nesting, which makes the message unreadable (RFC 2046 section
// 5.1.2). The random ones cannot occur in content by chance.
func (s *Sealer) fixBoundaries(raw []byte, id string) ([]byte, error) {
	header, body, err := splitMessage(raw)
	if err != nil {
		return nil, err
	}
	contentType := header.Get("Content-Type")
	for level := 0; ; level++ {
		mediaType, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			return nil, fmt.Errorf("content type %q: %w", contentType, err)
		}
		if !strings.HasPrefix(mediaType, "multipart/") {
			return raw, nil
		}
		random := params["boundary"]
		sum := hmac.New(sha256.New, s.boundaryKey)
		_, _ = fmt.Fprintf(sum, "desist mail boundary\x00%d\x00%s", level, id)
		fixed := hex.EncodeToString(sum.Sum(nil))[:30]
		part, err := multipart.NewReader(body, random).NextRawPart()
		if err != nil {
			return nil, fmt.Errorf("read the first part: %w", err)
		}
		inner, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("read the first part: %w", err)
		}
		raw = bytes.ReplaceAll(raw, []byte(random), []byte(fixed))
		contentType, body = part.Header.Get("Content-Type"), bytes.NewReader(inner)
	}
}

func splitMessage(raw []byte) (mail.Header, io.Reader, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, fmt.Errorf("read message: %w", err)
	}
	return msg.Header, msg.Body, nil
}

// subject appends the recipient's own reference, as their ticket systems expect
// it, unless it is there already.
func subject(s, ticket string) string {
	s, ticket = shorten(oneLine(s), maxSubject), shorten(oneLine(ticket), maxSubject/4)
	if ticket != "" && !strings.Contains(s, ticket) {
		s += " [" + strings.Trim(ticket, "[]") + "]"
	}
	return s
}

func shorten(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-3]) + "..."
	}
	return s
}

// oneLine makes a header value: control characters and runs of space become one
// space.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(takedown.CleanText(s), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

// lineEnds makes every kind of line end a LF; the quoted-printable writer makes
// CRLF of it.
func lineEnds(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(takedown.CleanText(s), "\r\n", "\n"), "\r", "\n")
}

func references(ids []string) string {
	var kept []string
	for _, id := range ids {
		if isMessageID(id) {
			kept = append(kept, "<"+id+">")
		}
	}
	if len(kept) > maxReferences {
		kept = append(kept[:1:1], kept[len(kept)-maxReferences+1:]...)
	}
	return strings.Join(kept, " ")
}

// isMessageID accepts what can stand between angle brackets without harm. It
// is looser than RFC 5322 section 3.6.4, as real ones are.
func isMessageID(id string) bool {
	if id == "" || len(id) > 250 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

// checkMediaType refuses what would break out of the header, and the composite
// types, which must not be base64 (RFC 2046 section 5.2.1).
func checkMediaType(value string) error {
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil {
		return fmt.Errorf("media type %q: %w", value, err)
	}
	if mime.FormatMediaType(mediaType, params) != value {
		return fmt.Errorf("media type %q is not in its canonical form %q", value, mime.FormatMediaType(mediaType, params))
	}
	if strings.HasPrefix(mediaType, "message/") || strings.HasPrefix(mediaType, "multipart/") {
		return fmt.Errorf("media type %q cannot be attached; use application/octet-stream", value)
	}
	return nil
}
