package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The tree is decoded here and not by the library's decoder, which gives up at
// the first fault, knows no position for the faults of our own types, and reads
// the telephone number +49123 or the password 007 as a number first.

// maxDepth bounds the nesting; the reference needs four levels.
const maxDepth = 32

func (d *decoder) decode(text []byte, cfg *Config) {
	if depth(text) > maxDepth {
		d.faults = append(d.faults, fmt.Errorf("%s: brackets are nested more than %d deep; is it the right file?", d.file, maxDepth))
		return
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		var located yaml.Error
		if errors.As(err, &located) && located.GetToken() != nil {
			d.fault(located.GetToken(), "", "%s", located.GetMessage())
			return
		}
		d.faults = append(d.faults, fmt.Errorf("%s: %w", d.file, err))
		return
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.fault(doc.Body.GetToken(), "", "a second document begins; put everything into one")
			return
		}
		body = doc.Body
	}
	if body != nil && body.Type() != ast.NullType {
		d.section("", body, reflect.ValueOf(cfg).Elem())
	}
}

// depth returns how deep brackets nest, without regard to quotes: the parser
// recurses on each.
func depth(text []byte) int {
	deepest, now := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now = max(0, now-1)
		}
	}
	return deepest
}

func (d *decoder) fault(at *token.Token, key, format string, args ...any) {
	where := d.file
	if at != nil && at.Position != nil {
		where = fmt.Sprintf("%s:%d:%d", d.file, at.Position.Line, at.Position.Column)
	}
	if key != "" {
		where += ": " + key
	}
	d.faults = append(d.faults, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// section decodes a mapping into a struct.
func (d *decoder) section(path string, node ast.Node, v reflect.Value) {
	entries, ok := node.(ast.MapNode)
	if !ok {
		if d.plain(path, node) {
			d.fault(node.GetToken(), path, "must be a section with keys: %s", strings.Join(keys(v.Type()), ", "))
		}
		return
	}
	given := map[string]*token.Token{}
	for it := entries.MapRange(); it.Next(); {
		name, ok := d.name(path, it.Key())
		if !ok {
			continue
		}
		at := it.Key().GetToken()
		given[name] = at
		key := join(path, name)
		if f, ok := field(v.Type(), name); ok {
			if twin := given[name+"_file"]; secret(f.Type) && twin != nil {
				d.fault(at, key, "is set here and by %s_file on line %d; keep one of them", name, twin.Position.Line)
				continue
			}
			d.value(key, it.Value(), v.FieldByIndex(f.Index), f.Tag.Get("path") != "")
			continue
		}
		plain, isFile := strings.CutSuffix(name, "_file")
		f, ok := field(v.Type(), plain)
		if !isFile || !ok || !secret(f.Type) {
			d.fault(at, key, "unknown key; the keys here are %s", strings.Join(keys(v.Type()), ", "))
			continue
		}
		if twin := given[plain]; twin != nil {
			d.fault(at, key, "is set here and by %s on line %d; keep one of them", plain, twin.Position.Line)
			continue
		}
		d.secretFile(key, it.Value(), v.FieldByIndex(f.Index))
	}
}

func (d *decoder) secretFile(key string, node ast.Node, v reflect.Value) {
	var file string
	d.value(key, node, reflect.ValueOf(&file).Elem(), true)
	if file == "" {
		return
	}
	text, err := d.secret(file)
	if err == nil {
		err = setText(v, text)
	}
	if err != nil {
		d.fault(node.GetToken(), key, "%w", err)
	}
}

// value decodes a node into anything that a key can hold. A null leaves the
// default.
func (d *decoder) value(key string, node ast.Node, v reflect.Value, isPath bool) {
	if !d.plain(key, node) || node.Type() == ast.NullType {
		return
	}
	text, isScalar := scalar(node)
	switch {
	case isScalar && takesText(v.Type()):
		if isPath {
			text = d.relative(text)
		}
		if err := setText(v, text); err != nil {
			d.fault(node.GetToken(), key, "%w", err)
		}
	case takesText(v.Type()) && v.Kind() != reflect.Struct:
		d.fault(node.GetToken(), key, "must be one value, not a list or a section")
	case v.Kind() == reflect.Struct:
		d.section(key, node, v)
	case v.Kind() == reflect.Slice:
		d.list(key, node, v)
	case v.Kind() == reflect.Map:
		d.pairs(key, node, v)
	}
}

func (d *decoder) list(key string, node ast.Node, v reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(node.GetToken(), key, "must be a list, such as [a, b]")
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(seq.Values))
	for i, item := range seq.Values {
		name := fmt.Sprintf("%s[%d]", key, i)
		if item.Type() == ast.NullType {
			d.fault(item.GetToken(), name, "is empty; give it a value or take it out")
			continue
		}
		list = reflect.Append(list, reflect.Zero(v.Type().Elem()))
		d.value(name, item, list.Index(list.Len()-1), false)
	}
	v.Set(list)
}

func (d *decoder) pairs(key string, node ast.Node, v reflect.Value) {
	entries, ok := node.(ast.MapNode)
	if !ok {
		d.fault(node.GetToken(), key, "must be a section of names with a value each, such as {a: b}")
		return
	}
	pairs := reflect.MakeMap(v.Type())
	for it := entries.MapRange(); it.Next(); {
		name, ok := d.name(key, it.Key())
		if !ok {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if it.Value().Type() == ast.NullType {
			d.fault(it.Key().GetToken(), join(key, name), "is empty; give it a value or take it out")
			continue
		}
		d.value(join(key, name), it.Value(), item, false)
		pairs.SetMapIndex(reflect.ValueOf(name), item)
	}
	v.Set(pairs)
}

// name returns the text of a key.
func (d *decoder) name(path string, node ast.MapKeyNode) (string, bool) {
	if node.IsMergeKey() {
		d.fault(node.GetToken(), path, "merge keys are not supported; write the settings out")
		return "", false
	}
	text, ok := scalar(node)
	if !ok {
		d.fault(node.GetToken(), path, "a key must be a plain word")
	}
	return text, ok
}

// plain reports whether a node stands for itself.
func (d *decoder) plain(key string, node ast.Node) bool {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.fault(node.GetToken(), key, "anchors, aliases and tags are not supported; write the value out")
		return false
	}
	return true
}

// scalar returns a scalar as it stands in the file, not as the number or boolean
// that YAML may see in it.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
