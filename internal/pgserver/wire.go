package pgserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// The frontend/backend protocol, version 3.0 (PostgreSQL manual, "Message
// Formats"), as far as it takes to know that the server answers and to create a
// database: no password, simple queries, no result rows.

// maxMessage bounds one message of the server; those met here are far smaller.
const maxMessage = 1 << 20

// A serverError is an ErrorResponse.
type serverError struct {
	code    string // SQLSTATE
	message string
}

func (e *serverError) Error() string { return e.message + " (SQLSTATE " + e.code + ")" }

const (
	codeDuplicateDatabase  = "42P04"
	codeTooManyConnections = "53300"
	codeCannotConnectNow   = "57P03" // starting up, recovering or shutting down
)

// query connects to a database over the socket in dir, runs one SQL text, and
// throws its rows away. Empty SQL only proves that the server takes work.
func query(ctx context.Context, dir, database, sql string) (err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(dir, socketName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	startup := binary.BigEndian.AppendUint32(nil, 3<<16)
	for _, s := range []string{"user", superuser, "database", database, ""} {
		startup = append(append(startup, s...), 0)
	}
	if _, err := conn.Write(withLength(nil, startup)); err != nil {
		return fmt.Errorf("send startup packet: %w", err)
	}
	if err := readUntilReady(conn); err != nil || sql == "" {
		return err
	}
	if _, err := conn.Write(withLength([]byte{'Q'}, append([]byte(sql), 0))); err != nil {
		return fmt.Errorf("send query: %w", err)
	}
	return readUntilReady(conn)
}

// withLength appends the length, which counts itself, and the body.
func withLength(msg, body []byte) []byte {
	msg = binary.BigEndian.AppendUint32(msg, uint32(len(body)+4))
	return append(msg, body...)
}

// readUntilReady reads up to ReadyForQuery and returns the first error reported
// before it. During startup an error ends the stream instead.
func readUntilReady(r io.Reader) error {
	var failure error
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if failure != nil {
				return failure
			}
			return fmt.Errorf("read answer: %w", err)
		}
		n := int64(binary.BigEndian.Uint32(head[1:])) - 4
		if n < 0 || n > maxMessage {
			return fmt.Errorf("read answer: message of %d bytes", n)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		switch head[0] {
		case 'Z': // ReadyForQuery
			return failure
		case 'E': // ErrorResponse
			if failure == nil {
				failure = parseError(body)
			}
		case 'R': // Authentication
			if n < 4 || binary.BigEndian.Uint32(body) != 0 {
				return errors.New("the server asks for a password, which a private server never does")
			}
		}
	}
}

func parseError(body []byte) error {
	e := &serverError{code: "?????", message: "error without text"}
	for field := range strings.SplitSeq(string(body), "\x00") {
		if field == "" {
			break
		}
		switch field[0] {
		case 'C':
			e.code = field[1:]
		case 'M':
			e.message = field[1:]
		}
	}
	return e
}
