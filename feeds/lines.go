package feeds

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line of a line format, in bytes.
const maxLine = 64 << 10

// skipBOM passes over a UTF-8 byte order mark and refuses UTF-16.
func (f *feed) skipBOM() error {
	head, err := f.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.Equal(head, []byte("\ufeff")):
		_, err := f.in.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return errors.New("it is UTF-16; save it as UTF-8")
	}
	return nil
}

// A line is one line without its end.
type line struct {
	number int
	text   string
	err    error // the line cannot be used
}

// lines reads a feed line by line.
type lines struct {
	in      *bufio.Reader
	number  int
	pending []line // read ahead and put back
}

// next returns io.EOF after the last line. A line that is too long comes
// without its text.
func (l *lines) next() (line, error) {
	if len(l.pending) > 0 {
		next := l.pending[0]
		l.pending = l.pending[1:]
		return next, nil
	}
	raw, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.number++
		length := len(raw)
		for errors.Is(err, bufio.ErrBufferFull) {
			raw, err = l.in.ReadSlice('\n')
			length += len(raw)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return line{}, err
		}
		return line{number: l.number, err: fmt.Errorf("the line has %d bytes and the limit is %d; split or remove it", length, maxLine)}, nil
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(raw) == 0) {
		return line{}, err
	}
	l.number++
	text := strings.TrimRight(string(raw), "\r\n")
	next := line{number: l.number, text: text}
	if !utf8.ValidString(text) {
		next.err = errors.New("the line is not valid UTF-8; save the file as UTF-8")
	}
	return next, nil
}
