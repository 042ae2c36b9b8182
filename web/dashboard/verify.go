package dashboard

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Verification says whether a message is a notice of ours. It is shown to
// whoever has the message, so it holds nothing that the message does not.
type Verification struct {
	// Known is true when a notice of ours carries the message's Message-ID.
	Known bool
	// Unchanged is true when what was signed is what was sealed.
	Unchanged bool
	// Reference and SealedAt are those of a known notice.
	Reference string
	SealedAt  time.Time
	// Detail says in one sentence what was compared, or what differs.
	Detail string
}

type verifyPage struct {
	frame
	Result *Verification
	Fault  string
}

// maxVerify bounds a message: our own are smaller, with every attachment.
const maxVerify = 10 << 20

func (d *dashboard) verifyPage(w http.ResponseWriter, r *http.Request) {
	d.showVerify(w, r, http.StatusOK, nil, "")
}

func (d *dashboard) showVerify(w http.ResponseWriter, r *http.Request, status int, v *Verification, fault string) {
	d.show(w, r, status, "verify", verifyPage{d.frame(r, "Verify a notice", "verify"), v, fault})
}

func (d *dashboard) verify(w http.ResponseWriter, r *http.Request) {
	message, err := uploaded(w, r)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		d.showVerify(w, r, http.StatusRequestEntityTooLarge, nil, "The message is larger than 10 MB; no notice of ours is.")
		return
	case err != nil:
		d.showVerify(w, r, http.StatusBadRequest, nil, "The form could not be read. Choose the file again, or paste the message.")
		return
	case len(bytes.TrimSpace(message)) == 0:
		d.showVerify(w, r, http.StatusUnprocessableEntity, nil, "There is no message. Choose a file, or paste the whole message with its header.")
		return
	}
	v, err := d.Verify(r.Context(), message)
	if err != nil {
		d.failed(w, r, err)
		return
	}
	d.showVerify(w, r, http.StatusOK, &v, "")
}

// uploaded returns the file, or else the pasted text. Nothing of it is kept,
// and nothing is written to disk.
func uploaded(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxVerify)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	var pasted []byte
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return pasted, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		switch {
		case p.FormName() == "file" && len(data) > 0:
			return data, nil
		case p.FormName() == "message":
			// A form sends lines as the HTML standard says: with CR LF, as mail
			// has them (RFC 5322 section 2.1).
			pasted = []byte(strings.TrimLeft(string(data), "\r\n"))
		}
	}
}
