package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Print writes the settings as YAML that Load reads, every key in the order of
// the reference, with secrets hidden.
func (c Config) Print(w io.Writer) error {
	var b bytes.Buffer
	printSection(&b, "", reflect.ValueOf(c))
	_, err := w.Write(b.Bytes())
	return err
}

func printSection(b *bytes.Buffer, indent string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		fmt.Fprintf(b, "%s%s:", indent, v.Type().Field(i).Tag.Get("key"))
		switch {
		case f.Kind() == reflect.Struct && f.Type() != timeType:
			b.WriteByte('\n')
			printSection(b, indent+"  ", f)
		case f.Kind() == reflect.Slice && f.Len() > 0 && f.Type().Elem().Kind() == reflect.Struct && !takesText(f.Type().Elem()):
			b.WriteByte('\n')
			for i := range f.Len() {
				fmt.Fprintf(b, "%s  -\n", indent)
				printSection(b, indent+"    ", f.Index(i))
			}
		default:
			fmt.Fprintf(b, " %s\n", printValue(f))
		}
	}
}

func printValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Secret:
		return quote(x.String())
	case SecretURL:
		return quote(x.String())
	case time.Duration:
		return formatDuration(x)
	case netip.Prefix:
		return quote(x.String())
	case time.Time:
		if x.IsZero() {
			return "null"
		}
		return quote(x.Format(time.RFC3339Nano))
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = printValue(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		var items []string
		for it := v.MapRange(); it.Next(); {
			items = append(items, quote(it.Key().String())+": "+printValue(it.Value()))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(v.Interface())
}

// quote writes a string as JSON does, which is YAML too, but leaves what a
// person should read as it is.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
