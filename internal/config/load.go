package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The most that is read of a configuration file and of a secret's file, in
// bytes.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// Load reads the file at path over the defaults, then the environment, a list of
// name=value as os.Environ returns it. Without a path there is no file. The
// error joins every fault, one a line.
func Load(path string, environ []string) (Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = readFile(path, maxFile); err != nil {
			return Config{}, fmt.Errorf("config: read the file: %w", err)
		}
	}
	return load(path, text, environ, func(path string) ([]byte, error) { return readFile(path, maxSecret) })
}

// load is Load with the file's text at hand; read returns the files of secrets.
func load(path string, text []byte, environ []string, read func(path string) ([]byte, error)) (Config, error) {
	cfg := Default()
	d := decoder{file: path, dir: filepath.Dir(path), read: read}
	d.decode(text, &cfg)
	d.environment(environ, &cfg)
	if len(d.faults) > 0 {
		return Config{}, errors.Join(d.faults...)
	}
	if cfg.DataDir == "" {
		cfg.DataDir = DefaultDataDir(func(name string) string { return lookup(environ, name) }, os.Getuid())
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// A decoder fills a Config and collects what is wrong with the input.
type decoder struct {
	file, dir string
	read      func(path string) ([]byte, error)
	faults    []error
}

// secret returns the secret that the file at path holds, without the line end
// that editors leave.
func (d *decoder) secret(path string) (string, error) {
	text, err := d.read(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the secret: %w", err)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("the file %s is empty; put the secret into it", path)
	}
	return secret, nil
}

// relative returns a path of the file's own text: relative to its folder, unless
// it is a URL.
func (d *decoder) relative(path string) string {
	if path == "" || filepath.IsAbs(path) || strings.Contains(path, "://") {
		return path
	}
	return filepath.Join(d.dir, path)
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes; is it the right file?", path, limit)
	}
	return text, nil
}

// lookup returns the value of an environment variable; the last one counts.
func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
