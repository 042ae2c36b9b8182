package postgres

import "bytes"

// jsonText prepares encoded JSON for the database, where jsonb refuses the escape
// \u0000 (SQLSTATE 22P05). The replacement character keeps what was replaced
// visible.
func jsonText(raw []byte) string {
	if !bytes.Contains(raw, []byte(`\u0000`)) {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		if bytes.HasPrefix(raw[i:], []byte(`\u0000`)) {
			out = append(out, `\ufffd`...)
			i += 5
			continue
		}
		out = append(out, raw[i], raw[i+1]) // an escape of two characters, such as \\ before u0000
		i++
	}
	return string(out)
}
