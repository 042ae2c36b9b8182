package whois

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// decode brings an answer to UTF-8 with single line feeds. RFC 3912 section 4
// leaves the character set open. What is UTF-8 stays; an escape to a Japanese
// set announces itself; for the rest the first set without an invalid byte is
// taken, Latin-1 at last.
func decode(body []byte) string {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	text := string(body)
	switch {
	case bytes.Contains(body, []byte("\x1b$")):
		text = try(body, japanese.ISO2022JP)
	case !utf8.Valid(body):
		text = ""
		for _, e := range []encoding.Encoding{japanese.EUCJP, korean.EUCKR, simplifiedchinese.GBK} {
			// Multi-byte sets are told from Latin-1 by how much is not ASCII:
			// one accented letter among ASCII is not a Chinese character.
			if t := try(body, e); highBytes(body) > 8 && t != "" && !strings.ContainsRune(t, utf8.RuneError) {
				text = t
				break
			}
		}
	}
	if text == "" {
		text = try(body, charmap.ISO8859_1)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}

func try(body []byte, e encoding.Encoding) string {
	out, err := e.NewDecoder().Bytes(body)
	if err != nil {
		return ""
	}
	return string(out)
}

// highBytes counts pairs of bytes outside of ASCII.
func highBytes(body []byte) int {
	n := 0
	for i := 1; i < len(body); i++ {
		if body[i] >= 0x80 && body[i-1] >= 0x80 {
			n++
		}
	}
	return n
}
