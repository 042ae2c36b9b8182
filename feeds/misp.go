package feeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"desist/takedown"
	"desist/takedown/indicator"
)

// maxReferences is how many references of an event go with each of its rows.
const maxReferences = 10

type mispTag struct {
	Name string `json:"name"`
}

type mispEvent struct {
	Info      string            `json:"info"`
	Date      scalar            `json:"date"`
	Tag       []mispTag         `json:"Tag"`
	Attribute []json.RawMessage `json:"Attribute"`
	Object    []json.RawMessage `json:"Object"`
}

type mispObject struct {
	Name      string            `json:"name"`
	Comment   string            `json:"comment"`
	Deleted   scalar            `json:"deleted"`
	Attribute []json.RawMessage `json:"Attribute"`
}

type mispAttribute struct {
	UUID      string    `json:"uuid"`
	Type      string    `json:"type"`
	Category  string    `json:"category"`
	Value     scalar    `json:"value"`
	Comment   string    `json:"comment"`
	ToIDS     scalar    `json:"to_ids"`
	Deleted   scalar    `json:"deleted"`
	Timestamp scalar    `json:"timestamp"`
	FirstSeen scalar    `json:"first_seen"`
	Tag       []mispTag `json:"Tag"`
}

// readMISP takes events in the MISP core format (draft-dulaunoy-misp-core-format):
// one event with or without its envelope, a list of them, or the answer of a
// search, {"response": [...]}.
func (f *feed) readMISP() error {
	return f.each(func(where string, value json.RawMessage) error {
		var envelope struct {
			Response json.RawMessage `json:"response"`
		}
		if err := json.Unmarshal(value, &envelope); err != nil {
			return f.unreadable(where, "MISP event", err)
		}
		if envelope.Response == nil {
			return f.mispEnvelope(where, value)
		}
		list, isList := elements(envelope.Response)
		for i, element := range list {
			path := join(where, "response")
			if isList {
				path = index(path, i)
			}
			if err := f.mispEnvelope(path, element); err != nil {
				return err
			}
		}
		return nil
	})
}

// mispEnvelope takes {"Event": {...}}, or the event itself.
func (f *feed) mispEnvelope(where string, value json.RawMessage) error {
	var envelope struct {
		Event json.RawMessage `json:"Event"`
	}
	var event mispEvent
	err := json.Unmarshal(value, &envelope)
	if err == nil && envelope.Event != nil {
		where, value = join(where, "Event"), envelope.Event
	}
	if err == nil {
		err = json.Unmarshal(value, &event)
	}
	if err != nil {
		return f.fail(entry{where: rooted(where)}, fmt.Errorf("it is not a MISP event: %w", plain(err)))
	}
	if event.Attribute == nil && event.Object == nil && event.Info == "" {
		return f.fail(entry{where: rooted(where)}, errors.New("it is not a MISP event: it has neither Attribute nor Object"))
	}
	return f.mispEvent(where, event)
}

func (f *feed) mispEvent(where string, event mispEvent) error {
	common := mispContext{info: event.Info, date: string(event.Date)}
	for _, tag := range event.Tag {
		common.tags = append(common.tags, tag.Name)
	}
	common.references = mispLinks(event.Attribute)
	for i, raw := range event.Attribute {
		if err := f.mispAttribute(index(join(where, "Attribute"), i), raw, common); err != nil {
			return err
		}
	}
	for i, raw := range event.Object {
		path := index(join(where, "Object"), i)
		var object mispObject
		if err := json.Unmarshal(raw, &object); err != nil {
			if err := f.fail(entry{where: path}, fmt.Errorf("it is not a MISP object: %w", plain(err))); err != nil {
				return err
			}
			continue
		}
		inner := common
		inner.object, inner.comment, inner.deleted = object.Name, object.Comment, object.Deleted.isTrue()
		inner.references = slices.Concat(mispLinks(object.Attribute), common.references)
		for k, raw := range object.Attribute {
			if err := f.mispAttribute(index(path+".Attribute", k), raw, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// A mispContext is what an attribute inherits from its event and object.
type mispContext struct {
	info, date      string
	tags            []string
	references      []string
	object, comment string
	deleted         bool
}

// mispLinks returns the links of an event or object: where it was published.
func mispLinks(attributes []json.RawMessage) []string {
	var links []string
	for _, raw := range attributes {
		var a mispAttribute
		if json.Unmarshal(raw, &a) != nil || a.Type != "link" || a.Deleted.isTrue() || len(links) == maxReferences {
			continue
		}
		if ind, err := indicator.Parse(string(a.Value)); err == nil && ind.Kind == takedown.KindURL {
			links = append(links, ind.Value)
		}
	}
	return links
}

func (f *feed) mispAttribute(where string, raw json.RawMessage, common mispContext) error {
	e := entry{where: where}
	var a mispAttribute
	if err := json.Unmarshal(raw, &a); err != nil {
		return f.fail(e, fmt.Errorf("it is not a MISP attribute: %w", plain(err)))
	}
	e.raw = string(a.Value)
	values := mispValues(a.Type, string(a.Value))
	switch {
	case values == nil:
		return f.skip(e, notNetwork)
	case a.Deleted.isTrue() || common.deleted:
		return f.skip(e, "deleted in MISP")
	case a.ToIDS.isFalse():
		return f.skip(e, "to_ids is false: context, not meant for action")
	}
	var tags []string
	for _, tag := range a.Tag {
		tags = append(tags, tag.Name)
	}
	for _, tag := range slices.Concat(tags, common.tags) {
		if e.message.TLP == "" {
			e.message.TLP = tlp(tag)
		}
	}
	// The nearest statement counts; the category says how the attribute was met,
	// which is the weakest hint.
	e.hints = slices.Concat(tags, []string{a.Comment, common.comment, common.object}, common.tags, []string{payloadOnly(a.Category)})
	e.message.Description = strings.Join(slices.DeleteFunc([]string{common.info, common.comment, a.Comment}, isNothing), "; ")
	e.message.References = common.references[:min(len(common.references), maxReferences):min(len(common.references), maxReferences)]
	e.message.ExternalID = a.UUID
	var err error
	for _, text := range []scalar{a.FirstSeen, a.Timestamp, scalar(common.date)} {
		if e.message.SeenAt, err = parseTime(string(text)); err != nil {
			return f.fail(e, err)
		}
		if e.message.SeenAt != nil {
			break
		}
	}
	for _, value := range values {
		e.message.Indicator = value
		if err := f.accept(e); err != nil {
			return err
		}
	}
	return nil
}

// payloadOnly keeps the categories that say what the attribute does.
func payloadOnly(category string) string {
	if strings.HasPrefix(category, "Payload") {
		return category
	}
	return ""
}

// mispValues returns the indicators in a value of this type, or nil if the type
// is not about hosts. Composite types keep name and address apart with "|".
func mispValues(kind, value string) []string {
	switch kind {
	case "domain", "hostname", "ip-dst", "ip-src", "url", "uri":
		return []string{value}
	case "domain|ip":
		name, address, found := strings.Cut(value, "|")
		if !found {
			return []string{value}
		}
		return []string{name, address}
	case "ip-dst|port", "ip-src|port", "hostname|port":
		host, _, _ := strings.Cut(value, "|")
		return []string{host}
	}
	return nil
}
