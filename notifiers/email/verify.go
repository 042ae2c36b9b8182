package email

import (
	"bytes"
	"fmt"
	"strings"

	"desist/takedown"
)

// sealedFields are the header fields that a sealed notice can have. Whatever
// else stands in a header was added on the way.
var sealedFields = map[string]bool{
	"auto-submitted": true, "date": true, "in-reply-to": true, "mime-version": true, "message-id": true,
	"references": true, "subject": true, "x-desist-reference": true, "from": true, "to": true, "reply-to": true,
	"content-type": true, "content-transfer-encoding": true,
}

// Unseal undoes what transport and mailboxes do to a mail: it makes line ends
// CRLF, drops an mbox "From " line and every header field that is not ours, and
// returns the bytes as we sealed them with their Message-ID. The caller looks
// the Message-ID up and compares the SHA-256 of the bytes: a difference means
// that somebody changed what we said. An error says that raw is not a notice of
// ours.
func (t *Tokens) Unseal(raw []byte) (messageID string, sealed []byte, err error) {
	raw = crlf(raw)
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\r\n"))
	}
	header, body, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		return "", nil, takedown.Permanent(fmt.Errorf("not a mail: no empty line between header and body"))
	}
	var out bytes.Buffer
	keep := false
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(line) == 0 || line[0] != ' ' && line[0] != '\t' { // else it continues a field
			name, _, _ := strings.Cut(string(line), ":")
			keep = sealedFields[strings.ToLower(strings.TrimSpace(name))]
		}
		if keep {
			out.Write(line)
			out.WriteString("\r\n")
		}
	}
	out.WriteString("\r\n")
	out.Write(bytes.TrimRight(body, "\r\n"))
	out.WriteString("\r\n")
	fields, _, err := splitMessage(out.Bytes())
	if err != nil {
		return "", nil, takedown.Permanent(err)
	}
	id := strings.Trim(strings.TrimSpace(fields.Get("Message-Id")), "<>")
	if _, _, _, ours := t.VerifyMessageID(id); !ours {
		return "", nil, takedown.NotFound(fmt.Errorf("the Message-ID %q was not made by this service, or with a key that it no longer has", id))
	}
	return id, out.Bytes(), nil
}

// crlf makes every line end CRLF: CRLF, LF and lone CR alike.
func crlf(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}
