package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const envPrefix = "DESIST_"

// EnvName returns the variable that overrides a key, such as DESIST_DATABASE_URL
// for database.url.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// environment lets variables override what the file said.
func (d *decoder) environment(environ []string, cfg *Config) {
	walk("", reflect.ValueOf(cfg).Elem(), func(key string, v reflect.Value) {
		name := EnvName(key)
		text := lookup(environ, name)
		if secret(v.Type()) {
			if file := lookup(environ, name+"_FILE"); file != "" {
				if text != "" {
					d.faults = append(d.faults, fmt.Errorf("environment: %s and %s_FILE are both set; keep one of them", name, name))
					return
				}
				var err error
				if text, err = d.secret(file); err != nil {
					d.faults = append(d.faults, fmt.Errorf("environment: %s_FILE: %w", name, err))
					return
				}
			}
		}
		if text == "" {
			return
		}
		if err := setEnv(v, text); err != nil {
			d.faults = append(d.faults, fmt.Errorf("environment: %s: %w", name, err))
		}
	})
}

// setEnv sets any value that a variable can hold.
func setEnv(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Slice:
		return setList(v, text)
	case reflect.Map:
		return setPairs(v, text)
	default:
		return setText(v, text)
	}
}

func setList(v reflect.Value, text string) error {
	if !takesText(v.Type().Elem()) {
		return fmt.Errorf("this list can only be set in the file")
	}
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for _, part := range split(text) {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := setText(item, part); err != nil {
			return err
		}
		list = reflect.Append(list, item)
	}
	v.Set(list)
	return nil
}

func setPairs(v reflect.Value, text string) error {
	pairs := reflect.MakeMap(v.Type())
	for _, part := range split(text) {
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" || value == "" {
			return fmt.Errorf("%q is not name=value; write as in com=192.0.2.1:43,net=192.0.2.2:43", part)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := setText(item, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		pairs.SetMapIndex(reflect.ValueOf(name), item)
	}
	v.Set(pairs)
	return nil
}

// split returns the parts between commas, without space and without empty ones.
func split(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// UnknownEnv returns the variables that begin with DESIST_ and set nothing,
// sorted: most often a slip of the pen. The caller knows which of them other
// parts of the program read.
func UnknownEnv(environ []string) []string {
	known := map[string]bool{}
	cfg := Default()
	walk("", reflect.ValueOf(&cfg).Elem(), func(key string, v reflect.Value) {
		known[EnvName(key)] = true
		if secret(v.Type()) {
			known[EnvName(key)+"_FILE"] = true
		}
	})
	var unknown []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, envPrefix) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}
