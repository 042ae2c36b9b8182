package feeds

import (
	"strings"
	"unicode"

	"desist/takedown"
)

// vocabulary maps what feeds call abuse to classes. Earlier lines win: a botnet's
// control server is more than malware. Phrases match whole words.
var vocabulary = []struct {
	class   takedown.Class
	phrases []string
}{
	{takedown.ClassC2, []string{"c2", "c2c", "cnc", "c c", "command and control", "commandandcontrol", "botnet"}},
	{takedown.ClassPhishing, []string{"phishing", "phish", "spearphishing", "smishing", "vishing", "quishing", "credential harvesting", "phishing kit", "phishtank"}},
	{takedown.ClassCompromised, []string{"compromised", "defacement", "defaced", "webshell", "hacked", "web skimmer"}},
	{takedown.ClassFraudshop, []string{"fraudshop", "fakeshop", "fake shop", "fake store", "scam shop"}},
	{takedown.ClassMalware, []string{
		"malware", "malware download", "payload", "payload delivery", "payload installation", "dropper", "trojan", "ransomware", "ransom", "stealer", "infostealer",
		"loader", "exploit kit", "virus", "worm", "spyware", "keylogger", "remote access trojan", "amplification malware",
	}},
	{takedown.ClassSpam, []string{"spam", "spamming", "unsolicited mail"}},
	{takedown.ClassAttack, []string{"attack", "ddos", "dos", "brute force", "bruteforce", "scanner", "scanning", "port scan", "intrusion attempt", "exploitation"}},
}

// classOf returns the class that the first telling hint names, or none.
func classOf(hints ...string) takedown.Class {
	for _, hint := range hints {
		words := " " + normal(hint) + " "
		for _, v := range vocabulary {
			for _, phrase := range v.phrases {
				if strings.Contains(words, " "+phrase+" ") {
					return v.class
				}
			}
		}
	}
	return ""
}

// normal returns the words of a hint in lower case with single blanks between.
func normal(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}

func classNames() string {
	var names []string
	for _, c := range takedown.Classes() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// tlp returns the Traffic Light Protocol 2.0 label in a tag such as "tlp:white",
// or nothing. White was renamed to clear in 2022.
func tlp(tag string) string {
	label, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(tag)), "tlp:")
	if !ok {
		return ""
	}
	switch label {
	case "white":
		return "clear"
	case "clear", "green", "amber", "amber+strict", "red":
		return label
	}
	return ""
}
