package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	secretType    = reflect.TypeFor[Secret]()
	secretURLType = reflect.TypeFor[SecretURL]()
	durationType  = reflect.TypeFor[time.Duration]()
	prefixType    = reflect.TypeFor[netip.Prefix]()
	timeType      = reflect.TypeFor[time.Time]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func secret(t reflect.Type) bool { return t == secretType || t == secretURLType }

// takesText reports whether setText can set a value of the type.
func takesText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return reflect.PointerTo(t).Implements(textType)
}

// field returns the field of a struct by its key.
func field(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("key") == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keys lists the keys of a struct in their order.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("key"))
	}
	return names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// walk calls do for each key below v that is a value, and for sections that have
// a short form.
func walk(path string, v reflect.Value, do func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		key, f := join(path, v.Type().Field(i).Tag.Get("key")), v.Field(i)
		section := f.Kind() == reflect.Struct && f.Type() != timeType
		if !section || takesText(f.Type()) {
			do(key, f)
		}
		if section {
			walk(key, f, do)
		}
	}
}

// setText sets a value from its text.
func setText(v reflect.Value, text string) error {
	switch v.Type() {
	case secretType, secretURLType:
		if strings.Contains(text, Hidden) {
			return fmt.Errorf("holds %q, which stands for a secret in printed settings; put the secret itself here", Hidden)
		}
		v.SetString(text)
		return nil
	case durationType:
		d, err := ParseDuration(text)
		v.SetInt(int64(d))
		return err
	case prefixType:
		p, err := parsePrefix(text)
		v.Set(reflect.ValueOf(p))
		return err
	case timeType:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%q is not a time; write it as in 2026-01-31T12:00:00Z (RFC 3339)", text)
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
			v.SetBool(false)
		default:
			return fmt.Errorf("%q is neither true nor false", text)
		}
	case reflect.Int, reflect.Int64:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(x)
	default:
		return errors.New("cannot be set by one value")
	}
	return nil
}

// parsePrefix reads a CIDR, or an address as the prefix of its full length.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address range; write it as in 192.0.2.0/24 or 2001:db8::/32", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; write %s if that range is meant", text, p.Masked())
	}
	return p, nil
}
