package pgserver

import (
	"bytes"
	"testing"
)

func TestReadUntilReady(t *testing.T) {
	message := func(kind byte, body string) string { return string(withLength([]byte{kind}, []byte(body))) }
	ready := message('Z', "I")
	for _, tt := range []struct {
		name, in, want string
	}{
		{"ready", message('R', "\x00\x00\x00\x00") + message('S', "a\x00b\x00") + ready, ""},
		{"error in a query", message('E', "SERROR\x00C42P04\x00Mexists\x00\x00") + ready, "exists (SQLSTATE 42P04)"},
		{"error at startup", message('E', "C57P03\x00Mstarting up\x00\x00"), "starting up (SQLSTATE 57P03)"},
		{"error without fields", message('E', "\x00"), "error without text (SQLSTATE ?????)"},
		{"password asked for", message('R', "\x00\x00\x00\x05salt"), "the server asks for a password, which a private server never does"},
		{"authentication cut", message('R', ""), "the server asks for a password, which a private server never does"},
		{"cut", "R\x00", "read answer: unexpected EOF"},
		{"nothing", "", "read answer: EOF"},
		{"negative length", "Z\x00\x00\x00\x01", "read answer: message of -3 bytes"},
		{"huge length", "Z\xff\xff\xff\xff", "read answer: message of 4294967291 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := readUntilReady(bytes.NewReader([]byte(tt.in))); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzReadUntilReady(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
	f.Add([]byte("E\x00\x00\x00\x0cC42P04\x00\x00Z\x00\x00\x00\x05I"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := readUntilReady(bytes.NewReader(in)); err == nil && !bytes.Contains(in, []byte("Z")) {
			t.Errorf("%q counts as ready", in)
		}
	})
}
