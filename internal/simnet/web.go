package simnet

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const maxFormBytes = 1 << 20

// startWeb opens the listeners that serve every site by its Host header.
func (n *Net) startWeb(ctx context.Context) error {
	plain, err := n.listen(ctx, 0)
	if err != nil {
		return fmt.Errorf("simnet: web: %w", err)
	}
	secure, err := n.listen(ctx, 0)
	if err != nil {
		_ = plain.Close() // the first error is the one to report
		return fmt.Errorf("simnet: web: %w", err)
	}
	n.webAddr, n.tlsAddr = plain.Addr().String(), secure.Addr().String()
	handler := http.HandlerFunc(n.serveWeb)
	n.serveHTTP(&http.Server{Handler: handler, IdleTimeout: 30 * time.Second}, plain, "web")
	secure = tls.NewListener(secure, &tls.Config{GetCertificate: n.ca.certificate, MinVersion: tls.VersionTLS12})
	n.serveHTTP(&http.Server{Handler: handler, IdleTimeout: 30 * time.Second}, secure, "web tls")
	return nil
}

func (n *Net) serveWeb(rw http.ResponseWriter, req *http.Request) {
	host := strings.ToLower(strings.TrimSuffix(req.Host, "."))
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		host = a.Unmap().String()
	}
	n.mu.RLock()
	s := n.idx.sites[host]
	var serves, page string
	cloaked := false
	if s != nil {
		serves, page = s.serves, s.Page
		cloaked = s.Cloaked && !n.cloak.MatchString(req.UserAgent())
	}
	n.mu.RUnlock()
	switch {
	case s == nil && n.idx.infra[host] != nil:
		n.serveOrganisation(rw, req, n.idx.infra[host].desk)
	case s == nil:
		writePage(rw, http.StatusNotFound, "Not found", "There is no site of this name here.")
	case serves == stateRefused || serves == stateNoDNS:
		abort(rw)
	case serves != stateLive:
		writeDown(rw, serves)
	case cloaked:
		writePage(rw, http.StatusNotFound, "404 Not Found", "The requested URL was not found on this server.")
	case !n.world.foreign && !strings.HasPrefix(req.URL.Path, s.Path): // a foreign host may have many paths
		if page == "phishing" || page == "malware" {
			writePage(rw, http.StatusOK, "Welcome", "It works.")
			return
		}
		writePage(rw, http.StatusNotFound, "404 Not Found", "The requested URL was not found on this server.")
	default:
		writeContent(rw, page, s.Host)
	}
}

// abort ends the connection without an answer: on a shared address it is the
// nearest thing to a host that refuses.
func abort(rw http.ResponseWriter) {
	h, ok := rw.(http.Hijacker)
	if !ok {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if c, _, err := h.Hijack(); err == nil {
		_ = c.Close() // nothing was said that could be lost
	}
}

func writePage(rw http.ResponseWriter, status int, title, body string) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	// A client that went away is its own business, here and below.
	_, _ = fmt.Fprintf(rw, "<!doctype html>\n<html><head><title>%s</title></head>\n<body><h1>%s</h1>\n<p>%s</p></body></html>\n",
		html.EscapeString(title), html.EscapeString(title), body)
}

// writeDown is what is left of a site after its host acted.
func writeDown(rw http.ResponseWriter, state string) {
	switch state {
	case stateGone:
		writePage(rw, http.StatusGone, "410 Gone", "This content has been removed.")
	case stateSuspended:
		writePage(rw, http.StatusOK, "Account Suspended", "This account has been suspended. Contact your hosting provider for more information.")
	case stateParking:
		writePage(rw, http.StatusOK, "Parked domain", "This domain is parked free of charge. Buy this domain. Related searches: insurance, travel.")
	default:
		writePage(rw, http.StatusNotFound, "404 Not Found", "The requested URL was not found on this server.")
	}
}

