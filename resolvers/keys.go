package resolvers

import (
	"strconv"
	"strings"

	"desist/resolvers/mailbox"
	"desist/takedown"
)

// RegistrarKey identifies a registrar across cases: by its IANA ID, which is
// global, else by its name within the TLD, because country-code registries
// accredit by name.
func RegistrarKey(domain, name, ianaID string) string {
	if n, err := strconv.ParseUint(ianaID, 10, 32); err == nil && n > 0 {
		return "iana:" + strconv.FormatUint(n, 10)
	}
	return "registrar:" + topLevel(domain) + "/" + slug(name)
}

// NetworkKey identifies a network.
func NetworkKey(cidr string) string { return "net:" + cidr }

// ASNKey identifies an autonomous system.
func ASNKey(asn uint32) string { return "asn:" + strconv.FormatUint(uint64(asn), 10) }

// PlatformKey identifies a shared platform by its suffix.
func PlatformKey(suffix string) string { return "platform:" + suffix }

// RegistryKey identifies the registry of a TLD.
func RegistryKey(tld string) string { return "registry:" + tld }

func topLevel(domain string) string {
	return strings.ToLower(domain[strings.LastIndexByte(domain, '.')+1:])
}

// slug lower-cases a name and joins its words with single hyphens.
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return strings.ContainsRune(" \t.,;:/()[]\"'", r)
	}), "-")
}

// ContactAttrs are the attributes of a takedown.FactContact finding for a mail
// address: how it was stated, how far it can be trusted, and where it stood.
func ContactAttrs(c mailbox.Candidate) map[string]string {
	return map[string]string{
		"channel":    string(takedown.ChannelEmail),
		"kind":       string(c.Kind),
		"role":       strings.Join(c.Roles, " "),
		"handle":     c.Source,
		"why":        c.Why,
		"confidence": strconv.FormatFloat(c.Confidence, 'f', 2, 64),
	}
}
