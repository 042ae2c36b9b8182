package simnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// dialPatience is how long a connection attempt to a silent address takes when
// the caller sets no deadline.
const dialPatience = 30 * time.Second

// Dial connects to an address of the world; it is meant for the DialContext
// hooks of clients. Ports 80, 8080 and 443 reach the web server, 53 the name
// server, 25 and 587 the mail exchanger, 43 the WHOIS server of that address.
// The world's own loopback sockets are reached as they are. Everything else is
// refused.
func (n *Net) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		if ip, err = n.lookup(host); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	ip = ip.Unmap()
	if ip.IsLoopback() {
		return n.dialLoopback(ctx, network, addr)
	}
	target := ""
	switch port {
	case "80", "8080":
		target, err = n.webTarget(ip, n.webAddr)
	case "443":
		target, err = n.webTarget(ip, n.tlsAddr)
	case "25", "587":
		target = n.mtaAddr
	case "53":
		target = n.dnsAddr
	case "43":
		if server, ok := n.idx.whoisAddr[ip]; ok {
			target = n.whois[server]
		}
	default:
		// Indicators from outside name ports as they like.
		if n.world.foreign && len(n.idx.byAddr[ip]) > 0 {
			target, err = n.webTarget(ip, n.webAddr)
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &net.OpError{Op: "dial", Net: network, Addr: tcpAddr(ip, port), Err: n.silence(ctx)}
	case err != nil || target == "":
		return nil, &net.OpError{Op: "dial", Net: network, Addr: tcpAddr(ip, port), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return n.dialLoopback(ctx, network, target)
}

func (n *Net) dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	switch { // families differ between the world and its sockets
	case strings.HasPrefix(network, "tcp"):
		network = "tcp"
	case strings.HasPrefix(network, "udp"):
		network = "udp"
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// silence waits as for a host that does not answer.
func (n *Net) silence(ctx context.Context) error {
	timer := time.NewTimer(dialPatience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return net.ErrClosed
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// webTarget says who listens on an address: a host that was taken off the net
// refuses, unless other sites share its address.
func (n *Net) webTarget(ip netip.Addr, target string) (string, error) {
	switch n.faults.site(ip.String()) {
	case "timeout":
		return "", os.ErrDeadlineExceeded
	case "refused":
		return "", syscall.ECONNREFUSED
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	sites := n.idx.byAddr[ip]
	for _, s := range sites {
		if s.serves != stateRefused {
			return target, nil
		}
	}
	if len(sites) > 0 {
		return "", syscall.ECONNREFUSED
	}
	return target, nil // CDN edges, organisations, unused customers' addresses
}

// lookup resolves a name of the world for callers that dial names.
func (n *Net) lookup(host string) (netip.Addr, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	n.mu.RLock()
	defer n.mu.RUnlock()
	if h := n.idx.infra[host]; h != nil {
		return h.addrs[0], nil
	}
	if s := n.idx.sites[host]; s != nil && s.serves != stateNoDNS && (s.domain == nil || s.domain.hold == "") {
		if s.cdn != nil {
			return n.edgeAddrs(s)[0], nil
		}
		return s.addrs[0], nil
	}
	return netip.Addr{}, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func tcpAddr(ip netip.Addr, port string) net.Addr {
	return stringAddr(net.JoinHostPort(ip.String(), port))
}

type stringAddr string

func (stringAddr) Network() string  { return "tcp" }
func (a stringAddr) String() string { return string(a) }

// startGateway opens a proxy that knows CONNECT only (RFC 9110 section 9.3.6),
// through which another process reaches the world.
func (n *Net) startGateway(ctx context.Context) error {
	ln, err := n.listen(ctx, 0)
	if err != nil {
		return fmt.Errorf("simnet: gateway: %w", err)
	}
	n.gwAddr = ln.Addr().String()
	n.acceptLoop(ln, n.serveGateway)
	return nil
}

func (n *Net) serveGateway(c net.Conn) {
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil { // real time: it guards the socket
		return
	}
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
		return
	}
	if req.Method != http.MethodConnect {
		_, _ = io.WriteString(c, "HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nConnection: close\r\n\r\n")
		return
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, dialPatience)
	up, err := n.Dial(ctx, "tcp", req.Host)
	cancel()
	if err != nil {
		status, reason := "502 Bad Gateway", "destination_unavailable" // RFC 9209 section 2.3
		switch {
		case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
			status, reason = "504 Gateway Timeout", "connection_timeout"
		case errors.Is(err, syscall.ECONNREFUSED):
			reason = "connection_refused"
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\nProxy-Status: simnet; error=%s; details=%q\r\nConnection: close\r\n\r\n", status, reason, err.Error())
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = up.Close() // the client is gone
		return
	}
	n.tunnel(c, br, up)
}

// tunnel copies both ways until both ends are done or the world ends.
func (n *Net) tunnel(c net.Conn, fromClient io.Reader, up net.Conn) {
	stop := context.AfterFunc(n.ctx, func() { _ = up.Close() })
	defer stop()
	defer func() { _ = up.Close() }() // the peer may have closed first
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(up, fromClient) // a broken tunnel is seen by both ends
		closeWrite(up)
	})
	_, _ = io.Copy(c, up)
	closeWrite(c)
	wg.Wait()
}

func closeWrite(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite() // it may be closed already
	}
}
