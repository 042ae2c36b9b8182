package whois_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"desist/resolvers/whois"
)

// corpora returns the folder of outside data, or skips.
func corpora(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("DESIST_CORPORA")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "corpora")
	}
	dir = filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpus is not here: %v; set DESIST_CORPORA to its folder", err)
	}
	return dir
}

type truth struct {
	Domain struct {
		Status      []string `json:"status"`
		NameServers []string `json:"name_servers"`
		Created     string   `json:"created_date_in_time"`
		Updated     string   `json:"updated_date_in_time"`
		Expires     string   `json:"expiration_date_in_time"`
	} `json:"domain"`
	Registrar struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Email       string `json:"email"`
		ReferralURL string `json:"referral_url"`
	} `json:"registrar"`
}

// score counts agreement with the labels of one field.
type score struct{ right, wrong int }

func (s *score) add(t *testing.T, file, field, got, want string) {
	t.Helper()
	if strings.EqualFold(strings.TrimSpace(got), strings.TrimSpace(want)) {
		s.right++
		return
	}
	s.wrong++
	t.Logf("%s: %s = %q, label %q", file, field, got, want)
}

func sameTime(got, want string) string {
	a, err1 := time.Parse(time.RFC3339Nano, got)
	b, err2 := time.Parse(time.RFC3339Nano, want)
	if err1 == nil && err2 == nil && a.Equal(b) {
		return want
	}
	return got
}

func joined(list []string) string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// TestCorpusFound measures against labelled answers of many registries. The
// floors are just below what is reached, so that a change that loses accuracy is
// seen.
func TestCorpusFound(t *testing.T) {
	dir := corpora(t, "whois", "found")
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	scores := map[string]*score{}
	for _, field := range []string{"outcome", "nameservers", "statuses", "created", "updated", "expires", "iana_id", "registrar", "abuse_email", "url"} {
		scores[field] = &score{}
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		label, err := os.ReadFile(strings.TrimSuffix(file, ".txt") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want truth
		if err := json.Unmarshal(label, &want); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		_, domain, _ := strings.Cut(name, "_")
		got := whois.Parse("whois.example", domain, body)
		scores["outcome"].add(t, name, "outcome", string(got.Outcome), "found")
		scores["nameservers"].add(t, name, "nameservers", joined(got.Nameservers), joined(want.Domain.NameServers))
		scores["statuses"].add(t, name, "statuses", joined(got.Statuses), joined(want.Domain.Status))
		if want.Domain.Created != "" {
			scores["created"].add(t, name, "created", sameTime(got.Created, want.Domain.Created), want.Domain.Created)
		}
		if want.Domain.Updated != "" {
			scores["updated"].add(t, name, "updated", sameTime(got.Updated, want.Domain.Updated), want.Domain.Updated)
		}
		if want.Domain.Expires != "" {
			scores["expires"].add(t, name, "expires", sameTime(got.Expires, want.Domain.Expires), want.Domain.Expires)
		}
		scores["iana_id"].add(t, name, "iana_id", got.Registrar.IANAID, want.Registrar.ID)
		scores["registrar"].add(t, name, "registrar", got.Registrar.Name, want.Registrar.Name)
		scores["abuse_email"].add(t, name, "abuse_email", got.Registrar.AbuseEmail, want.Registrar.Email)
		scores["url"].add(t, name, "url", got.Registrar.URL, want.Registrar.ReferralURL)
	}
	floors := map[string]float64{
		"outcome": 0.99, "nameservers": 0.99, "statuses": 0.97, "created": 0.95, "updated": 0.98, "expires": 0.92,
		"iana_id": 0.99, "registrar": 0.98, "abuse_email": 0.97, "url": 0.96,
	}
	for field, s := range scores {
		share := float64(s.right) / float64(s.right+s.wrong)
		t.Logf("%-12s %3d of %3d (%.3f)", field, s.right, s.right+s.wrong, share)
		if share < floors[field] {
			t.Errorf("%s: %.3f is below the floor of %.3f", field, share, floors[field])
		}
	}
}

func TestCorpusNotFound(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora(t, "whois", "notfound"), "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var s score
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		_, domain, _ := strings.Cut(name, "_")
		s.add(t, name, "outcome", string(whois.Parse("whois.example", domain, body).Outcome), "notfound")
	}
	t.Logf("%d of %d", s.right, s.right+s.wrong)
	// One name is not registered because it cannot be; that is "reserved".
	if s.wrong > 1 {
		t.Errorf("%d answers of %d are misjudged", s.wrong, s.right+s.wrong)
	}
}

// TestCorpusNetworks compares with the contacts that were read by hand.
func TestCorpusNetworks(t *testing.T) {
	dir := corpora(t, "rdap")
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string]struct {
		Abuse    []string `json:"abuse"`
		Fallback []string `json:"fallback"`
		Country  string   `json:"country"`
	}
	if err := json.Unmarshal(data, &labels); err != nil {
		t.Fatal(err)
	}
	for address, want := range labels {
		body, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(address, ":", "_")+".whois.txt"))
		if err != nil {
			t.Fatal(err)
		}
		got := whois.Parse("whois.example", address, body)
		accepted := slices.Concat(want.Abuse, want.Fallback)
		if len(want.Abuse) == 0 {
			accepted = append(accepted, "")
		}
		if !slices.ContainsFunc(accepted, func(a string) bool { return strings.EqualFold(a, got.Chosen) }) {
			t.Errorf("%s: chosen %q, want one of %q; contacts %v", address, got.Chosen, accepted, got.Contacts)
		}
		if got.Country != want.Country {
			t.Errorf("%s: country %q, want %q", address, got.Country, want.Country)
		}
		if len(got.Network.CIDRs) == 0 {
			t.Errorf("%s: no prefix was read", address)
		}
	}
}
