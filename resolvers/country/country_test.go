package country_test

import (
	"testing"

	"desist/resolvers/country"
)

func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		"DE": "DE", "de": "DE", "UK": "GB", "GBR": "GB", "USA": "US", "U.S.A.": "US", "UNITED STATES": "US", "United States (US)": "US",
		"FR (FRANCE)": "FR", "NORWAY": "NO", "Norge": "NO", "Deutschland": "DE", "Korea, Republic of": "KR", "Viet  Nam": "VN", "日本": "JP",
		"EU": "", "AP": "", "ZZ": "", "XX": "", "78180": "", "": "", "Idaho": "", "REDACTED FOR PRIVACY": "",
	} {
		got, ok := country.Code(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestFromAddress(t *testing.T) {
	for in, want := range map[string]string{
		"1 Street\nTown\nUNITED STATES": "US", `1 Street\nTokyo 101-0047,Japan`: "JP", "1 Street\nTown\nDE": "DE",
		"1 Street, Town, CA": "", "London GB": "", "": "", "\n\n": "",
	} {
		if got, _ := country.FromAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
