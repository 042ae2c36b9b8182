package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"desist/internal/simnet"
	"desist/takedown"
)

var equal = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// parse loads text as the file conf/desist.yaml, with the secrets' files given.
func parse(text string, environ []string, files map[string]string) (Config, error) {
	return load("conf/desist.yaml", []byte(text), append(environ, "HOME=/home/someone"), func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	})
}

func TestReferenceIsTheDefault(t *testing.T) {
	got, err := parse(Reference, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.DataDir = ""
	if diff := cmp.Diff(Default(), got, equal); diff != "" {
		t.Errorf("desist.yaml and Default differ (-Default +file):\n%s", diff)
	}
}

func TestReferenceNamesEveryKey(t *testing.T) {
	tree, err := parser.ParseBytes([]byte(Reference), 0)
	if err != nil {
		t.Fatal(err)
	}
	present := map[string]bool{}
	var visit func(path string, n ast.Node)
	visit = func(path string, n ast.Node) {
		if m, ok := n.(ast.MapNode); ok {
			for it := m.MapRange(); it.Next(); {
				key := join(path, it.Key().GetToken().Value)
				present[key] = true
				visit(key, it.Value())
			}
		}
	}
	visit("", tree.Docs[0].Body)

	cfg := Default()
	names := map[string]string{}
	walk("", reflect.ValueOf(&cfg).Elem(), func(key string, v reflect.Value) {
		if !present[key] {
			t.Errorf("%s is missing from desist.yaml", key)
		}
		all := []string{EnvName(key)}
		if secret(v.Type()) {
			all = append(all, EnvName(key)+"_FILE")
			section, name, _ := cutLast(key)
			if !strings.Contains(Reference, name+"_file") {
				t.Errorf("desist.yaml does not say that %s.%s_file exists", section, name)
			}
		}
		for _, name := range all {
			if other, taken := names[name]; taken {
				t.Errorf("%s and %s share the variable %s", key, other, name)
			}
			names[name] = key
		}
	})
	if len(names) < 100 {
		t.Errorf("walk found only %d keys", len(names))
	}
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n", "\n\n", "smtp:\n", "listen:\n", "track:\n  first:\n", "roles: null\n", "smtp: {}\n"} {
		cfg, err := parse(text, nil, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		cfg.DataDir = ""
		if diff := cmp.Diff(Default(), cfg, equal); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestFile(t *testing.T) {
	cfg, err := parse(`
data_dir: state
database: {url: "postgres://desist:s3cret@db.example.org/desist"}
sender:
  legal_name: Example Response Team
  telephone: +49 30 1234
  email: abuse@example.org
  country: NO
  address: |
    1 Example Street
    Oslo
smtp:
  password: 007
  username: 1_000
  relay: relay.example.org:587
  tls: starttls
policy:
  own_prefixes: [192.0.2.0/24, "2001:db8::1"]
  review: {classes: [], min_confidence: 1}
ladder:
  registrar:
    after: 1d12h
track: {watch: 45d, first: 0.5h}
whois: {servers: {com: "127.0.0.1:43"}}
resolve: {budget: {per_server: {rdap.example.net: 2}}}
rdap: {bootstrap: https://data.example.org/rdap}
contacts: {overrides: contacts.yaml}
templates: {dir: /etc/desist/templates}
auth:
  tokens:
    - {name: importer, token_file: importer.token, scopes: [submit]}
simnet: {dial: "127.0.0.1:9999", clock_factor: 3600, epoch: 2026-01-31T12:00:00Z}
notify: {digest: 15m}
`, nil, map[string]string{filepath.Join("conf", "importer.token"): strings.Repeat("a", 64) + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.DataDir = filepath.Join("conf", "state")
	want.Database.URL = "postgres://desist:s3cret@db.example.org/desist"
	want.Sender = Sender{LegalName: "Example Response Team", Telephone: "+49 30 1234", Email: "abuse@example.org", Country: "NO", Address: "1 Example Street\nOslo\n"}
	want.SMTP.Password, want.SMTP.Username, want.SMTP.Relay, want.SMTP.TLS = "007", "1_000", "relay.example.org:587", TLSStartTLS
	want.Policy.OwnPrefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}
	want.Policy.Review.Classes, want.Policy.Review.MinConfidence = nil, 1
	want.Ladder.Registrar.After = 36 * time.Hour
	want.Track.Watch, want.Track.First = 45*day, 30*time.Minute
	want.WHOIS.Servers = map[string]string{"com": "127.0.0.1:43"}
	want.Resolve.Budget.PerServer = map[string]float64{"rdap.example.net": 2}
	want.RDAP.Bootstrap = "https://data.example.org/rdap"
	want.Contacts.Overrides = filepath.Join("conf", "contacts.yaml")
	want.Templates.Dir = "/etc/desist/templates"
	want.Auth.Tokens = []Token{{Name: "importer", Token: Secret(strings.Repeat("a", 64)), Scopes: []string{"submit"}}}
	want.Simnet = Simnet{Dial: "127.0.0.1:9999", ClockFactor: 3600, Epoch: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	want.Notify.Digest.Window = 15 * time.Minute
	if diff := cmp.Diff(want, cfg, equal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFileFaults(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "smtp:\n  relay: a.example:25\n  pasword: x\n", "conf/desist.yaml:3:3: smtp.pasword: unknown key; the keys here are relay, tls, "},
		{"unknown at top", "\nlissten: x\n", "conf/desist.yaml:2:1: lissten: unknown key"},
		{"unknown in a list", "auth:\n  tokens:\n    - nome: x\n", "conf/desist.yaml:3:7: auth.tokens[0].nome: unknown key"},
		{"case counts", "Listen: x\n", "conf/desist.yaml:1:1: Listen: unknown key"},
		{"file of what is no secret", "smtp:\n  relay_file: x\n", "conf/desist.yaml:2:3: smtp.relay_file: unknown key"},
		{"twice", "listen: a\nlisten: b\n", `conf/desist.yaml:2:1: mapping key "listen" already defined`},
		{"not YAML", "smtp: {\n", "conf/desist.yaml:1:7: "},
		{"two documents", "listen: \":1\"\n---\nlisten: \":2\"\n", "conf/desist.yaml:3:7: a second document begins"},
		{"a list at top", "- a\n", "conf/desist.yaml:1:1: must be a section with keys: data_dir, "},
		{"text for a section", "smtp: relay.example:25\n", "conf/desist.yaml:1:7: smtp: must be a section with keys: relay, "},
		{"text for a list", "roles: api\n", "conf/desist.yaml:1:8: roles: must be a list"},
		{"text for a map", "whois:\n  servers: x\n", "conf/desist.yaml:2:12: whois.servers: must be a section of names"},
		{"list for text", "listen: [a]\n", "conf/desist.yaml:1:9: listen: must be one value"},
		{"section for text", "listen: {a: b}\n", "listen: must be one value"},
		{"empty in a list", "roles:\n  - api\n  -\n", "roles[1]: is empty"},
		{"empty in a map", "whois: {servers: {com: }}\n", "whois.servers.com: is empty"},
		{"word for a number", "database:\n  max_conns: many\n", `conf/desist.yaml:2:14: database.max_conns: "many" is not a whole number`},
		{"word for a boolean", "policy: {review: {distinct_approver: perhaps}}\n", `"perhaps" is neither true nor false`},
		{"word for a share", "policy: {review: {min_confidence: .nan}}\n", `".nan" is not a number`},
		{"bad duration", "track:\n  first: 15\n", `conf/desist.yaml:2:10: track.first: "15" is not a duration; write a number with its unit`},
		{"bad digest", "notify: {digest: soon}\n", `notify.digest: "soon" is not a duration`},
		{"bad range", "netguard:\n  allow:\n    - 192.0.2.0/24\n    - 192.0.2.0/33\n", `conf/desist.yaml:4:7: netguard.allow[1]: "192.0.2.0/33" is not an address range`},
		{"bits beyond", "netguard: {allow: [192.0.2.1/24]}\n", `has bits beyond its length; write 192.0.2.0/24`},
		{"bad time", "simnet: {epoch: yesterday}\n", `"yesterday" is not a time`},
		{"anchor", "listen: &a x\n", "listen: anchors, aliases and tags are not supported"},
		{"tag", "listen: !!str x\n", "listen: anchors, aliases and tags are not supported"},
		{"merge", "smtp:\n  <<: {relay: x}\n", "merge keys are not supported"},
		{"secret and file", "smtp:\n  password: x\n  password_file: y\n", "conf/desist.yaml:3:3: smtp.password_file: is set here and by password on line 2; keep one of them"},
		{"file and secret", "smtp:\n  password_file: y\n  password: x\n", "conf/desist.yaml:3:3: smtp.password: is set here and by password_file on line 2; keep one of them"},
		{"no such file", "smtp:\n  password_file: nowhere\n", "conf/desist.yaml:2:18: smtp.password_file: cannot read the secret: open conf/nowhere"},
		{"empty file", "smtp:\n  password_file: void\n", "the file conf/void is empty"},
		{"printed secret", "smtp:\n  password: …hidden…\n", "stands for a secret in printed settings"},
		{"deep", strings.Repeat("[", 100), "nested more than 32 deep"},
		{"every fault at once", "lissten: x\ntrack: {first: soon}\n", "track.first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(tc.text, nil, map[string]string{"conf/void": "\n"})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	const file = "listen: 127.0.0.1:1\nroles: [api]\nsmtp:\n  password: from-file\n  username: u\n  relay: 127.0.0.1:25\ntrack: {first: 1m}\n"
	files := map[string]string{"/run/secret": "from-secret\r\n"}
	for _, tc := range []struct {
		name    string
		environ []string
		get     func(Config) any
		want    any
		fault   string
	}{
		{"text", []string{"DESIST_LISTEN=127.0.0.1:2"}, func(c Config) any { return c.Listen }, "127.0.0.1:2", ""},
		{"the last one counts", []string{"DESIST_LISTEN=x", "DESIST_LISTEN=127.0.0.1:3"}, func(c Config) any { return c.Listen }, "127.0.0.1:3", ""},
		{"empty is unset", []string{"DESIST_LISTEN="}, func(c Config) any { return c.Listen }, "127.0.0.1:1", ""},
		{"other names", []string{"LISTEN=x", "desist_listen=x"}, func(c Config) any { return c.Listen }, "127.0.0.1:1", ""},
		{"database", []string{"DESIST_DATABASE_URL=postgres://h/d?a=b"}, func(c Config) any { return c.Database.URL.Reveal() }, "postgres://h/d?a=b", ""},
		{"list", []string{"DESIST_ROLES=web, track ,"}, func(c Config) any { return c.Roles }, []string{"web", "track"}, ""},
		{"classes", []string{"DESIST_POLICY_REVIEW_CLASSES=c2"}, func(c Config) any { return c.Policy.Review.Classes }, []takedown.Class{"c2"}, ""},
		{"ranges", []string{"DESIST_NETGUARD_ALLOW=127.0.0.0/8,::1"}, func(c Config) any { return fmt.Sprint(c.Netguard.Allow) }, "[127.0.0.0/8 ::1/128]", ""},
		{"map", []string{"DESIST_WHOIS_SERVERS=com=127.0.0.1:43,net=127.0.0.1:44"}, func(c Config) any { return c.WHOIS.Servers }, map[string]string{"com": "127.0.0.1:43", "net": "127.0.0.1:44"}, ""},
		{"rates", []string{"DESIST_RESOLVE_BUDGET_PER_SERVER=a.example=0.5"}, func(c Config) any { return c.Resolve.Budget.PerServer }, map[string]float64{"a.example": 0.5}, ""},
		{"duration", []string{"DESIST_TRACK_WATCH=7d"}, func(c Config) any { return c.Track.Watch }, 7 * day, ""},
		{"digest", []string{"DESIST_NOTIFY_DIGEST=1h", "DESIST_NOTIFY_DIGEST_SIZE=5"}, func(c Config) any { return c.Notify.Digest }, Digest{time.Hour, 5}, ""},
		{"boolean", []string{"DESIST_LADDER_CSIRT_ENABLED=1"}, func(c Config) any { return c.Ladder.CSIRT.Enabled }, true, ""},
		{"secret beats file", []string{"DESIST_SMTP_PASSWORD=from-env"}, func(c Config) any { return c.SMTP.Password.Reveal() }, "from-env", ""},
		{"secret's file beats secret in file", []string{"DESIST_SMTP_PASSWORD_FILE=/run/secret"}, func(c Config) any { return c.SMTP.Password.Reveal() }, "from-secret", ""},
		{"both", []string{"DESIST_SMTP_PASSWORD=x", "DESIST_SMTP_PASSWORD_FILE=/run/secret"}, nil, nil, "DESIST_SMTP_PASSWORD and DESIST_SMTP_PASSWORD_FILE are both set"},
		{"no such file", []string{"DESIST_DATABASE_URL_FILE=/nowhere"}, nil, nil, "environment: DESIST_DATABASE_URL_FILE: cannot read the secret"},
		{"bad duration", []string{"DESIST_TRACK_WATCH=7"}, nil, nil, `environment: DESIST_TRACK_WATCH: "7" is not a duration`},
		{"bad range", []string{"DESIST_NETGUARD_ALLOW=x"}, nil, nil, `environment: DESIST_NETGUARD_ALLOW: "x" is not an address range`},
		{"bad map", []string{"DESIST_WHOIS_SERVERS=com"}, nil, nil, `environment: DESIST_WHOIS_SERVERS: "com" is not name=value`},
		{"bad rate", []string{"DESIST_RESOLVE_BUDGET_PER_SERVER=a=b"}, nil, nil, `"b" is not a number`},
		{"tokens", []string{"DESIST_AUTH_TOKENS=x"}, nil, nil, "can only be set in the file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := parse(file, tc.environ, files)
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Errorf("got %v, want %s", err, tc.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, tc.get(cfg)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUnknownEnv(t *testing.T) {
	got := UnknownEnv([]string{"DESIST_LISTEN=x", "DESIST_SMTP_PASSWORD_FILE=x", "DESIST_SMTP_RELAY_FILE=x", "DESIST_LISSTEN=x", "HOME=/", "DESIST_LISSTEN=y"})
	if diff := cmp.Diff([]string{"DESIST_LISSTEN", "DESIST_SMTP_RELAY_FILE"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatalf("the defaults are not valid: %v", err)
	}
	for _, tc := range []struct {
		text string
		want []string // beginnings of the faults, in order
	}{
		{"sending: live\n", []string{"sender.legal_name: is needed", "sender.email: is needed", "sender.country: is needed"}},
		{"sending: live\nsender: {legal_name: Example, email: a@example.org, country: NL}\n", nil},
		{"sending: yes\n", []string{`sending: "yes" is not one of dry-run, live`}},
		{"sender: {email: Me <a@example.org>, country: nl, privacy_url: x, legal_name: \"a\\nb\"}\n", []string{"sender.email: ", "sender.country: ", "sender.privacy_url: ", "sender.legal_name: "}},
		{"listen: x\npublic_url: desist.example.org\nroles: [api, cook]\nstartup_timeout: 0\n", []string{"listen: ", "public_url: ", `roles: "cook" is not one of api, `, "startup_timeout: "}},
		{"listen: \":8080\"\npublic_url: https://desist.example.org/base\n", nil},
		{"roles: []\n", []string{"roles: names nothing"}},
		{"log: {level: loud, format: xml}\n", []string{"log.level: ", "log.format: "}},
		{"database: {url: localhost, max_conns: 0}\n", []string{"database.url: is not a PostgreSQL address", "database.max_conns: 0 is not between"}},
		{"database: {url: \"host=/run/postgresql dbname=desist\"}\n", nil},
		{"nats: {url: \"nats://a.example:4222\", listen: \"127.0.0.1:4222\"}\n", []string{"nats.listen: is for the server inside"}},
		{"nats: {listen: \"0.0.0.0:4222\", credentials: x, replicas: 9}\n", []string{"nats.replicas: ", "nats.credentials: ", "nats.listen: 0.0.0.0:4222 can be reached"}},
		{"nats: {username: u}\n", []string{"nats.username: "}},
		{"smtp: {relay: mail, tls: maybe, connections: 0, timeout: 0}\n", []string{"smtp.relay: ", "smtp.tls: ", "smtp.connections: ", "smtp.timeout: "}},
		{"smtp: {relay: \"mail.example:25\", username: u, password: p, tls: none}\n", []string{"smtp.tls: none would show the password"}},
		{"smtp: {relay: \"mail.example:587\", username: u, password: p}\n", nil},
		{"smtp: {relay: \"mail.example:465\", tls: tls}\n", nil},
		{"smtp: {relay: \"mail.example:587\", tls: tls}\n", []string{"smtp.tls: tls needs a relay on port 465"}},
		{"smtp: {relay: \"127.0.0.1:25\", tls: none, username: u, password: p}\n", nil},
		{"smtp: {username: u}\n", []string{"smtp.username: goes with", "smtp.username: logs in to smtp.relay"}},
		{"smtp: {dkim: {domain: example.org}}\n", []string{"smtp.dkim: needs domain, selector and key together"}},
		{"inbox: {lmtp: x, imap: {address: y, tls: opportunistic, mailbox: \"\"}}\n", []string{"inbox.lmtp: ", "inbox.imap.address: ", "inbox.imap.tls: ", "inbox.imap.mailbox: "}},
		{"deliver: {lease: 0, retry: {first: 1h, max: 1m, give_up: 1s}}\n", []string{"deliver.lease: ", "deliver.retry.max: 1m is shorter", "deliver.retry.give_up: 1s is shorter"}},
		{"notify: {digest: {window: -1m, size: 0}}\n", []string{"notify.digest.window: ", "notify.digest.size: "}},
		{"resolve: {sources: [dns, dns, guess], contact_zone: \"a..b\", budget: {rate: 0, per_server: {x: -1}}}\n", []string{"resolve.sources: names dns twice", `resolve.sources: "guess"`, "resolve.contact_zone: ", "resolve.budget.rate: ", "resolve.budget.per_server.x: "}},
		{"resolve: {contact_zone: abuse-contacts.example., asn_zone: _origin.example}\n", nil},
		{"dns: {servers: [192.0.2.53, \"192.0.2.53:53\", \"tls://192.0.2.53:853#dns.example\", \"https://dns.example\"]}\n", []string{`dns.servers: "192.0.2.53" is not`, `dns.servers: "https://dns.example"`}},
		{"whois: {servers: {com: whois.example}}\n", []string{"whois.servers.com: "}},
		{"rdap: {bootstrap: \"ftp://data.example.org\"}\n", []string{"rdap.bootstrap: "}},
		{"policy: {max_age: 0, own_domains: [\"-x.example\"], review: {classes: [porn], grades: [D], min_confidence: 2}}\n", []string{"policy.max_age: ", "policy.own_domains: ", "policy.review.classes: class \"porn\" is not one of", "policy.review.grades: ", "policy.review.min_confidence: "}},
		{"ladder: {host: {after: -1h, reminders: 11, reminder_after: 0, classes: [x]}, manual_after: 0}\n", []string{"ladder.host.after: ", "ladder.host.reminders: ", "ladder.host.reminder_after: ", "ladder.host.classes: ", "ladder.manual_after: "}},
		{"track: {confirm_rounds: 0, watch: -1d, canary: example.org}\n", []string{"track.confirm_rounds: ", "track.watch: ", "track.canary: "}},
		{"simnet: {clock_factor: 60}\n", []string{"simnet.clock_factor: and simnet.epoch change the clock"}},
		{"simnet: {dial: x, clock_factor: 0}\n", []string{"simnet.dial: ", "simnet.clock_factor: "}},
		{"auth: {tokens: [{name: a, token: short, scopes: []}, {name: a, token: 0123456789abcdef0123456789abcdef, scopes: [rule]}]}\n", []string{"auth.tokens[0].token: has fewer than 32", "auth.tokens[0].scopes: ", "auth.tokens[1].name: ", "auth.tokens[1].scopes: "}},
		{"pipeline: {batch: 0, sweep_after: 0}\n", []string{"pipeline.batch: ", "pipeline.sweep_after: "}},
	} {
		_, err := parse(tc.text, nil, nil)
		var got []string
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if len(got) != len(tc.want) {
			t.Errorf("%q: got %d faults, want %d:\n%s", tc.text, len(got), len(tc.want), strings.Join(got, "\n"))
			continue
		}
		for i, want := range tc.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%q: got %q, want %q…", tc.text, got[i], want)
			}
		}
	}
}

func TestPrint(t *testing.T) {
	cfg := Default()
	cfg.DataDir = "/var/lib/desist"
	cfg.Database.URL = "postgres://desist:hunter2@db.example.org/desist"
	cfg.SMTP.DKIM.Key = "hunter2"
	cfg.SMTP.Password = "hunter2"
	cfg.Sender.LegalName = "\"Example\" <Team>: #1\n"
	cfg.Auth.Tokens = []Token{{Name: "importer", Token: "hunter2hunter2", Scopes: []string{"submit", "read"}}}
	cfg.Netguard.Allow = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	cfg.WHOIS.Servers = map[string]string{"net": "192.0.2.2:43", "com": "192.0.2.1:43"}
	var b strings.Builder
	if err := cfg.Print(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if strings.Contains(out, "hunter2") || strings.Contains(fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg.SMTP.Password), "hunter2") {
		t.Errorf("a secret shows:\n%s", out)
	}
	for _, want := range []string{
		"\n  url: \"postgres://desist:…hidden…@db.example.org/desist\"\n",
		"\n    key: \"…hidden…\"\n", "\n      token: \"…hidden…\"\n", "\n  first: 15m\n", "\n  watch: 30d\n",
		"\n  servers: {\"com\": \"192.0.2.1:43\", \"net\": \"192.0.2.2:43\"}\n", "\n  allow: [\"2001:db8::/32\"]\n", "\n  epoch: null\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}

	// What is printed loads again, but for the secrets, which must be refused.
	if _, err := parse(out, nil, nil); err == nil || strings.Count(err.Error(), "stands for a secret") != 4 {
		t.Errorf("load of printed secrets: got %v, want 4 refusals", err)
	}
	cfg.Database.URL, cfg.SMTP.DKIM.Key, cfg.SMTP.Password, cfg.Auth.Tokens, cfg.Sender.LegalName = "", "", "", nil, "\"Example\" <Team>: #1"
	b.Reset()
	if err := cfg.Print(&b); err != nil {
		t.Fatal(err)
	}
	got, err := parse(b.String(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg, got, equal); diff != "" {
		t.Errorf("printed and loaded (-want +got):\n%s", diff)
	}
}

func TestSecretURL(t *testing.T) {
	for in, want := range map[SecretURL]string{
		"": "",
		"postgres://u:p@h:5432/d?sslmode=require": "postgres://u:…hidden…@h:5432/d?sslmode=require",
		"postgres://u@h/d":                        "postgres://u@h/d",
		"postgres:///d?host=/run/postgresql":      "postgres:///d?host=/run/postgresql",
		"postgres://h/d?user=u&password=p":        Hidden,
		"host=h password=p":                       Hidden,
		"nats://token@h:4222":                     "nats://…hidden…@h:4222",
		"nats://u:p@a:4222,nats://b:4222":         "nats://u:…hidden…@a:4222,nats://b:4222",
		"nats://u:p:q@[::1":                       Hidden,
		"u:p@h":                                   Hidden,
	} {
		if got := in.String(); got != want {
			t.Errorf("%q shows as %q, want %q", in.Reveal(), got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "30d": 30 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "-2d": -2 * day, "-1d1h": -25 * time.Hour, "1h30m": 90 * time.Minute, "0d": 0, "100ms": 100 * time.Millisecond,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "15", "1x", "1h1d", "d1h", "--1d", "+1d", "1d-1h", "1d+1h", "1e3d", "infd", "0x1d", "200000d", "106751d24h", " 1h", "1 d", "1d1d", "..d"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", in, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-math.MaxInt64+1, math.MaxInt64-1).Draw(t, "d"))
		got, err := ParseDuration(formatDuration(d))
		// Days go through a float, which is exact for whole ones.
		if err != nil || got != d {
			t.Fatalf("%d prints as %s and reads as %d, %v", d, formatDuration(d), got, err)
		}
	})
}

func TestUnbuiltSettingsAreNamed(t *testing.T) {
	if err := Default().Unbuilt(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	cfg := Default()
	cfg.SMTP.DKIM.Domain = "example.org"
	cfg.Notify.Digest.Window = time.Minute
	err := cfg.Unbuilt()
	for _, want := range []string{"smtp.dkim: ", "notify.digest.window: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestDefaultDataDir(t *testing.T) {
	for _, tc := range []struct {
		environ []string
		uid     int
		want    string
	}{
		{[]string{"XDG_STATE_HOME=/state", "HOME=/home/someone"}, 1000, "/state/desist"},
		{[]string{"XDG_STATE_HOME=state", "HOME=/home/someone"}, 1000, "/home/someone/.local/state/desist"},
		{[]string{"HOME=/root"}, 0, "/var/lib/desist"},
		{nil, 1000, "/var/lib/desist"},
	} {
		if got := DefaultDataDir(func(name string) string { return lookup(tc.environ, name) }, tc.uid); got != tc.want {
			t.Errorf("%v as %d: got %s, want %s", tc.environ, tc.uid, got, tc.want)
		}
	}
}

// TestSimulatedInternet shows that what "desist simnet" prints is a file for us.
func TestSimulatedInternet(t *testing.T) {
	world, err := simnet.Tiny()
	if err != nil {
		t.Fatal(err)
	}
	net, err := simnet.Start(t.Context(), simnet.Config{World: world, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := parse(string(net.ServeConfig()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Simnet.Dial != net.GatewayAddr() || cfg.SMTP.Relay != net.SMTPAddr() || len(cfg.WHOIS.Servers) == 0 {
		t.Errorf("got %+v %+v %+v", cfg.Simnet, cfg.SMTP, cfg.WHOIS)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "desist.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("desist.yaml", "database:\n  url_file: database\n")
	write("database", "postgres://desist@db.example.org/desist\n")
	cfg, err := Load(path, []string{"XDG_STATE_HOME=/state"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cfg.Database.URL.Reveal(), "postgres://desist@db.example.org/desist"; got != want {
		t.Errorf("database.url = %s, want %s", got, want)
	}
	if cfg.DataDir != "/state/desist" {
		t.Errorf("data_dir = %s", cfg.DataDir)
	}
	if _, err := Load("", nil); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "nowhere"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	write("desist.yaml", strings.Repeat("#", maxFile+1))
	if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), "is longer than") {
		t.Errorf("a long file: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Reference, "DESIST_TRACK_FIRST=1h")
	f.Add("smtp: {password_file: x}\n", "DESIST_WHOIS_SERVERS=com=127.0.0.1:43")
	f.Add("auth:\n  tokens:\n    - {name: a, token: b}\n", "")
	f.Add("a: &x [*x]\n---\n? [b]\n: !!c |\n  d\n", "DESIST_NOTIFY_DIGEST=1d")
	f.Add("<<: {a: b}\nroles: [null, {a: b}, [c]]\n", "DESIST_NETGUARD_ALLOW=::/0")
	f.Fuzz(func(t *testing.T, text, variable string) {
		cfg, err := parse(text, []string{variable}, map[string]string{"conf/x": "secret"})
		if err != nil {
			return
		}
		// What loads is valid, and prints as something that loads to the same.
		if err := cfg.Validate(); err != nil {
			t.Errorf("loaded but not valid: %v", err)
		}
		var b strings.Builder
		if err := cfg.Print(&b); err != nil {
			t.Fatal(err)
		}
		again, err := parse(b.String(), nil, nil)
		if strings.Contains(b.String(), Hidden) {
			return
		}
		if err != nil {
			t.Fatalf("printed settings do not load: %v\n%s", err, b.String())
		}
		// Relative paths were already made relative to the file.
		again.DataDir, cfg.DataDir = "", ""
		again.CDN, cfg.CDN = "", ""
		again.NATS.Credentials, cfg.NATS.Credentials = "", ""
		again.RDAP, cfg.RDAP = RDAP{}, RDAP{}
		again.Contacts, cfg.Contacts = Contacts{}, Contacts{}
		again.Templates, cfg.Templates = Templates{}, Templates{}
		again.Policy.Warninglists, cfg.Policy.Warninglists = "", ""
		again.Inbox.Maildir, cfg.Inbox.Maildir = "", ""
		if diff := cmp.Diff(cfg, again, equal); diff != "" {
			t.Errorf("printed settings load to something else (-want +got):\n%s\n%s", diff, b.String())
		}
	})
}
