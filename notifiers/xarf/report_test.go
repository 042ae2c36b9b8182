package xarf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"desist/takedown"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// indicators are one of each kind.
func indicators() []takedown.Indicator {
	return []takedown.Indicator{
		{Kind: takedown.KindDomain, Value: "login.bank.example", Host: "login.bank.example", Registrable: "bank.example"},
		{Kind: takedown.KindURL, Value: "https://login.bank.example/verify.php?email=a%40b.example", Host: "login.bank.example", Registrable: "bank.example"},
		{Kind: takedown.KindURL, Value: "http://[2001:db8::7]:8080/x", Host: "2001:db8::7"},
		{Kind: takedown.KindIPv4, Value: "192.0.2.10", Host: "192.0.2.10"},
		{Kind: takedown.KindIPv6, Value: "2001:db8::10", Host: "2001:db8::10"},
	}
}

func request(class takedown.Class, i takedown.Indicator) takedown.NoticeRequest {
	return takedown.NoticeRequest{
		Kind: takedown.NoticeFirst, Reference: "DSI-000123", ReportID: "0b54a8ac-2c3b-4c1e-9d52-6f2c1f6f7d10",
		Indicator: i, Class: class, Role: takedown.RoleHost,
		Sender:    takedown.Sender{LegalName: "Example Response GmbH", Organisation: "Example Response", Email: "notices@response.example"},
		Addresses: []string{"192.0.2.10"}, FirstSeenAt: now.Add(-5 * time.Hour), CheckedAt: now.Add(-time.Hour),
		Observation: "the page answers with status 200", Descriptions: []string{"A first description."},
		Evidence: []takedown.Evidence{{Kind: "screenshot", MediaType: "image/png", Data: []byte("\x89PNG")}},
		Now:      now,
	}
}

// schema compiles the published schemas, with formats asserted.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	root := filepath.Join(corpora(t), "xarf", "schemas", "v4")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the XARF schemas are missing: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return c.AddResource(doc.(map[string]any)["$id"].(string), doc)
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://xarf.org/schemas/v4/xarf-v4-master.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// corpora finds the folder of outside data beside the project.
func corpora(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("DESIST_CORPORA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "corpora")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the package")
		}
		dir = parent
	}
}

func validate(t interface{ Errorf(string, ...any) }, s *jsonschema.Schema, name string, data []byte) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v\n%s", name, err, data)
	}
}

func TestEveryClassAndKindIsValid(t *testing.T) {
	s := schema(t)
	for _, class := range takedown.Classes() {
		for _, i := range indicators() {
			for _, role := range takedown.Roles() {
				req := request(class, i)
				req.Role = role
				a, err := Build(req, "response.example")
				if err != nil {
					t.Errorf("%s %s %s: %v", class, i.Value, role, err)
					continue
				}
				validate(t, s, string(class)+" "+i.Value, a.Data)
				if i.Kind == takedown.KindURL && strings.Contains(string(a.Data), `"url"`) && !strings.Contains(string(a.Data), i.Value) {
					t.Errorf("%s: the URL is not exact:\n%s", class, a.Data)
				}
			}
		}
	}
}

func TestFlowIsValid(t *testing.T) {
	s := schema(t)
	for _, tt := range []struct{ name, kind, log, want string }{
		{"scan", "log", "Nov 24 09:00:00 gw kernel: IN=eth0 SRC=192.0.2.10 DST=198.51.100.1 PROTO=TCP SPT=40000 DPT=22", "port_scan"},
		{"brute force", "brute force log", "SRC=192.0.2.10 DST=198.51.100.1 PROTO=TCP SPT=40000 DPT=22", "login_attack"},
		{"flood", "flood log", "SRC=192.0.2.10 PROTO=UDP SPT=53 DPT=9000", "ddos"},
		{"no port", "log", "SRC=192.0.2.10 PROTO=TCP", "threat_intelligence"},
		{"other source", "log", "SRC=203.0.113.9 PROTO=TCP SPT=40000 DPT=22", "threat_intelligence"},
		{"impossible port", "log", "SRC=192.0.2.10 PROTO=TCP SPT=70000 DPT=22", "threat_intelligence"},
	} {
		req := request(takedown.ClassAttack, indicators()[3])
		req.Evidence = []takedown.Evidence{{Kind: tt.kind, MediaType: "text/plain", Data: []byte(tt.log + "\n")}}
		a, err := Build(req, "")
		if err != nil {
			t.Fatal(err)
		}
		validate(t, s, tt.name, a.Data)
		var r report
		if err := json.Unmarshal(a.Data, &r); err != nil {
			t.Fatal(err)
		}
		if r.Type != tt.want {
			t.Errorf("%s: type %s, want %s", tt.name, r.Type, tt.want)
		}
	}
}

