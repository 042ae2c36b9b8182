package email_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/notifiers/email"
	"desist/takedown"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func newSealer(t testing.TB) *email.Sealer {
	t.Helper()
	s, err := email.NewSealer(email.SealConfig{
		Sender: takedown.Sender{LegalName: "Example Watch e.V.", Email: "takedown@sender.example"},
		Key:    testKey, KeyVersion: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealInput() email.SealInput {
	return email.SealInput{
		CaseID: 17, LegID: 42, Seq: 2, Kind: takedown.NoticeReminder,
		Draft:     takedown.Draft{Subject: "Phishing auf Ihrem Netz – Grüße", Text: "Guten Tag,\n\nhxxps://bücher.example/?a=b\n.\n..punkt\nFrom here on\n", HTML: "<p>Guten Tag</p>\n"},
		Recipient: takedown.Contact{ID: 5, Channel: takedown.ChannelEmail, Address: "abuse@bücher.example"},
		Reference: "DSI-000017",
		Attachments: []takedown.Attachment{
			{Name: "xarf.json", MediaType: "application/json", Data: []byte(`{"a":1}`)},
			{Name: "ansicht ü\r\nX: y.txt", MediaType: "text/plain; charset=utf-8", Data: bytes.Repeat([]byte("x\n"), 400)},
		},
		InReplyTo: "earlier@desk.example", References: []string{"first@sender.example", "earlier@desk.example", "bad one>\r\nX: y"},
		Ticket: "#4711", At: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
	}
}

type part struct{ Type, Body string }

// leaves returns the leaf parts of a message, decoded.
func leaves(t *testing.T, contentType, encoding string, body io.Reader) []part {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("content type %q: %v", contentType, err)
	}
	if !strings.HasPrefix(mediaType, "multipart/") {
		switch encoding {
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return []part{{mediaType, string(data)}}
	}
	var parts []part
	reader := multipart.NewReader(body, params["boundary"])
	for {
		p, err := reader.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, leaves(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)...)
	}
}

func TestSeal(t *testing.T) {
	s := newSealer(t)
	n, err := s.Seal(sealInput())
	if err != nil {
		t.Fatal(err)
	}
	msg, err := mail.ReadMessage(bytes.NewReader(n.Sealed))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, values := range msg.Header {
		if len(values) != 1 {
			t.Errorf("header %s stands %d times", name, len(values))
		}
		decoded, err := new(mime.WordDecoder).DecodeHeader(values[0])
		if err != nil {
			t.Errorf("header %s: %v", name, err)
		}
		got[name] = decoded
	}
	delete(got, "Content-Type")
	want := map[string]string{
		"From": `"Example Watch e.V." <takedown@sender.example>`, "To": "<abuse@xn--bcher-kva.example>",
		"Reply-To": "<" + s.Tokens().ReplyTo(42, 2) + ">", "Date": "Wed, 04 Mar 2026 05:06:07 +0000",
		"Subject": "Phishing auf Ihrem Netz – Grüße [#4711]", "Message-Id": "<" + s.Tokens().MessageID(17, 42, 2) + ">",
		"In-Reply-To": "<earlier@desk.example>", "References": "<first@sender.example> <earlier@desk.example>",
		"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "X-Desist-Reference": "DSI-000017",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	in := sealInput()
	wantParts := []part{
		{"text/plain", strings.ReplaceAll(in.Draft.Text, "\n", "\r\n")},
		{"text/html", strings.ReplaceAll(in.Draft.HTML, "\n", "\r\n")},
		{"application/json", string(in.Attachments[0].Data)},
		{"text/plain", string(in.Attachments[1].Data)},
	}
	if diff := cmp.Diff(wantParts, leaves(t, msg.Header.Get("Content-Type"), "", msg.Body)); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if n.SHA256 != sha256.Sum256(n.Sealed) || n.Recipient != "abuse@xn--bcher-kva.example" || n.EnvelopeFrom != s.Tokens().ReturnPath(42, 2) {
		t.Errorf("notice fields: %s %s", n.Recipient, n.EnvelopeFrom)
	}
}

// Whatever goes in, a relay has nothing to change: CRLF only, seven bits, short
// lines. And the same input gives the same bytes.
func TestSealedBytes(t *testing.T) {
	s := newSealer(t)
	rapid.Check(t, func(t *rapid.T) {
		in := sealInput()
		in.Draft.Subject = "x" + rapid.String().Draw(t, "subject")
		in.Draft.Text = "x" + rapid.String().Draw(t, "text")
		in.Draft.HTML = rapid.String().Draw(t, "html")
		in.Reference = rapid.String().Draw(t, "reference")
		in.Ticket = rapid.String().Draw(t, "ticket")
		in.Attachments[0].Name = rapid.String().Draw(t, "name")
		in.Attachments[0].Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		in.Attachments = in.Attachments[:rapid.IntRange(0, 2).Draw(t, "attachments")]
		first, err := s.Seal(in)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Seal(in)
		if err != nil || !bytes.Equal(first.Sealed, second.Sealed) {
			t.Fatalf("sealing twice differs (%v):\n%s\n%s", err, first.Sealed, second.Sealed)
		}
		for line := range bytes.SplitAfterSeq(first.Sealed, []byte("\r\n")) {
			line = bytes.TrimSuffix(line, []byte("\r\n"))
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") || bytes.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
				t.Fatalf("line %q", line)
			}
		}
		if !bytes.HasSuffix(first.Sealed, []byte("\r\n")) {
			t.Fatal("the last line has no end")
		}
		if id, sealed, err := s.Tokens().Unseal(first.Sealed); err != nil || id != first.MessageID || !bytes.Equal(sealed, first.Sealed) {
			t.Fatalf("unseal: %v", err)
		}
	})
}

func TestSealRefuses(t *testing.T) {
	s := newSealer(t)
	for name, spoil := range map[string]func(*email.SealInput){
		"non-ASCII local part": func(in *email.SealInput) { in.Recipient.Address = "müller@recipient.example" },
		"two recipients":       func(in *email.SealInput) { in.Recipient.Address = "a@recipient.example, b@recipient.example" },
		"injected recipient":   func(in *email.SealInput) { in.Recipient.Address = "a@recipient.example\r\nBcc: b@recipient.example" },
		"not mail":             func(in *email.SealInput) { in.Recipient.Channel = takedown.ChannelManual },
		"injected media type":  func(in *email.SealInput) { in.Attachments[0].MediaType = "text/plain\r\nX: y" },
		"composite media type": func(in *email.SealInput) { in.Attachments[0].MediaType = "message/rfc822" },
		"injected reply":       func(in *email.SealInput) { in.InReplyTo = "a@b>\r\nX: y" },
		"no text":              func(in *email.SealInput) { in.Draft.Text = " \n" },
		"no leg":               func(in *email.SealInput) { in.LegID = 0 },
	} {
		in := sealInput()
		spoil(&in)
		if n, err := s.Seal(in); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("%s: got %v and %q, want a permanent error", name, err, n.Sealed)
		}
	}
}

func TestUnseal(t *testing.T) {
	s := newSealer(t)
	n, err := s.Seal(sealInput())
	if err != nil {
		t.Fatal(err)
	}
	arrived := "From bounce Wed Mar  4\nReturn-Path: <x@y.example>\nReceived: from a\n\tby b; folded\n" +
		"DKIM-Signature: v=1\n" + strings.ReplaceAll(string(n.Sealed), "\r\n", "\n") + "\n"
	id, sealed, err := s.Tokens().Unseal([]byte(arrived))
	if err != nil || id != n.MessageID || !bytes.Equal(sealed, n.Sealed) {
		t.Errorf("got %q, %v; the bytes are those sealed: %v", id, err, bytes.Equal(sealed, n.Sealed))
	}
	altered := strings.Replace(arrived, "DSI-000017", "DSI-000018", 1)
	if _, sealed, err := s.Tokens().Unseal([]byte(altered)); err != nil || bytes.Equal(sealed, n.Sealed) {
		t.Errorf("an altered subject must give other bytes (%v)", err)
	}
	foreign := strings.Replace(arrived, "dsi.17.", "dsi.18.", 1)
	if _, _, err := s.Tokens().Unseal([]byte(foreign)); takedown.KindOf(err) != takedown.KindNotFound {
		t.Errorf("a forged Message-ID gave %v, want not found", err)
	}
}

func FuzzUnseal(f *testing.F) {
	s := newSealer(f)
	n, err := s.Seal(sealInput())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(n.Sealed)
	f.Add([]byte("From x\nMessage-ID: <dsi.1.1.1.3.aaaa@sender.example>\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if id, _, err := s.Tokens().Unseal(raw); err == nil && id != n.MessageID {
			t.Errorf("%q was taken for ours", id)
		}
	})
}

