package pgserver

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// defaults suit a durable single node on two cores.
func defaults() map[string]string {
	return map[string]string{
		"fsync":              "on",
		"synchronous_commit": "on",
		"full_page_writes":   "on",
		"shared_buffers":     "128MB",
		"max_connections":    "100",
		"wal_compression":    "on",
		"max_wal_size":       "2GB",
		"jit":                "off", // compiling costs more than it saves on short queries
		"timezone":           "UTC",
		"log_timezone":       "UTC",
		"log_line_prefix":    "%m [%p] ",
	}
}

// ForTests returns settings that trade durability for speed: a crash of the
// machine may destroy the cluster. Never use them for real cases.
func ForTests() map[string]string {
	return map[string]string{
		"fsync":              "off",
		"synchronous_commit": "off",
		"full_page_writes":   "off",
	}
}

// reserved settings are what makes the server private.
var reserved = []string{
	"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file", "listen_addresses",
	"logging_collector", "port", "unix_socket_directories", "unix_socket_group", "unix_socket_permissions",
}

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_.]*$`)

// merge lays the settings asked for over the defaults.
func merge(asked map[string]string) (map[string]string, error) {
	all := defaults()
	for name, value := range asked {
		if !settingName.MatchString(name) {
			return nil, fmt.Errorf("pgserver: setting %q is no name of a PostgreSQL setting (lower case letters, digits, _ and .)", name)
		}
		if slices.Contains(reserved, name) {
			return nil, fmt.Errorf("pgserver: setting %q cannot be changed: it keeps the server private", name)
		}
		if strings.ContainsAny(value, "\x00\n") {
			return nil, fmt.Errorf("pgserver: setting %q: its value %q has a line break or NUL", name, value)
		}
		all[name] = value
	}
	return all, nil
}

// arguments returns the command line of postgres, in a fixed order, because the
// next parent compares it with that of a server it finds running.
func (c *cluster) arguments(settings map[string]string) []string {
	args := []string{
		"-D", c.path(dataDir),
		"-k", c.sockDir,
		"-p", port,
		"-c", "listen_addresses=",
		"-c", "unix_socket_permissions=0700",
		"-c", "logging_collector=off",
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// startedWith tells whether the running server has these arguments, according to
// postmaster.opts: the program, then each argument in double quotes.
func (c *cluster) startedWith(args []string) bool {
	text, err := c.root.ReadFile(optsFile)
	if err != nil {
		return false
	}
	_, got, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), ` "`)
	return `"`+got == `"`+strings.Join(args, `" "`)+`"`
}
