// Package dashboard serves the pages that people look at: the state of
// everything, cases, notices, and verification of a notice.
//
// Pages are rendered here; the one script asks for the page again and swaps the
// parts that changed, so that a page without script shows the same. Whatever
// came from outside is text: indicators are defanged and never links, and
// characters that reorder or hide text are made visible.
package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"desist/takedown"
	"desist/web/access"
	"desist/web/api"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// StaticPrefix begins the paths of files that are the same for everybody.
const StaticPrefix = "/static/"

// Config holds what the pages stand on.
type Config struct {
	Guard  *access.Guard
	Record api.Record
	Glance func(context.Context) (api.Glance, error)
	// Verify tells whether a message is a notice of ours; nil leaves /verify out.
	Verify         func(ctx context.Context, message []byte) (Verification, error)
	Now            func() time.Time
	SimulatedClock string
	Logger         *slog.Logger
}

type dashboard struct {
	Config
	pages   map[string]*template.Template
	version string // of the static files, so that browsers may keep them
	// foreign refuses forms that another site sends.
	foreign http.CrossOriginProtection
}

// pageNames are the templates that are pages; layout.html and parts.html serve
// them all.
func pageNames() []string {
	return []string{"overview", "cases", "case", "notice", "verify", "login", "fault"}
}

// New registers the pages on mux.
func New(mux *http.ServeMux, cfg Config) error {
	d := &dashboard{Config: cfg}
	var err error
	if d.pages, err = parse(); err != nil {
		return err
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	if d.version, err = digest(static); err != nil {
		return err
	}
	files := http.StripPrefix(StaticPrefix, http.FileServerFS(static))
	mux.HandleFunc("GET "+StaticPrefix, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /{$}", d.read(d.overview))
	mux.HandleFunc("GET /cases", d.read(d.cases))
	mux.HandleFunc("GET /cases/{ref}", d.read(d.story))
	mux.HandleFunc("GET /notices/{id}", d.read(d.notice))
	mux.HandleFunc("GET /notices/{id}/message", d.read(d.message))
	mux.HandleFunc("GET /login", d.loginPage)
	mux.Handle("POST /login", d.foreign.Handler(http.HandlerFunc(d.login)))
	mux.Handle("POST /logout", d.foreign.Handler(http.HandlerFunc(d.logout)))
	if cfg.Verify != nil {
		mux.HandleFunc("GET /verify", d.verifyPage)
		mux.Handle("POST /verify", d.foreign.Handler(http.HandlerFunc(d.verify)))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fault(w, r, http.StatusNotFound, "There is no page here.")
	})
	return nil
}

// parse reads the templates. Each page is a set of its own, because each
// defines its own "main".
func parse() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(funcs()).Option("missingkey=error").ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("dashboard: templates: %w", err)
	}
	pages := make(map[string]*template.Template)
	for _, name := range pageNames() {
		set, err := shared.Clone()
		if err == nil {
			set, err = set.ParseFS(templateFiles, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("dashboard: template %s: %w", name, err)
		}
		pages[name] = set.Lookup("layout")
	}
	return pages, nil
}

// digest names the content of the static files.
func digest(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		_, _ = fmt.Fprintf(h, "%s %d ", path, len(data))
		h.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("dashboard: static files: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// A frame is what every page shows around its content.
type frame struct {
	Title   string
	Here    string // the entry of the navigation that the page belongs to
	Clock   string
	Version string
	Now     time.Time
	// Live pages ask for themselves again when something happens.
	Live      bool
	Verify    bool
	SignedIn  bool
	Anonymous bool // may not read, so there is nothing to go to
}

func (d *dashboard) frame(r *http.Request, title, here string) frame {
	_, err := r.Cookie(access.Cookie)
	return frame{
		Title: title, Here: here, Clock: d.SimulatedClock, Version: d.version, Now: d.Now(), Verify: d.Verify != nil, SignedIn: err == nil,
	}
}

// show renders a page whole before the first byte leaves, so that a fault is
// never half a page.
func (d *dashboard) show(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	var b bytes.Buffer
	if err := d.pages[page].Execute(&b, data); err != nil {
		d.Logger.ErrorContext(r.Context(), "cannot render a page", "page", page, "err", err)
		http.Error(w, "The page cannot be shown; the service's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

type faultPage struct {
	frame
	Status  int
	Message string
}

func (d *dashboard) fault(w http.ResponseWriter, r *http.Request, status int, message string) {
	f := d.frame(r, http.StatusText(status), "")
	if who, err := d.Guard.Identify(r); err != nil || !who.May(access.Read) {
		f.Anonymous = true
	}
	d.show(w, r, status, "fault", faultPage{f, status, message})
}

// failed answers a request that could not be served.
func (d *dashboard) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch takedown.KindOf(err) {
	case takedown.KindNotFound:
		d.fault(w, r, http.StatusNotFound, "That is not on record.")
		return
	case takedown.KindPermanent:
		d.fault(w, r, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if r.Context().Err() == nil {
		d.Logger.WarnContext(r.Context(), "cannot show a page", "path", r.URL.Path, "err", err)
	}
	d.fault(w, r, http.StatusServiceUnavailable, "The service cannot answer now. Try again in a moment.")
}

// read lets only those who may read see a page; others are asked for a token.
func (d *dashboard) read(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := d.Guard.Identify(r)
		switch {
		case err == nil && who.May(access.Read):
			page(w, r)
		case err == nil:
			d.fault(w, r, http.StatusForbidden, "This token may not read.")
		case errors.Is(err, access.ErrNobody) || takedown.KindOf(err) == takedown.KindDenied:
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			d.failed(w, r, err)
		}
	}
}

type loginPage struct {
	frame
	Next  string
	Fault string
}

func (d *dashboard) loginPage(w http.ResponseWriter, r *http.Request) {
	d.showLogin(w, r, http.StatusOK, r.URL.Query().Get("next"), "")
}

func (d *dashboard) showLogin(w http.ResponseWriter, r *http.Request, status int, next, fault string) {
	f := d.frame(r, "Sign in", "")
	f.Anonymous = true
	d.show(w, r, status, "login", loginPage{f, ownPath(next), fault})
}

func (d *dashboard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	secret, next := strings.TrimSpace(r.PostFormValue("token")), ownPath(r.PostFormValue("next"))
	who, err := d.Guard.Check(r.Context(), secret)
	switch {
	case err != nil && takedown.KindOf(err) != takedown.KindDenied:
		d.failed(w, r, err)
		return
	case err != nil:
		d.showLogin(w, r, http.StatusUnauthorized, next, "That token is unknown, expired or revoked.")
		return
	case !who.May(access.Read):
		d.showLogin(w, r, http.StatusForbidden, next, "That token may not read.")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: access.Cookie, Value: secret, Path: "/", MaxAge: int((12 * time.Hour).Seconds()), HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (d *dashboard) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: access.Cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func encrypted(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// ownPath keeps a redirect on this site.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
