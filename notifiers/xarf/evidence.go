package xarf

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"desist/takedown"
)

// Limits of the specification: each item, all items, number of items. The
// total counts the encoded payloads, the stricter reading.
const (
	maxItem  = 5 << 20
	maxTotal = 15 << 20
	maxItems = 50
)

// item is the core schema's evidence_item, which allows no other key.
type item struct {
	ContentType string `json:"content_type"`
	Description string `json:"description"`
	Payload     string `json:"payload"`
	Hash        string `json:"hash"`
	Size        int    `json:"size"`
}

// harmless maps the media types that are embedded to what they are declared
// as. Everything else could be a sample.
var harmless = map[string]string{
	"text/plain": "text/plain", "text/csv": "text/csv", "text/html": "text/html", "application/json": "application/json",
	"image/png": "image/png", "image/jpeg": "image/jpeg", "image/gif": "image/gif", "image/webp": "image/webp",
	"message/rfc822": "text/rfc822-headers", "text/email": "text/rfc822-headers", "text/rfc822-headers": "text/rfc822-headers",
}

// executable begins programs, archives and documents with active content,
// whatever they are declared as.
var executable = [][]byte{
	[]byte("MZ"), []byte("\x7fELF"), []byte("PK\x03\x04"), []byte("Rar!"), []byte("7z\xbc\xaf"), []byte("\x1f\x8b"),
	[]byte("%PDF"), []byte("\xd0\xcf\x11\xe0"), []byte("\xca\xfe\xba\xbe"), []byte("\xcf\xfa\xed\xfe"), []byte("\xfe\xed\xfa"),
	[]byte("dex\n"), []byte("#!"), []byte("<?php"),
}

// items embeds evidence. What must not or cannot be embedded becomes a short
// note with its hash, so that the receiver knows that it exists.
func items(list []takedown.Evidence) []item {
	var out []item
	total := 0
	for _, e := range list {
		if len(out) == maxItems {
			break
		}
		contentType, data, why := embeddable(e)
		if why == "" && (len(data) > maxItem || total+base64.StdEncoding.EncodedLen(len(data)) > maxTotal) {
			why = "too large to embed"
		}
		sum := declaredHash(e)
		if why != "" {
			contentType = "text/plain"
			data = fmt.Appendf(nil, "Not embedded (%s). Media type: %s. SHA-256: %s. Available on request.\n", why, clean(e.MediaType, 80), sum)
		}
		payload := base64.StdEncoding.EncodeToString(data)
		if total+len(payload) > maxTotal {
			break
		}
		total += len(payload)
		h := sha256.Sum256(data)
		out = append(out, item{
			ContentType: contentType, Description: clean(e.Kind, 200), Payload: payload,
			Hash: "sha256:" + hex.EncodeToString(h[:]), Size: len(data),
		})
	}
	return out
}

// embeddable returns the media type and data to embed, or why not.
func embeddable(e takedown.Evidence) (contentType string, data []byte, why string) {
	media, _, _ := strings.Cut(strings.ToLower(e.MediaType), ";")
	contentType, ok := harmless[strings.TrimSpace(media)]
	switch {
	case strings.EqualFold(e.Kind, "sample"):
		return "", nil, "sample of malicious software"
	case len(e.Data) == 0:
		return "", nil, "no copy is kept with the case"
	case !ok:
		return "", nil, "media type that may be active"
	}
	for _, magic := range executable {
		if bytes.HasPrefix(e.Data, magic) {
			return "", nil, "content that may be active"
		}
	}
	if contentType == "text/rfc822-headers" {
		return contentType, redactHeaders(e.Data), ""
	}
	return contentType, e.Data, ""
}

var (
	recipientField = regexp.MustCompile(`(?i)^(to|cc|bcc|delivered-to|x-original-to|envelope-to|x-envelope-to|resent-to|resent-cc|x-forwarded-to|apparently-to):`)
	receivedFor    = regexp.MustCompile(`(?i)\bfor\s+<?[^\s<>;]+@[^\s<>;]+>?`)
)

// redactHeaders keeps the header section of a message, without whom it was
// sent to. The body may carry live attachments and is dropped.
func redactHeaders(message []byte) []byte {
	var out strings.Builder
	skipping := false
	for line := range strings.Lines(strings.ToValidUTF8(string(message), "\uFFFD")) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		folded := line[0] == ' ' || line[0] == '\t'
		if folded && skipping {
			continue
		}
		if skipping = !folded && recipientField.MatchString(line); skipping {
			name, _, _ := strings.Cut(line, ":")
			out.WriteString(name + ": (removed)\n")
			continue
		}
		out.WriteString(receivedFor.ReplaceAllString(line, "for (removed)") + "\n")
	}
	return []byte(out.String())
}

var hexHash = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func declaredHash(e takedown.Evidence) string {
	if hexHash.MatchString(e.SHA256) {
		return strings.ToLower(e.SHA256)
	}
	if len(e.Data) > 0 {
		h := sha256.Sum256(e.Data)
		return hex.EncodeToString(h[:])
	}
	return "not known"
}

// sampleHash returns the SHA-256 of the first sample.
func sampleHash(list []takedown.Evidence) string {
	for _, e := range list {
		if strings.EqualFold(e.Kind, "sample") && hexHash.MatchString(e.SHA256) {
			return strings.ToLower(e.SHA256)
		}
	}
	return ""
}
