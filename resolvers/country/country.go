// Package country reads the ways in which registries write a country: ISO 3166-1
// alpha-2 and alpha-3 codes, names in English and the languages that registries
// use, and customary short forms. What it cannot read with certainty it leaves
// unknown; a wrong country would choose the wrong law.
package country

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// customary are forms that neither ISO 3166 nor CLDR lists.
var customary = map[string]string{
	"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "great britain": "GB",
	"united kingdom of great britain and northern ireland": "GB",
	"usa": "US", "u.s.a.": "US", "u.s.": "US", "united states of america": "US",
	"korea": "KR", "korea, republic of": "KR", "republic of korea": "KR", "south korea": "KR", "korea (republic of)": "KR",
	"russian federation": "RU", "the russian federation": "RU",
	"viet nam": "VN", "czech republic": "CZ", "the netherlands": "NL", "holland": "NL", "taiwan": "TW",
	"taiwan, province of china": "TW", "hong kong": "HK", "macau": "MO", "macao": "MO", "iran": "IR",
	"iran, islamic republic of": "IR", "moldova, republic of": "MD", "republic of moldova": "MD",
	"tanzania, united republic of": "TZ", "venezuela, bolivarian republic of": "VE", "bolivia, plurinational state of": "BO",
	"syrian arab republic": "SY", "lao people's democratic republic": "LA", "brunei darussalam": "BN",
	"macedonia": "MK", "swaziland": "SZ", "burma": "MM", "ivory coast": "CI", "turkey": "TR", "türkiye": "TR",
	"p.r. china": "CN", "pr china": "CN", "people's republic of china": "CN", "p. r. china": "CN",
	"deutschland": "DE", "schweiz": "CH", "österreich": "AT", "norge": "NO", "sverige": "SE", "danmark": "DK", "suomi": "FI",
}

// names maps lower-case names and alpha-3 codes to alpha-2 codes. CLDR is read
// once; the map is never written again.
var names = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 4096)
	namers := make([]display.Namer, 0, 16)
	for _, tag := range []language.Tag{
		language.English, language.German, language.French, language.Spanish, language.Portuguese, language.Italian,
		language.Dutch, language.Polish, language.Swedish, language.Norwegian, language.Danish, language.Finnish,
		language.Czech, language.Russian, language.Turkish, language.Japanese, language.Chinese, language.Korean,
	} {
		namers = append(namers, display.Regions(tag))
	}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.String() != code || region.IsPrivateUse() {
				continue
			}
			m[strings.ToLower(code)] = code
			if iso3 := region.ISO3(); iso3 != "ZZZ" {
				m[strings.ToLower(iso3)] = code
			}
			for _, n := range namers {
				// A name that two countries share stays with the first; CLDR
				// has none within one language.
				key := strings.ToLower(n.Name(region))
				if _, taken := m[key]; !taken && key != "" {
					m[key] = code
				}
			}
		}
	}
	for name, code := range customary {
		m[name] = code
	}
	// Neither is a country: EU marks networks of several countries, AP those
	// of the Asia-Pacific region.
	for _, code := range []string{"eu", "ap", "un", "zz", "ez"} {
		delete(m, code)
	}
	return m
})

// Code returns the ISO 3166-1 alpha-2 code for what a registry wrote, or false.
func Code(s string) (string, bool) {
	key := strings.ToLower(strings.Join(strings.Fields(s), " "))
	key = strings.TrimRight(key, " ,;")
	if key == "" {
		return "", false
	}
	all := names()
	if code, ok := all[key]; ok {
		return code, true
	}
	// "United States (US)"
	if i := strings.LastIndexByte(key, '('); i >= 0 && strings.HasSuffix(key, ")") {
		if code, ok := all[key[i+1:len(key)-1]]; ok {
			return code, true
		}
		if code, ok := all[strings.TrimSpace(key[:i])]; ok {
			return code, true
		}
	}
	return "", false
}

// FromAddress looks for a country at the end of a postal address: on its last
// line, or after the last comma of that line. Two-letter words count only if
// they are a whole line, because states and provinces share them with
// countries.
func FromAddress(address string) (string, bool) {
	address = strings.ReplaceAll(address, `\n`, "\n") // some servers escape twice
	lines := strings.FieldsFunc(address, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 {
		return "", false
	}
	last := strings.TrimSpace(lines[len(lines)-1])
	if len(lines) > 1 {
		if code, ok := Code(last); ok {
			return code, true
		}
	}
	if i := strings.LastIndexByte(last, ','); i >= 0 {
		last = strings.TrimSpace(last[i+1:])
	}
	if len(last) <= 3 {
		return "", false
	}
	return Code(last)
}
