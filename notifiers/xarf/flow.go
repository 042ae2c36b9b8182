package xarf

import (
	"net/netip"
	"strconv"
	"strings"

	"desist/takedown"
)

// flow is the traffic that a packet filter logged.
type flow struct {
	source          string
	sourcePort      int
	protocol        string
	destinationPort int
	text            string // lower-case evidence, for the kind of attack
}

// maxLog bounds how much of a log is searched.
const maxLog = 1 << 20

// findFlow looks for a log line in the key=value form of Linux netfilter
// (SRC=192.0.2.1 … PROTO=TCP SPT=40000 DPT=22) whose source is host. The
// connection types require protocol and source port; a line that lacks either
// proves nothing.
func findFlow(list []takedown.Evidence, host string) (flow, bool) {
	want, err := netip.ParseAddr(host)
	if err != nil {
		return flow{}, false
	}
	for _, e := range list {
		if media, _, _ := strings.Cut(e.MediaType, ";"); media != "text/plain" && media != "" {
			continue
		}
		text := string(e.Data[:min(len(e.Data), maxLog)])
		for line := range strings.Lines(text) {
			f := flow{text: strings.ToLower(e.Kind + " " + line)}
			for field := range strings.FieldsSeq(line) {
				key, value, ok := strings.Cut(field, "=")
				if !ok {
					continue
				}
				switch key {
				case "SRC":
					if a, err := netip.ParseAddr(value); err == nil && a == want {
						f.source = a.String()
					}
				case "PROTO":
					switch p := strings.ToLower(value); p {
					case "tcp", "udp", "sctp":
						f.protocol = p
					}
				case "SPT":
					f.sourcePort = port(value)
				case "DPT":
					f.destinationPort = port(value)
				}
			}
			if f.source != "" && f.protocol != "" && f.sourcePort > 0 {
				return f, true
			}
		}
	}
	return flow{}, false
}

// attack names the connection type: what the evidence says of itself, else a
// probe of a port, which is what one logged packet proves.
func (f flow) attack() string {
	for _, known := range []struct{ word, kind string }{
		{"ddos", "ddos"}, {"flood", "ddos"}, {"login", "login_attack"}, {"brute", "login_attack"},
	} {
		if strings.Contains(f.text, known.word) {
			return known.kind
		}
	}
	return "port_scan"
}

func port(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}
