package app

import (
	"encoding/json"
	"fmt"

	"desist/takedown"
)

// eventJSON is the documented body of desist.events.<kind>.
func eventJSON(e takedown.Event) ([]byte, error) {
	body, err := json.Marshal(struct {
		takedown.Event
		Reference string `json:"reference"`
	}{e, takedown.Reference(e.CaseID)})
	if err != nil {
		return nil, fmt.Errorf("encode event %d: %w", e.ID, err)
	}
	return body, nil
}
