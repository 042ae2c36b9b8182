package feeds

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A stixObject has the properties that we use, of any STIX 2.1 type.
type stixObject struct {
	Type               string `json:"type"`
	ID                 string `json:"id"`
	Name               string `json:"name"`
	Description        string `json:"description"`
	Value              string `json:"value"`
	Pattern            string `json:"pattern"`
	PatternType        string `json:"pattern_type"`
	Revoked            scalar `json:"revoked"`
	ValidFrom          scalar `json:"valid_from"`
	Created            scalar `json:"created"`
	Confidence         scalar `json:"confidence"`
	IndicatorTypes     words  `json:"indicator_types"`
	InfrastructureType words  `json:"infrastructure_types"`
	MalwareTypes       words  `json:"malware_types"`
	Labels             words  `json:"labels"`
	Markings           words  `json:"object_marking_refs"`
	SourceRef          string `json:"source_ref"`
	TargetRef          string `json:"target_ref"`
	References         []struct {
		URL string `json:"url"`
	} `json:"external_references"`
	Definition struct {
		TLP string `json:"tlp"`
	} `json:"definition"`

	where string
}

// readSTIX takes a bundle, a list of objects or a single object (STIX 2.1
// sections 3 and 8). Indicators and the observables that name hosts become rows,
// everything else is skipped. Relationships and infrastructure tell the class.
func (f *feed) readSTIX() error {
	var objects []stixObject
	var broken []entry
	var faults []error
	add := func(where string, raw json.RawMessage) {
		o := stixObject{where: where}
		if err := json.Unmarshal(raw, &o); err != nil {
			broken = append(broken, entry{where: where})
			faults = append(faults, fmt.Errorf("it is not a STIX object: %w", plain(err)))
			return
		}
		objects = append(objects, o)
	}
	err := f.each(func(where string, value json.RawMessage) error {
		var bundle struct {
			Objects []json.RawMessage `json:"objects"`
		}
		if err := json.Unmarshal(value, &bundle); err != nil {
			return f.unreadable(where, "STIX bundle", err)
		}
		for i, raw := range bundle.Objects {
			add(index(join(where, "objects"), i), raw)
		}
		if bundle.Objects == nil {
			add(rooted(where), value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, e := range broken {
		if err := f.fail(e, faults[i]); err != nil {
			return err
		}
	}
	graph := newStixGraph(objects)
	for _, o := range objects {
		if err := f.stixObject(o, graph); err != nil {
			return err
		}
	}
	return nil
}

// A stixGraph finds what an object is related to.
type stixGraph struct {
	byID    map[string]stixObject
	related map[string][]string
}

func newStixGraph(objects []stixObject) stixGraph {
	g := stixGraph{byID: map[string]stixObject{}, related: map[string][]string{}}
	for _, o := range objects {
		if o.Type == "relationship" {
			g.related[o.SourceRef] = append(g.related[o.SourceRef], o.TargetRef)
			g.related[o.TargetRef] = append(g.related[o.TargetRef], o.SourceRef)
			continue
		}
		g.byID[o.ID] = o
	}
	return g
}

// hints returns what the feed says of an object, nearest statement first: its
// own types, the infrastructure that it is part of, its name, and the malware or
// technique that it indicates.
func (g stixGraph) hints(o stixObject) []string {
	hints := slices.Concat(o.IndicatorTypes, o.Labels)
	var malware, techniques []string
	for _, id := range g.related[o.ID] {
		other := g.byID[id]
		switch other.Type {
		case "infrastructure":
			hints = slices.Concat(hints, other.InfrastructureType, other.Labels)
		case "malware":
			malware = append(malware, "malware")
		case "attack-pattern":
			techniques = append(techniques, other.Name)
		}
	}
	return slices.Concat(hints, []string{o.Name}, techniques, malware, []string{o.Description})
}

// tlp returns the strictest label of the object's markings that is in the
// bundle, or one of the identifiers that the standard fixes.
func (g stixGraph) tlp(o stixObject) string {
	strictest := 0
	order := []string{"", "clear", "green", "amber", "amber+strict", "red"}
	for _, id := range o.Markings {
		label := tlp("tlp:" + g.byID[id].Definition.TLP)
		if label == "" {
			label = tlp(g.byID[id].Name)
		}
		if label == "" {
			label = fixedMarkings[id]
		}
		strictest = max(strictest, slices.Index(order, label))
	}
	return order[strictest]
}

// fixedMarkings are the TLP 1 marking definitions of STIX 2.1 section 7.2.1.4.
var fixedMarkings = map[string]string{
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
}

func (f *feed) stixObject(o stixObject, graph stixGraph) error {
	e := entry{where: o.where, raw: o.Value}
	if o.Type == "indicator" {
		e.raw = o.Pattern
	}
	if e.raw == "" {
		e.raw = o.ID
	}
	var values []string
	switch o.Type {
	case "indicator":
		if o.PatternType != "" && o.PatternType != "stix" {
			return f.skip(e, fmt.Sprintf("the pattern is of type %s, not stix", shorten(o.PatternType)))
		}
		var err error
		if values, err = patternValues(o.Pattern); err != nil {
			return f.fail(e, err)
		}
	case "ipv4-addr", "ipv6-addr", "domain-name", "url":
		values = []string{o.Value}
	}
	if len(values) == 0 {
		return f.skip(e, notNetwork)
	}
	if o.Revoked.isTrue() {
		return f.skip(e, "revoked by its source")
	}
	var err error
	seen := o.ValidFrom
	if seen == "" {
		seen = o.Created
	}
	if e.message.SeenAt, err = parseTime(string(seen)); err != nil {
		return f.fail(e, err)
	}
	if e.message.Confidence, err = confidence("", string(o.Confidence)); err != nil {
		return f.fail(e, err)
	}
	e.hints = graph.hints(o)
	e.message.TLP = graph.tlp(o)
	e.message.ExternalID = o.ID
	e.message.Description = strings.Join(slices.DeleteFunc([]string{o.Name, o.Description}, isNothing), "; ")
	for _, ref := range o.References {
		if ref.URL != "" && len(e.message.References) < maxReferences {
			e.message.References = append(e.message.References, ref.URL)
		}
	}
	for _, value := range values {
		e.message.Indicator = singleAddress(value)
		if err := f.accept(e); err != nil {
			return err
		}
	}
	return nil
}

// singleAddress drops a prefix length that covers one address only (STIX 2.1
// sections 6.11 and 6.12 allow CIDR notation).
func singleAddress(value string) string {
	address, isHost := strings.CutSuffix(value, "/32")
	if isHost && !strings.ContainsAny(address, ":/") {
		return address
	}
	address, isHost = strings.CutSuffix(value, "/128")
	if isHost && strings.Contains(address, ":") && !strings.Contains(address, "/") {
		return address
	}
	return value
}
