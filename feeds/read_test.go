package feeds_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"desist/feeds"
	"desist/takedown"
)

// summary returns a line for each row, and one for the final error.
func summary(t *testing.T, raw []byte, opts feeds.Options) []string {
	t.Helper()
	var out []string
	for row, err := range feeds.Read(bytes.NewReader(raw), opts) {
		m := row.Message
		switch {
		case err != nil:
			out = append(out, "end: "+err.Error())
		case row.Skipped:
			out = append(out, fmt.Sprintf("%s: skipped: %v", row.Place(), row.Err))
		case row.Err != nil:
			out = append(out, fmt.Sprintf("%s: error: %v", row.Place(), row.Err))
			if takedown.KindOf(row.Err) != takedown.KindPermanent {
				t.Errorf("%s: %v is not permanent", row.Place(), row.Err)
			}
		default:
			line := fmt.Sprintf("%s: %s %s", row.Place(), m.Class, row.Indicator.Value)
			if m.SeenAt != nil {
				line += " at " + m.SeenAt.Format(time.RFC3339)
			}
			for _, part := range []struct{ name, value string }{
				{"id", m.ExternalID},
				{"tlp", m.TLP},
				{"refs", strings.Join(m.References, " ")},
				{"about", m.Description},
			} {
				if part.value != "" {
					line += fmt.Sprintf(" %s=%q", part.name, part.value)
				}
			}
			if m.Confidence != 0 {
				line += fmt.Sprintf(" confidence=%g", m.Confidence)
			}
			out = append(out, line)
		}
	}
	return out
}

var update = flag.Bool("update", false, "rewrite the expected rows in testdata")

// TestReadFiles compares each file of testdata with the rows in the file of the
// same name and ".rows".
func TestReadFiles(t *testing.T) {
	tests := []struct {
		file   string
		format feeds.Format
		class  takedown.Class
	}{
		{"list.txt", feeds.Text, takedown.ClassPhishing},
		{"table.csv", feeds.CSV, ""},
		{"messages.jsonl", feeds.JSONL, ""},
		{"messages.json", feeds.JSON, takedown.ClassSpam},
		{"event.json", feeds.MISP, ""},
		{"bundle.json", feeds.STIX, ""},
		{"urlhaus.csv", feeds.URLhaus, ""},
		{"threatfox.json", feeds.ThreatFox, ""},
		{"phishtank.csv", feeds.PhishTank, ""},
		{"phishtank.json", feeds.PhishTank, ""},
		{"openphish.txt", feeds.OpenPhish, ""},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			path := filepath.Join("testdata", tt.file)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := summary(t, raw, feeds.Options{Format: tt.format, DefaultClass: tt.class, Name: tt.file})
			if *update {
				if err := os.WriteFile(path+".rows", []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path + ".rows")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			// Auto finds the same format and so the same rows, every time.
			for range 2 {
				auto := summary(t, raw, feeds.Options{DefaultClass: tt.class, Name: tt.file})
				if diff := cmp.Diff(got, auto); diff != "" {
					t.Errorf("as %s and as auto (-explicit +auto):\n%s", tt.format, diff)
				}
			}
			withBOM := summary(t, append([]byte("\ufeff"), raw...), feeds.Options{DefaultClass: tt.class, Name: tt.file})
			if diff := cmp.Diff(got, withBOM); diff != "" {
				t.Errorf("with a byte order mark (-without +with):\n%s", diff)
			}
		})
	}
}

