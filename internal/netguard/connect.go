package netguard

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// maxConnectHeader caps the answer of a proxy in bytes.
const maxConnectHeader = 16 << 10

// ConnectProxyDialer returns a DialFunc that opens TCP connections through the
// HTTP proxy at proxyAddr with the CONNECT method (RFC 9110 section 9.3.6). The
// guard checks the address before, so that the proxy decides nothing.
func ConnectProxyDialer(proxyAddr string) DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !strings.HasPrefix(network, "tcp") {
			return nil, fmt.Errorf("connect %s through %s: a CONNECT proxy carries TCP, not %s", addr, proxyAddr, network)
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", proxyAddr)
		if err != nil {
			return nil, fmt.Errorf("connect %s through %s: %w", addr, proxyAddr, err)
		}
		tunnel, err := openTunnel(ctx, conn, addr)
		if err != nil {
			_ = conn.Close() // the first error tells more
			return nil, fmt.Errorf("connect %s through %s: %w", addr, proxyAddr, err)
		}
		return tunnel, nil
	}
}

func openTunnel(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", addr, addr); err != nil {
		return nil, err
	}
	limited := &headerLimit{conn: conn, left: maxConnectHeader}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("read the proxy's answer: %w", err)
	}
	_ = resp.Body.Close() // a 2xx answer to CONNECT has no body
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	limited.left = -1
	return &tunnelConn{Conn: conn, r: r}, nil
}

// refusal says why there is no tunnel, as far as the proxy tells (RFC 9209
// section 2.3). Whether the target refuses or is only out of the proxy's reach
// makes a difference to those who watch it.
func refusal(resp *http.Response) error {
	for _, field := range resp.Header.Values("Proxy-Status") {
		for param := range strings.SplitSeq(field, ";") {
			switch strings.TrimSpace(param) {
			case "error=connection_refused":
				return fmt.Errorf("the proxy answered %s: %w", resp.Status, syscall.ECONNREFUSED)
			case "error=destination_ip_unroutable":
				return fmt.Errorf("the proxy answered %s: %w", resp.Status, syscall.EHOSTUNREACH)
			case "error=connection_timeout":
				return fmt.Errorf("the proxy answered %s: %w", resp.Status, os.ErrDeadlineExceeded)
			}
		}
	}
	return fmt.Errorf("the proxy refused with %s", resp.Status)
}

// headerLimit bounds how much is read before the tunnel stands.
type headerLimit struct {
	conn net.Conn
	left int // negative: no limit
}

func (h *headerLimit) Read(p []byte) (int, error) {
	if h.left < 0 {
		return h.conn.Read(p)
	}
	if h.left == 0 {
		return 0, fmt.Errorf("the proxy's answer is longer than %d bytes", maxConnectHeader)
	}
	n, err := h.conn.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

// tunnelConn reads what the proxy sent together with its answer first.
type tunnelConn struct {
	net.Conn
	r *bufio.Reader
}

func (t *tunnelConn) Read(p []byte) (int, error) { return t.r.Read(p) }
