package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"desist/takedown"
)

// readPhishTank takes the verified-phish list as CSV or as JSON.
func (f *feed) readPhishTank() error {
	head, err := f.in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !isJSON(bytes.TrimLeft(head, " \t\r\n")) {
		return f.readCSV(entry{message: takedown.IndicatorMessage{Class: takedown.ClassPhishing}})
	}
	return f.each(f.phishTankEntry)
}

func (f *feed) phishTankEntry(where string, raw json.RawMessage) error {
	e := entry{where: rooted(where)}
	var phish struct {
		ID     scalar `json:"phish_id"`
		URL    string `json:"url"`
		Detail string `json:"phish_detail_url"`
		Time   scalar `json:"submission_time"`
		Target string `json:"target"`
	}
	if err := json.Unmarshal(raw, &phish); err != nil {
		return f.fail(e, fmt.Errorf("it is not a PhishTank entry: %w", plain(err)))
	}
	e.raw = phish.URL
	if phish.URL == "" {
		return f.fail(e, errors.New("the entry has no url; give one"))
	}
	seen, err := parseTime(string(phish.Time))
	if err != nil {
		return f.fail(e, err)
	}
	e.message = takedown.IndicatorMessage{
		Indicator: phish.URL, Class: takedown.ClassPhishing, SeenAt: seen,
		Description: describe("", phish.Target, ""), ExternalID: string(phish.ID),
	}
	if phish.Detail != "" {
		e.message.References = []string{phish.Detail}
	}
	return f.accept(e)
}
