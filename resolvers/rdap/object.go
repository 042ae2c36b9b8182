package rdap

import (
	"encoding/json"
	"fmt"
	"strings"

	"desist/takedown"
)

// object is a decoded JSON object. Servers put values of the wrong type in any
// member, so that each is read with its own check instead of by a struct, where
// one deviation would lose the whole document.
type object map[string]any

func (o object) text(key string) string {
	switch v := o[key].(type) {
	case string:
		return strings.TrimSpace(v)
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return ""
}

// texts returns a list of strings; a lone string counts as a list of one.
func (o object) texts(key string) []string {
	if s, ok := o[key].(string); ok && s != "" {
		return []string{s}
	}
	list, _ := o[key].([]any)
	texts := make([]string, 0, len(list))
	for _, v := range list {
		if s, ok := v.(string); ok && s != "" {
			texts = append(texts, strings.TrimSpace(s))
		}
	}
	return texts
}

func (o object) objects(key string) []object {
	list, _ := o[key].([]any)
	objects := make([]object, 0, len(list))
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}

func (o object) has(keys ...string) bool {
	for _, k := range keys {
		if _, ok := o[k]; ok {
			return true
		}
	}
	return false
}

// class returns the object class (RFC 9083 section 4.7), by shape where the
// document does not say.
func (o object) class() string {
	switch c := strings.ToLower(o.text("objectClassName")); c {
	case "domain", "ip network", "autnum", "entity", "nameserver":
		return c
	}
	switch {
	case o.has("startAddress", "endAddress", "cidr0_cidrs"):
		return "ip network"
	case o.has("startAutnum", "endAutnum"):
		return "autnum"
	case o.has("ldhName", "unicodeName") && o.has("ipAddresses") && !o.has("nameservers", "secureDNS"):
		return "nameserver"
	case o.has("ldhName", "unicodeName"):
		return "domain"
	case o.has("vcardArray"), o.has("handle") && o.has("roles"):
		return "entity"
	}
	return ""
}

// decode reads body as an RDAP object. An RDAP error document (RFC 9083 section
// 6) is an error of the matching kind.
func decode(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, takedown.Permanent(fmt.Errorf("rdap: the answer is not a JSON object: %w", err))
	}
	if o.has("errorCode") {
		err := fmt.Errorf("rdap: the server answered error %s: %s", o.text("errorCode"), o.text("title"))
		switch o.text("errorCode") {
		case "404":
			return nil, takedown.NotFound(err)
		case "429", "500", "502", "503", "504":
			return nil, takedown.Temporary(err)
		}
		return nil, takedown.Permanent(err)
	}
	if o.class() == "" {
		return nil, takedown.Permanent(fmt.Errorf("rdap: the answer is JSON but no RDAP object: neither objectClassName nor the members of one"))
	}
	return o, nil
}
