package rdap_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"desist/resolvers/rdap"
	"desist/takedown"
)

// entity wraps jCard properties into a network with one abuse entity.
func entity(properties string) []byte {
	return []byte(`{"startAddress":"192.0.2.0","endAddress":"192.0.2.255","entities":[{"handle":"H","roles":["Abuse"],"vcardArray":["vcard",[["version",{},"text","4.0"],` + properties + `]]}]}`)
}

func TestJCard(t *testing.T) {
	tests := []struct {
		name, properties string
		chosen, country  string
	}{
		{"malformed neighbour", `["fn"],42,["tel",{}],["email",[],"text","abuse@h.example"]`, "abuse@h.example", ""},
		{"preferred", `["email",{"pref":"9"},"text","noc@h.example"],["email",{"PREF":1},"text","soc@h.example"]`, "soc@h.example", ""},
		{"desk before person", `["email",{},"text","jane.doe@h.example"],["email",{},"text","abuse@h.example"]`, "abuse@h.example", ""},
		{"several persons", `["email",{},"text","jane.doe@h.example"],["email",{},"text","john.doe@h.example"]`, "", ""},
		{"two in one", `["email",{},"text","abuse@h.example, noc@h.example"]`, "abuse@h.example", ""},
		{"place-holder", `["email",{},"text","removed@h.example"],["email",{},"text","REDACTED FOR PRIVACY"]`, "", ""},
		{"upper case and IDN", `["email",{},"text","Abuse@BÜCHER.Example"]`, "Abuse@xn--bcher-kva.example", ""},
		{"street as array", `["email",{},"text","abuse@h.example"],["adr",{},"text",["","",["1 Way","Floor 2"],"Meridian","Idaho","83642","United States"]]`, "abuse@h.example", "US"},
		{"empty street", `["adr",{},"text",["","",[],"Oslo","","0150","NORWAY"]]`, "", "NO"},
		{"postcode is no country", `["adr",{},"text",["","",["a","b"],"Paris","","78180",""]]`, "", ""},
		{"cc wins", `["adr",{"cc":"de","label":"Paris\nFrance"},"text",["","","","","","","FR"]]`, "", "DE"},
		{"label", `["adr",{"label":"1 Street\\nTown\\nCA\\n94043\\nUNITED STATES"},"text",["","","","","","",""]]`, "", "US"},
		{"state is no country", `["adr",{"label":"1 Street, Town, CA"},"text",null]`, "", ""},
	}
	for _, tt := range tests {
		got, err := rdap.Parse("192.0.2.1", entity(tt.properties))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.Chosen != tt.chosen || got.Country != tt.country {
			t.Errorf("%s: chosen %q, country %q; want %q, %q; contacts %+v", tt.name, got.Chosen, got.Country, tt.chosen, tt.country, got.Contacts)
		}
	}
}

func TestParseShapes(t *testing.T) {
	tests := []struct {
		name, body, object string
		kind               takedown.ErrorKind
	}{
		{"domain without class", `{"ldhName":"shop.test","nameservers":[]}`, "domain", ""},
		{"nameserver", `{"ldhName":"ns.shop.test","ipAddresses":{}}`, "nameserver", ""},
		{"autnum", `{"startAutnum":64496}`, "autnum", ""},
		{"entity", `{"handle":"X","roles":["abuse"]}`, "entity", ""},
		{"unknown class with shape", `{"objectClassName":"odd","startAddress":"192.0.2.0"}`, "ip network", ""},
		{"nothing", `{}`, "", takedown.KindPermanent},
		{"array", `[]`, "", takedown.KindPermanent},
		{"error", `{"errorCode":404,"title":"none"}`, "", takedown.KindNotFound},
		{"busy", `{"errorCode":503}`, "", takedown.KindTemporary},
	}
	for _, tt := range tests {
		got, err := rdap.Parse("shop.test", []byte(tt.body))
		if got.Object != tt.object || takedown.KindOf(err) != tt.kind {
			t.Errorf("%s: object %q, %v", tt.name, got.Object, err)
		}
	}
}

func TestParsePrefixes(t *testing.T) {
	for body, want := range map[string][]string{
		`{"startAddress":"192.0.2.0","endAddress":"192.0.2.127"}`:                                      {"192.0.2.0/25"},
		`{"startAddress":"192.000.002.000","endAddress":"192.0.2.255/32"}`:                             {"192.0.2.0/24"},
		`{"startAddress":"192.0.2.1","endAddress":"192.0.2.2"}`:                                        {"192.0.2.1/32", "192.0.2.2/32"},
		`{"startAddress":"2001:db8::","endAddress":"2001:db8:0:ffff:ffff:ffff:ffff:ffff"}`:             {"2001:db8::/48"},
		`{"startAddress":"x","cidr0_cidrs":[{"v4prefix":"192.0.2.0","length":24},{"v4prefix":"bad"}]}`: {"192.0.2.0/24"},
		`{"startAddress":"","handle":"198.51.100.0/24"}`:                                               {"198.51.100.0/24"},
		`{"startAddress":"192.0.2.9","endAddress":"192.0.2.1"}`:                                        {},
		`{"startAddress":"0.0.0.0","endAddress":"255.255.255.255"}`:                                    {"0.0.0.0/0"},
	} {
		got, err := rdap.Parse("192.0.2.1", []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if diff := cmp.Diff(want, got.CIDRs); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(networkJSON)
	f.Add(registrarJSON)
	f.Add(string(entity(`["adr",{"cc":1},"text",[[[]]]],["email",{"pref":"x"},"text",null]`)))
	f.Fuzz(func(t *testing.T, body string) {
		r, err := rdap.Parse("shop.test", []byte(body))
		if err != nil {
			return
		}
		if r.Object == "" {
			t.Error("no object and no error")
		}
		if r.Chosen != "" && (len(r.Contacts) == 0 || r.Contacts[0].Email != r.Chosen) {
			t.Errorf("chosen %q is not the first contact", r.Chosen)
		}
		for _, c := range r.Contacts {
			if strings.ContainsAny(c.Email, "\r\n \x00") || !strings.Contains(c.Email, "@") {
				t.Errorf("%q is no address", c.Email)
			}
		}
	})
}
