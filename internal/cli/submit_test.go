package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"desist/takedown"
)

func TestNewEvidence(t *testing.T) {
	for _, c := range []struct {
		path, data, kind, mediaType string
		keeps                       bool
	}{
		{"shot.png", "\x89PNG\r\n\x1a\n", "screenshot", "image/png", true},
		{"noname", "\x89PNG\r\n\x1a\n", "screenshot", "image/png", true},
		{"mail.EML", "Subject: x\n\ny", "mail", "message/rfc822", true},
		{"page.html", "<html>", "page", "text/html", true},
		{"auth.log", "line", "log", "text/plain", true},
		{"x.bin", "\x00\x01", "file", "application/octet-stream", true},
		{"invoice.pdf.exe", "MZ\x90", "sample", "", false},
		{"shot.png", "\x7fELF", "sample", "", false},
	} {
		e := newEvidence(c.path, []byte(c.data))
		if e.Kind != c.kind || e.MediaType != c.mediaType || (len(e.Data) > 0) != c.keeps || len(e.SHA256) != 64 {
			t.Errorf("%s: %s %q, %d bytes, hash %q", c.path, e.Kind, e.MediaType, len(e.Data), e.SHA256)
		}
	}
}

func TestBatchSize(t *testing.T) {
	if n := batchSize(nil); n != 500 {
		t.Errorf("without evidence: %d", n)
	}
	if n := batchSize([]takedown.Evidence{{Data: make([]byte, 5<<20)}}); n != 6 {
		t.Errorf("with 5 MiB: %d", n)
	}
	if n := batchSize([]takedown.Evidence{{Data: make([]byte, 64<<20)}}); n != 1 {
		t.Errorf("with more than the bound: %d", n)
	}
}

// The exit code follows the kind of the error, whatever wraps it.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, 0, ""},
		{takedown.Permanent(errors.New("no")), 1, "desist: no\n"},
		{context.Canceled, 1, "desist: context canceled\n"},
		{fmt.Errorf("a: %w", usage("b")), 2, "desist: a: b\n"},
		{takedown.Denied(errors.New("no")), 3, "desist: no\n"},
		{errors.Join(takedown.NotFound(errors.New("x")), takedown.Permanent(errors.New("y"))), 4, "desist: x\ndesist: y\n"},
		{errors.New("the line\n\tbroke \x1b[2J"), 5, "desist: the line broke \uFFFD[2J\n"},
		{written(fmt.Errorf("x: %w", syscall.EPIPE)), 1, ""},
	} {
		var errs bytes.Buffer
		p := &Program{Err: &errs}
		if code := p.report(c.err); code != c.code || errs.String() != c.stderr {
			t.Errorf("%v: code %d, %q; want %d, %q", c.err, code, errs.String(), c.code, c.stderr)
		}
	}
}

// Every command explains itself, with an example.
func TestEveryCommandHasAnExample(t *testing.T) {
	for _, args := range [][]string{
		{"serve"},
		{"submit"},
		{"case", "list"},
		{"case", "show"},
		{"case", "events"},
		{"case", "approve"},
		{"case", "hold"},
		{"case", "dispute"},
		{"case", "withdraw"},
		{"case", "note"},
		{"lookup"},
		{"notice", "preview"},
		{"notice", "show"},
		{"notice", "verify"},
		{"stats"},
		{"pack", "list"},
		{"pack", "show"},
		{"pack", "lint"},
		{"audit", "verify"},
		{"inspect", "indicators"},
		{"inspect", "text"},
		{"inspect", "rdap"},
		{"inspect", "whois"},
		{"inspect", "mail"},
		{"token", "create"},
		{"token", "list"},
		{"token", "revoke"},
		{"deadletter", "list"},
		{"deadletter", "show"},
		{"deadletter", "replay"},
		{"migrate", "up"},
		{"migrate", "status"},
		{"config", "check"},
		{"config", "print"},
		{"version"},
	} {
		var out, errs bytes.Buffer
		p := &Program{Out: &out, Err: &errs}
		if code := p.Run(t.Context(), append(args, "--help")); code != 0 {
			t.Errorf("%v: exit code %d: %s", args, code, errs.String())
		}
		if !bytes.Contains(out.Bytes(), []byte("Example")) {
			t.Errorf("%v: no example in\n%s", args, out.String())
		}
	}
}