func TestTokens(t *testing.T) {
	config := email.TokenConfig{Domain: "Sender.Example", Key: testKey, KeyVersion: 3}
	tokens, err := email.NewTokens(config)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := email.NewTokens(email.TokenConfig{
		Domain: "sender.example", Key: []byte("another key, long enough"), KeyVersion: 4, OldKeys: map[int][]byte{3: testKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		caseID := rapid.Int64Min(1).Draw(t, "case")
		leg := rapid.Int64Min(1).Draw(t, "leg")
		seq := rapid.IntRange(1, 1000).Draw(t, "seq")
		for _, verifier := range []*email.Tokens{tokens, newer} {
			for _, address := range []string{tokens.ReturnPath(leg, seq), tokens.ReplyTo(leg, seq), strings.ToUpper(tokens.ReturnPath(leg, seq))} {
				if gotLeg, gotSeq, ok := verifier.VerifyToken("<" + address + ">"); !ok || gotLeg != leg || gotSeq != seq {
					t.Fatalf("%s: got %d, %d, %v", address, gotLeg, gotSeq, ok)
				}
				if local, _, _ := strings.Cut(address, "@"); len(local) > 64 {
					t.Fatalf("%s: local part too long", address)
				}
			}
			gotCase, gotLeg, gotSeq, ok := verifier.VerifyMessageID("<" + tokens.MessageID(caseID, leg, seq) + ">")
			if !ok || gotCase != caseID || gotLeg != leg || gotSeq != seq {
				t.Fatalf("message id: got %d, %d, %d, %v", gotCase, gotLeg, gotSeq, ok)
			}
		}
		// One changed character anywhere in the token is noticed.
		forged := []byte(tokens.ReturnPath(leg, seq))
		at := rapid.IntRange(len("bounce+"), strings.IndexByte(string(forged), '@')-1).Draw(t, "at")
		replacement := rapid.SampledFrom([]byte("abcdefghijklmnopqrstuvwxyz234567")).Draw(t, "with")
		if forged[at] != replacement && at < strings.IndexByte(string(forged), '@')-1 {
			forged[at] = replacement
			if _, _, ok := tokens.VerifyToken(string(forged)); ok {
				t.Fatalf("%s verified", forged)
			}
		}
	})
	if _, _, ok := tokens.VerifyToken(newer.ReturnPath(1, 1)); ok {
		t.Error("a token of an unknown key verified")
	}
	config.Key = []byte("short")
	if _, err := email.NewTokens(config); err == nil {
		t.Error("a short key was taken")
	}
}

func FuzzVerifyToken(f *testing.F) {
	s := newSealer(f)
	f.Add(s.Tokens().ReturnPath(1, 1))
	f.Add("bounce+@sender.example")
	f.Fuzz(func(t *testing.T, address string) {
		if leg, seq, ok := s.Tokens().VerifyToken(address); ok && (leg != 1 || seq != 1) {
			t.Errorf("%q verified for leg %d, notice %d", address, leg, seq)
		}
		s.Tokens().VerifyMessageID(address)
	})
}

func BenchmarkSeal(b *testing.B) {
	s, in := newSealer(b), sealInput()
	for b.Loop() {
		if _, err := s.Seal(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notices/s")
}