// writeContent is what a visitor of a live site gets: harmless, but with the
// marks of the real thing.
func writeContent(rw http.ResponseWriter, page, host string) {
	switch page {
	case "phishing":
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(rw, `<!doctype html>
<html><head><title>Sign in - Simulated Bank</title></head>
<body><h1>Simulated Bank</h1><p>Your account has been limited. Please verify your identity.</p>
<form method="post" action="/verify"><input name="user" placeholder="Customer number">
<input name="password" type="password" placeholder="Password"><button>Sign in</button></form>
<p>%s</p></body></html>
`, html.EscapeString(host))
	case "malware":
		rw.Header().Set("Content-Type", "application/octet-stream")
		rw.Header().Set("Content-Disposition", `attachment; filename="invoice.bin"`)
		_, _ = io.WriteString(rw, "SIMULATED-MALWARE "+host+"\n"+strings.Repeat("harmless bytes of a simulated download\n", 32))
	case "c2":
		rw.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(rw, "SIMULATED-BEACON id="+host+" sleep=60 task=none\n")
	case "challenge":
		rw.Header().Set("Retry-After", "5")
		writePage(rw, http.StatusServiceUnavailable, "Just a moment...", "Checking your browser before accessing the site. This process is automatic.")
	case "parking":
		writeDown(rw, stateParking)
	default:
		writePage(rw, http.StatusOK, "Welcome", "A harmless site.")
	}
}

// serveOrganisation is the web site of a provider: security.txt (RFC 9116) and
// the abuse form, for those that have one.
func (n *Net) serveOrganisation(rw http.ResponseWriter, req *http.Request, d *desk) {
	switch {
	case d == nil:
		writePage(rw, http.StatusOK, "Welcome", "A simulated organisation.")
	case req.URL.Path == "/.well-known/security.txt" && (d.decl.Abuse != "" || d.decl.Form != ""):
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if d.decl.Abuse != "" {
			_, _ = io.WriteString(rw, "Contact: mailto:"+d.decl.Abuse+"\r\n")
		}
		if d.decl.Form != "" {
			_, _ = io.WriteString(rw, "Contact: https://www."+d.domain+d.decl.Form+"\r\n")
		}
		_, _ = io.WriteString(rw, "Expires: "+n.world.Epoch.AddDate(1, 0, 0).UTC().Format(time.RFC3339)+"\r\n")
	case d.decl.Form != "" && req.URL.Path == d.decl.Form && req.Method == http.MethodPost:
		req.Body = http.MaxBytesReader(rw, req.Body, maxFormBytes)
		if err := req.ParseForm(); err != nil {
			writePage(rw, http.StatusBadRequest, "Bad request", html.EscapeString(err.Error()))
			return
		}
		n.submitForm(d, req.PostForm.Get("target")+"\n"+req.PostForm.Get("text"), req.PostForm.Get("email"))
		writePage(rw, http.StatusOK, "Thank you", "We have received your report.")
	case d.decl.Form != "" && req.URL.Path == d.decl.Form:
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(rw, "<!doctype html><title>Report abuse to %s</title><form method=\"post\"><input name=\"target\"><input name=\"email\"><textarea name=\"text\"></textarea><button>Send</button></form>\n", html.EscapeString(d.org))
	case req.URL.Path == "/":
		writePage(rw, http.StatusOK, html.EscapeString(d.org), "A simulated organisation.")
	default:
		writePage(rw, http.StatusNotFound, "404 Not Found", "No such page.")
	}
}

// submitForm is a notice by form: the desk works on it as on a mail.
func (n *Net) submitForm(d *desk, text, email string) {
	msg := notice{header: map[string][]string{}, subject: "Abuse form"}
	msg.targets = findTargets(text, n.idx.target)
	msg.found = "form"
	n.mu.Lock()
	defer n.mu.Unlock()
	d.counts.Accepted++
	n.work(d, email, "abuse@"+d.domain, msg)
}