func TestGolden(t *testing.T) {
	for _, class := range takedown.Classes() {
		for n, i := range indicators() {
			if n == 2 || n == 4 {
				continue
			}
			a, err := Build(request(class, i), "response.example")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", fmt.Sprintf("%s-%s.json", class, i.Kind))
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, a.Data, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (run go test -update)", err)
			}
			if diff := cmp.Diff(string(want), string(a.Data)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*takedown.NoticeRequest)
		domain string
		want   takedown.ErrorKind
	}{
		{"withdrawal", func(r *takedown.NoticeRequest) { r.Kind = takedown.NoticeWithdrawal }, "", takedown.KindDenied},
		{"no organisation", func(r *takedown.NoticeRequest) { r.Sender = takedown.Sender{Email: "a@response.example"} }, "", takedown.KindDenied},
		{"no mail", func(r *takedown.NoticeRequest) { r.Sender.Email = "" }, "", takedown.KindDenied},
		{"bad domain", func(*takedown.NoticeRequest) {}, "no host name", takedown.KindDenied},
		{"id of version 1", func(r *takedown.NoticeRequest) { r.ReportID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8" }, "", takedown.KindPermanent},
		{"no id", func(r *takedown.NoticeRequest) { r.ReportID = "" }, "", takedown.KindPermanent},
		{"no class", func(r *takedown.NoticeRequest) { r.Class = "x" }, "", takedown.KindPermanent},
		{"no host", func(r *takedown.NoticeRequest) { r.Indicator.Host = "" }, "", takedown.KindPermanent},
	} {
		req := request(takedown.ClassPhishing, indicators()[1])
		tt.change(&req)
		_, err := Build(req, tt.domain)
		if takedown.KindOf(err) != tt.want {
			t.Errorf("%s: %v is %s, want %s", tt.name, err, takedown.KindOf(err), tt.want)
		}
	}
}

func TestEvidence(t *testing.T) {
	message := "Received: from x by y for <victim@target.example>; Tue\r\nTo: victim@target.example,\r\n second@target.example\r\nSubject: hello\r\n\r\nlive body"
	req := request(takedown.ClassMalware, indicators()[1])
	req.Evidence = []takedown.Evidence{
		{Kind: "sample", MediaType: "application/octet-stream", SHA256: strings.Repeat("AB", 32), Data: []byte("MZ live")},
		{Kind: "capture", MediaType: "text/plain", Data: []byte("MZ in disguise")},
		{Kind: "message", MediaType: "message/rfc822", Data: []byte(message)},
		{Kind: "archive", MediaType: "application/zip", Data: []byte("PK\x03\x04")},
		{Kind: "log", MediaType: "text/plain; charset=utf-8", Data: []byte("a line\n")},
		{Kind: "huge", MediaType: "text/plain", Data: bytes.Repeat([]byte("x"), maxItem+1)},
	}
	a, err := Build(req, "")
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(a.Data, &r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.Evidence {
		payload, err := base64.StdEncoding.DecodeString(e.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ContentType+"|"+string(payload))
	}
	for i, want := range []string{
		"text/plain|Not embedded (sample of malicious software)", "text/plain|Not embedded (content that may be active)",
		"text/rfc822-headers|Received: from x by y for (removed); Tue\nTo: (removed)\nSubject: hello\n",
		"text/plain|Not embedded (media type that may be active)", "text/plain|a line\n", "text/plain|Not embedded (too large to embed)",
	} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("item %d is %.120q, want %q", i, got[i], want)
		}
	}
	if r.FileHashes == nil || r.FileHashes.SHA256 != strings.Repeat("ab", 32) {
		t.Errorf("file hash %+v", r.FileHashes)
	}
	if bytes.Contains(a.Data, []byte("victim@")) {
		t.Error("a recipient was printed")
	}
}

// TestAnyRequestIsValid: whatever people write, a report that is built is
// valid.
func TestAnyRequestIsValid(t *testing.T) {
	s := schema(t)
	rapid.Check(t, func(rt *rapid.T) {
		req := request(rapid.SampledFrom(takedown.Classes()).Draw(rt, "class"), rapid.SampledFrom(indicators()).Draw(rt, "indicator"))
		req.Descriptions = rapid.SliceOfN(rapid.String(), 0, 4).Draw(rt, "descriptions")
		req.Observation = rapid.String().Draw(rt, "observation")
		req.Sender.Organisation = rapid.String().Draw(rt, "organisation")
		req.Addresses = rapid.SliceOfN(rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1", "junk"}), 0, 3).Draw(rt, "addresses")
		if rapid.Bool().Draw(rt, "unseen") {
			req.FirstSeenAt, req.CheckedAt = time.Time{}, time.Time{}
		}
		req.Evidence = []takedown.Evidence{{
			Kind:      rapid.String().Draw(rt, "kind"),
			MediaType: rapid.SampledFrom([]string{"text/plain", "message/rfc822", "application/zip", ""}).Draw(rt, "media"),
			Data:      rapid.SliceOf(rapid.Byte()).Draw(rt, "data"),
		}}
		a, err := Build(req, "")
		if err != nil {
			rt.Fatal(err)
		}
		validate(rt, s, "any", a.Data)
	})
}

func FuzzFlow(f *testing.F) {
	f.Add([]byte("SRC=192.0.2.10 PROTO=TCP SPT=1 DPT=2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := []takedown.Evidence{{Data: data}}
		if got, ok := findFlow(list, "192.0.2.10"); ok && (got.sourcePort < 1 || got.sourcePort > 65535) {
			t.Errorf("port %d", got.sourcePort)
		}
		redactHeaders(data)
	})
}
