package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"desist/takedown"
)

// A bareClient speaks as little SMTP (RFC 5321) as hands a mail over.
type bareClient struct {
	conn net.Conn
	in   *bufio.Reader
}

// dialogueTime bounds one mail.
const dialogueTime = 30 * time.Second

func dialBare(ctx context.Context, address string) (*bareClient, error) {
	conn, err := (&net.Dialer{Timeout: dialogueTime}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the mail sink: %w", err)
	}
	c := &bareClient{conn: conn, in: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(dialogueTime)); err != nil {
		return nil, err
	}
	if err := c.expect("220"); err != nil {
		c.close()
		return nil, err
	}
	if err := c.command("EHLO localhost\r\n", "250"); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *bareClient) close() { _ = c.conn.Close() }

// A bareMail is a mail in the lines of its dialogue.
type bareMail struct {
	from, to string
	data     []byte
}

// newBareMail doubles leading dots (section 4.5.2) and adds the final one, once
// for all sends.
func newBareMail(n takedown.Notice) bareMail {
	data := bytes.ReplaceAll(n.Sealed, []byte("\r\n."), []byte("\r\n.."))
	return bareMail{
		from: "MAIL FROM:<" + n.EnvelopeFrom + ">\r\n", to: "RCPT TO:<" + n.Recipient + ">\r\n",
		data: append(bytes.Clone(data), ".\r\n"...),
	}
}

func (c *bareClient) send(m bareMail) error {
	if err := c.conn.SetDeadline(time.Now().Add(dialogueTime)); err != nil {
		return err
	}
	if err := c.command(m.from, "250"); err != nil {
		return err
	}
	if err := c.command(m.to, "250"); err != nil {
		return err
	}
	if err := c.command("DATA\r\n", "354"); err != nil {
		return err
	}
	if _, err := c.conn.Write(m.data); err != nil {
		return fmt.Errorf("send the mail: %w", err)
	}
	return c.expect("250")
}

func (c *bareClient) command(line, want string) error {
	if _, err := c.conn.Write([]byte(line)); err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
	}
	return c.expect(want)
}

// expect reads one reply of any number of lines (section 4.2.1).
func (c *bareClient) expect(code string) error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reply of the mail sink: %w", err)
		}
		if len(line) < 4 || string(line[:3]) != code {
			return fmt.Errorf("the mail sink replied %q, want %s", strings.TrimSpace(string(line)), code)
		}
		if line[3] != '-' {
			return nil
		}
	}
}
