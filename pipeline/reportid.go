package pipeline

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// reportID derives the identifier of a machine-readable report from the notice
// that carries it, so that composing again after a crash names it the same. It
// has the form of a random UUID (RFC 9562 section 5.4), which XARF requires.
func reportID(salt []byte, leg int64, seq int) string {
	var in [16]byte
	binary.BigEndian.PutUint64(in[:8], uint64(leg))
	binary.BigEndian.PutUint64(in[8:], uint64(seq))
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte("report"))
	mac.Write(in[:])
	u := mac.Sum(nil)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
