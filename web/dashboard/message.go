package dashboard

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// A message is a sealed notice taken apart for the screen. It was made by us,
// but it stands in a database, and a page must not break on what it finds
// there.
type message struct {
	headers []field
	text    string // the first text/plain part
	parts   []part
}

type part struct {
	Type string
	Name string
	Size int // bytes, decoded
}

const (
	maxParts = 100
	maxDepth = 5
)

// readMessage takes as much apart as it can; the error says what it could not.
func readMessage(raw []byte) (message, error) {
	var m message
	m.headers = headerFields(raw)
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, fmt.Errorf("the message has no header that can be read: %w", err)
	}
	err = m.walk(header(msg.Header), msg.Body, 0)
	return m, err
}

// header looks up the first field of a name.
type header map[string][]string

func (h header) get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m *message) walk(h header, body io.Reader, depth int) error {
	media, params, err := mime.ParseMediaType(h.get("Content-Type"))
	if err != nil {
		media, params = "text/plain", nil // RFC 2045 section 5.2
	}
	if strings.HasPrefix(media, "multipart/") {
		if depth >= maxDepth {
			return errors.New("the message is nested too deeply")
		}
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("a part of the message cannot be read: %w", err)
			}
			if len(m.parts) >= maxParts {
				return errors.New("the message has too many parts")
			}
			if err := m.walk(header(p.Header), p, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(h.get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("a part of the message (%s) cannot be decoded: %w", media, err)
	}
	_, disposition, _ := mime.ParseMediaType(h.get("Content-Disposition"))
	name := disposition["filename"]
	if name == "" {
		name = params["name"]
	}
	m.parts = append(m.parts, part{Type: media, Name: name, Size: len(data)})
	if media == "text/plain" && m.text == "" && name == "" {
		m.text = strings.ReplaceAll(string(data), "\r\n", "\n")
	}
	return nil
}

// headerFields returns the fields in their order, unfolded and decoded (RFC
// 2047).
func headerFields(raw []byte) []field {
	head, _, _ := bytes.Cut(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	var out []field
	var words mime.WordDecoder
	for line := range strings.SplitSeq(string(head), "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if n := len(out); n > 0 {
				out[n-1].Value += " " + strings.TrimSpace(line)
			}
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			out = append(out, field{name, strings.TrimSpace(value)})
		}
	}
	for i, f := range out {
		if decoded, err := words.DecodeHeader(f.Value); err == nil {
			out[i].Value = decoded
		}
	}
	return out
}