func TestReadSmall(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	tests := []struct {
		name string
		opts feeds.Options
		in   string
		want []string
	}{
		{"nothing", feeds.Options{}, "", nil},
		{"only blanks", feeds.Options{}, "\n \n# remark\n", nil},
		{
			"a line of 10 MB",
			feeds.Options{DefaultClass: "spam"},
			"a.example\n" + long + "\nb.example\n",
			[]string{"line 1: spam a.example", "line 2: error: the line has 10485761 bytes and the limit is 65536; split or remove it", "line 3: spam b.example"},
		},
		{
			"a CSV line of 10 MB",
			feeds.Options{DefaultClass: "spam"},
			"ip,id\n192.0.2.1,1\n" + long + "\n192.0.2.2,2",
			[]string{`line 2: spam 192.0.2.1 id="1"`, "line 3: error: the line has 10485761 bytes and the limit is 65536; split or remove it", `line 4: spam 192.0.2.2 id="2"`},
		},
		{
			"a JSON line of 10 MB",
			feeds.Options{Format: feeds.JSONL, DefaultClass: "spam"},
			"\"" + long + "\"\n\"b.example\"",
			[]string{"line 1: error: the line has 10485763 bytes and the limit is 65536; split or remove it", "line 2: spam b.example"},
		},
		{
			"not UTF-8",
			feeds.Options{DefaultClass: "spam"},
			"\xff.example\r\nb.example\r\n",
			[]string{"line 1: error: the line is not valid UTF-8; save the file as UTF-8", "line 2: spam b.example"},
		},
		{"UTF-16", feeds.Options{Name: "a.txt"}, "\xff\xfea\x00", []string{"end: feeds: read a.txt as auto: it is UTF-16; save it as UTF-8"}},
		{
			"a quotation mark left open",
			feeds.Options{DefaultClass: "spam"},
			"domain,comment\na.example,\"open\nb.example,x\nc.example,y\n",
			[]string{
				"line 2: error: a quotation mark is not closed; close or remove it",
				`line 3: spam b.example about="x"`, `line 4: spam c.example about="y"`,
			},
		},
		{
			"CSV without header",
			feeds.Options{Format: feeds.CSV, DefaultClass: "spam"},
			"a.example,whatever\n\"b.example\",x",
			[]string{"line 1: spam a.example", "line 2: spam b.example"},
		},
		{
			"CSV with kinds",
			feeds.Options{DefaultClass: "spam"},
			"type,value\nurl,http://a.example/\nsha256,abc\n",
			[]string{"line 2: spam http://a.example/", "line 3: skipped: not a network indicator"},
		},
		{
			"text that begins like JSON",
			feeds.Options{DefaultClass: "spam"},
			"[2001:db8::1]\n[.]a.example",
			[]string{"line 1: spam 2001:db8::1", "line 2: spam a.example"},
		},
		{
			"time of the feed",
			feeds.Options{DefaultClass: "spam", SeenAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
			"a.example",
			[]string{"line 1: spam a.example at 2026-03-01T00:00:00Z"},
		},
		{
			"wrapped messages",
			feeds.Options{},
			`{"submissions":[{"indicator":"a.example","class":"spam"}]}`,
			[]string{"submissions[0]: spam a.example"},
		},
		{
			"one message",
			feeds.Options{},
			`{"indicator":"a.example","class":"spam"}`,
			[]string{"$: spam a.example"},
		},
		{
			"broken JSON",
			feeds.Options{Format: feeds.MISP, Name: "e.json"},
			"{\"Event\":\n{\"Attribute\": [}}",
			[]string{"end: feeds: read e.json as misp: it is not JSON: invalid character '}' looking for beginning of value (line 2); mend the document"},
		},
		{"empty JSON", feeds.Options{Format: feeds.STIX}, "", []string{"end: feeds: read input as stix: it is empty; give a JSON document"}},
		{"not a bundle", feeds.Options{Format: feeds.STIX}, "7", []string{"end: feeds: read input as stix: the document is not a STIX bundle: it is a JSON number"}},
		{"not an event", feeds.Options{Format: feeds.MISP}, `[{"x":1},7]`, []string{
			"[0]: error: it is not a MISP event: it has neither Attribute nor Object",
			"[1]: error: it is not a MISP event: it is a JSON number",
		}},
		{"ThreatFox has nothing", feeds.Options{}, `{"query_status":"no_result","data":"Your search did not yield any results"}`, nil},
		{"ThreatFox refuses", feeds.Options{}, `{"query_status":"unknown_auth_key"}`, []string{
			`end: feeds: read input as threatfox: ThreatFox answered "unknown_auth_key" instead of data; ask it again`,
		}},
		{
			"ThreatFox export",
			feeds.Options{},
			`{"41":[{"ioc_value":"192.0.2.1:80","ioc_type":"ip:port","threat_type":"botnet_cc","first_seen_utc":"2026-03-01 10:00:00","tags":"a,None"}]}`,
			[]string{`41[0]: c2 192.0.2.1 at 2026-03-01T10:00:00Z id="41" about="tags: a"`},
		},
		{"unknown format", feeds.Options{Format: "xml"}, "", []string{
			`end: feeds: read input as xml: format "xml" is not one of auto, text, csv, json, jsonl, misp, stix, urlhaus, threatfox, phishtank, openphish`,
		}},
		{"unknown class", feeds.Options{DefaultClass: "theft"}, "", []string{
			`end: feeds: read input as auto: class "theft" is not one of phishing, malware, c2, compromised, spam, attack, fraudshop`,
		}},
		{
			"OpenPhish by name",
			feeds.Options{Name: "openphish-feed.txt"},
			"http://a.example/\n",
			[]string{"line 1: phishing http://a.example/"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summary(t, []byte(tt.in), tt.opts)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadFailingReader(t *testing.T) {
	lost := errors.New("connection lost")
	for _, format := range []feeds.Format{feeds.Auto, feeds.Text, feeds.CSV, feeds.JSONL, feeds.JSON, feeds.PhishTank} {
		var final error
		for _, err := range feeds.Read(io.MultiReader(strings.NewReader("a.example\n"), iotest.ErrReader(lost)), feeds.Options{Format: format}) {
			if err != nil {
				final = err
			}
		}
		if !errors.Is(final, lost) {
			t.Errorf("%s: final error %v, want %v", format, final, lost)
		}
	}
}

func TestReadStops(t *testing.T) {
	rows := 0
	for range feeds.Read(strings.NewReader(strings.Repeat("a.example\n", 100)), feeds.Options{DefaultClass: takedown.ClassSpam}) {
		if rows++; rows == 3 {
			break
		}
	}
	if rows != 3 {
		t.Errorf("read %d rows after a break at 3", rows)
	}
}

func TestReadLargeDocument(t *testing.T) {
	in := io.LimitReader(blanks{}, 65<<20)
	for _, err := range feeds.Read(in, feeds.Options{Format: feeds.JSON}) {
		if err == nil || !strings.Contains(err.Error(), "larger than 67108864 bytes; split it") {
			t.Errorf("error %v, want one that names the limit", err)
		}
	}
}

// blanks is an endless document.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func FuzzReadText(f *testing.F) { fuzz(f, feeds.Auto, "list.txt", "openphish.txt") }
func FuzzReadCSV(f *testing.F)  { fuzz(f, feeds.CSV, "table.csv", "urlhaus.csv", "phishtank.csv") }
func FuzzReadMISP(f *testing.F) { fuzz(f, feeds.MISP, "event.json") }
func FuzzReadJSON(f *testing.F) {
	fuzz(f, feeds.Auto, "bundle.json", "threatfox.json", "phishtank.json", "messages.json", "messages.jsonl")
}

// fuzz checks that every row is either usable or says why not.
func fuzz(f *testing.F, format feeds.Format, files ...string) {
	for _, name := range files {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ended := false
		for row, err := range feeds.Read(bytes.NewReader(raw), feeds.Options{Format: format, DefaultClass: takedown.ClassSpam}) {
			if ended {
				t.Fatal("a row after the final error")
			}
			if ended = err != nil; ended {
				continue
			}
			if row.Line == 0 && row.Where == "" {
				t.Fatalf("row %+v has no place", row)
			}
			if row.Err != nil {
				continue
			}
			if row.Skipped || row.Indicator.Kind.Validate() != nil || row.Message.Class.Validate() != nil || row.Message.Indicator == "" {
				t.Fatalf("row %+v is neither usable nor explained", row)
			}
		}
	})
}
