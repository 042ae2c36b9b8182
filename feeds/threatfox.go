package feeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"desist/takedown"
)

// A threatFoxIOC is one entry, of the API (id, ioc, first_seen) or of the export
// (ioc_value, first_seen_utc).
type threatFoxIOC struct {
	ID            scalar `json:"id"`
	IOC           string `json:"ioc"`
	Value         string `json:"ioc_value"`
	Kind          string `json:"ioc_type"`
	Threat        string `json:"threat_type"`
	Malware       string `json:"malware_printable"`
	Confidence    scalar `json:"confidence_level"`
	IsCompromised scalar `json:"is_compromised"`
	FirstSeen     scalar `json:"first_seen"`
	FirstSeenUTC  scalar `json:"first_seen_utc"`
	Reference     words  `json:"reference"`
	Tags          words  `json:"tags"`
}

// readThreatFox takes the answer of the API, {"query_status": "ok", "data":
// [...]}, or the export, {"id": [...], ...}.
func (f *feed) readThreatFox() error {
	return f.each(func(where string, value json.RawMessage) error {
		var top map[string]json.RawMessage
		if err := json.Unmarshal(value, &top); err != nil {
			return f.unreadable(where, "ThreatFox answer", err)
		}
		if top["ioc"] != nil || top["ioc_value"] != nil { // an array of entries
			return f.threatFoxIOC(rooted(where), "", value)
		}
		if raw, isAnswer := top["query_status"]; isAnswer {
			var status scalar
			if err := json.Unmarshal(raw, &status); err != nil || status != "ok" && status != "no_result" {
				return takedown.Permanent(fmt.Errorf("ThreatFox answered %s instead of data; ask it again", shorten(string(raw))))
			}
			if status == "no_result" {
				return nil
			}
			top = map[string]json.RawMessage{"data": top["data"]}
		}
		for _, key := range slices.Sorted(maps.Keys(top)) {
			list, _ := elements(top[key])
			for i, raw := range list {
				if err := f.threatFoxIOC(index(join(where, shorten(key)), i), key, raw); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (f *feed) threatFoxIOC(where, key string, raw json.RawMessage) error {
	e := entry{where: where}
	var ioc threatFoxIOC
	if err := json.Unmarshal(raw, &ioc); err != nil {
		return f.fail(e, fmt.Errorf("it is not a ThreatFox entry: %w", plain(err)))
	}
	msg := &e.message
	if msg.Indicator = ioc.IOC; msg.Indicator == "" {
		msg.Indicator = ioc.Value
	}
	e.raw = msg.Indicator
	if isFileKind(ioc.Kind) {
		return f.skip(e, notNetwork)
	}
	if msg.Indicator == "" {
		return f.fail(e, errors.New("the entry has no ioc; give a domain, a URL or an address with port"))
	}
	if msg.ExternalID = string(ioc.ID); msg.ExternalID == "" && key != "data" {
		msg.ExternalID = key
	}
	seen := ioc.FirstSeen
	if seen == "" {
		seen = ioc.FirstSeenUTC
	}
	var err error
	if msg.SeenAt, err = parseTime(string(seen)); err != nil {
		return f.fail(e, err)
	}
	if msg.Confidence, err = confidence("", string(ioc.Confidence)); err != nil {
		return f.fail(e, err)
	}
	if ioc.IsCompromised.isTrue() {
		msg.Class = takedown.ClassCompromised // the owner is a victim, too
	}
	e.hints = append([]string{ioc.Threat}, ioc.Tags...)
	msg.Description = describe(ioc.Malware, "", strings.Join(ioc.Tags, ", "))
	msg.References = ioc.Reference
	return f.accept(e)
}
