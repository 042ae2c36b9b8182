package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path/filepath"
	"strings"

	"desist/pipeline"
	"desist/takedown"
)

// evidence reads the files that support a report.
func (c *submitCmd) evidence(p *Program) ([]takedown.Evidence, error) {
	list := make([]takedown.Evidence, len(c.Evidence))
	for i, path := range c.Evidence {
		data, err := p.readFile(path, pipeline.MaxEvidenceLen)
		if err != nil {
			return nil, fmt.Errorf("--evidence: %w", err)
		}
		if len(data) == 0 {
			return nil, takedown.Permanent(fmt.Errorf("--evidence: %s is empty", path))
		}
		list[i] = newEvidence(path, data)
	}
	return list, nil
}

// newEvidence describes a file. A program is kept as its hash alone, because
// live malware is never stored or mailed.
func newEvidence(path string, data []byte) takedown.Evidence {
	sum := sha256.Sum256(data)
	e := takedown.Evidence{SHA256: hex.EncodeToString(sum[:]), MediaType: mediaType(path, data)}
	if isProgram(data) {
		e.Kind, e.MediaType = "sample", ""
		return e
	}
	e.Data = data
	switch {
	case strings.HasPrefix(e.MediaType, "image/"):
		e.Kind = "screenshot"
	case e.MediaType == "message/rfc822":
		e.Kind = "mail"
	case e.MediaType == "text/html":
		e.Kind = "page"
	case strings.HasPrefix(e.MediaType, "text/"):
		e.Kind = "log"
	default:
		e.Kind = "file"
	}
	return e
}

// mediaType goes by the name first: a mail and a log are both text to a look at
// the bytes.
func mediaType(path string, data []byte) string {
	t := ""
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".eml":
		t = "message/rfc822"
	case ".log", ".txt":
		t = "text/plain"
	case ".har":
		t = "application/json"
	default:
		t = mime.TypeByExtension(ext)
	}
	if t == "" {
		t = http.DetectContentType(data)
	}
	t, _, _ = strings.Cut(t, ";")
	return t
}

func isProgram(data []byte) bool {
	for _, magic := range []string{"MZ", "\x7fELF", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "dex\n"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return true
		}
	}
	return false
}

// batchSize keeps the evidence of one batch, which every row carries, within a
// bound.
func batchSize(evidence []takedown.Evidence) int {
	const rows, most = 500, 32 << 20
	size := 1
	for _, e := range evidence {
		size += len(e.Data)
	}
	return max(1, min(rows, most/size))
}
