package simnet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A notice is what a desk takes from a mail.
type notice struct {
	header  mail.Header
	subject string
	// targets are hosts that exist in the world, found how: xarf or text.
	targets []string
	found   string
	auto    bool // an automatic message (RFC 3834): never answered
}

const maxParts = 64

// readNotice reads a mail as a desk's tooling does: the machine-readable part
// first, then the words. target names the site that a host means, if any.
func readNotice(raw []byte, target func(host string) string) notice {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return notice{header: mail.Header{}, targets: findTargets(string(raw), target), found: "text"}
	}
	n := notice{header: m.Header}
	n.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		n.subject = m.Header.Get("Subject")
	}
	auto := strings.ToLower(m.Header.Get("Auto-Submitted"))
	n.auto = strings.HasPrefix(auto, "auto-replied")
	var text strings.Builder
	parts := 0
	walkParts(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, &parts, func(media string, body []byte) {
		switch {
		case media == "application/json":
			n.targets = append(n.targets, xarfTargets(body, target)...)
		case media == "text/html":
			text.WriteString(html.UnescapeString(string(body)))
		case strings.HasPrefix(media, "text/"), media == "message/feedback-report":
			text.Write(body)
		}
		text.WriteByte('\n')
	})
	n.found = "xarf"
	if len(n.targets) == 0 {
		n.targets, n.found = findTargets(n.subject+"\n"+text.String(), target), "text"
	}
	if len(n.targets) == 0 {
		n.found = "none"
	}
	slices.Sort(n.targets)
	n.targets = slices.Compact(n.targets)
	return n
}

// walkParts calls leaf for every part that is not a container.
func walkParts(contentType, encoding string, body io.Reader, parts *int, leaf func(media string, body []byte)) {
	*parts++
	if *parts > maxParts {
		return
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = "text/plain" // RFC 2045 section 5.2
	}
	if strings.HasPrefix(media, "multipart/") && params["boundary"] != "" {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err != nil {
				return // the end, or a mail that breaks off: keep what was read
			}
			walkParts(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, parts, leaf)
		}
	}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, _ := io.ReadAll(body) // a damaged part is read as far as it goes
	leaf(media, b)
}

// xarfTargets reads the keys of a XARF v4 report that name the target; a digest
// may be a list of reports.
func xarfTargets(body []byte, target func(string) string) []string {
	type report struct {
		Source string `json:"source_identifier"`
		URL    string `json:"url"`
		Domain string `json:"domain"`
	}
	var list []report
	if err := json.Unmarshal(body, &list); err != nil {
		var one report
		if err := json.Unmarshal(body, &one); err != nil {
			return nil
		}
		list = []report{one}
	}
	var out []string
	for _, r := range list {
		// The URL is the most exact; the source is often an address that many share.
		for _, candidate := range []string{r.URL, r.Domain, r.Source} {
			if host := target(hostOf(candidate)); host != "" {
				out = append(out, host)
				break
			}
		}
	}
	return out
}

var (
	wordPattern = regexp.MustCompile(`[^\s<>"'(){}|,;]+`)
	refanger    = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[:]", ":", "hxxp", "http", "hXXp", "http", "HXXP", "http", "[://]", "://")
)

// findTargets finds hosts of the world in running text.
func findTargets(text string, target func(string) string) []string {
	var out []string
	for _, word := range wordPattern.FindAllString(refanger.Replace(text), -1) {
		if !strings.ContainsAny(word, ".:") {
			continue
		}
		if host := target(hostOf(strings.Trim(word, ".,:;!?*`"))); host != "" {
			out = append(out, host)
		}
	}
	return out
}

// hostOf returns the host of a URL, domain or address, "" if it has none.
func hostOf(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return ""
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().String()
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}
