package dns

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A server is one configured resolver.
type server struct {
	addr string // host:port
	tls  bool
	name string // for verification of the certificate
}

func (s server) String() string {
	if s.tls {
		return "tls://" + s.addr
	}
	return s.addr
}

// parseServer reads "host:port", "host", or "tls://host:port#name".
func parseServer(spec string) (server, error) {
	var s server
	rest, isTLS := strings.CutPrefix(strings.TrimSpace(spec), "tls://")
	s.tls = isTLS
	port := "53"
	if isTLS {
		port = "853" // RFC 7858 section 3.1
		rest, s.name, _ = strings.Cut(rest, "#")
	}
	host, p, err := net.SplitHostPort(rest)
	if err != nil {
		host, p = strings.Trim(rest, "[]"), port
	}
	if n, err := strconv.ParseUint(p, 10, 16); host == "" || err != nil || n == 0 || strings.ContainsAny(host, "/ #") {
		return s, fmt.Errorf("dns server %q is neither host:port nor tls://host:port#name", spec)
	}
	if s.name == "" {
		s.name = host
	}
	s.addr = net.JoinHostPort(host, p)
	return s, nil
}
