#!/usr/bin/env bash
# Makes sure of what "make demo" and "make test" need: Go, and the binaries of
# PostgreSQL. On Debian and Ubuntu root gets what is missing installed; anybody
# else is told what to install. Says nothing when everything is there.
set -euo pipefail

cd "$(dirname "$0")/.."
need_go=$(awk '$1 == "go" { print $2; exit }' go.mod)

say() { printf '%s\n' "$*" >&2; }

# at_least A B: is version A at least B?
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# The toolchain that go.mod selects; newer versions of go fetch it themselves.
have_go() {
	local version
	command -v go >/dev/null || return 1
	version=$(go env GOVERSION 2>/dev/null) || return 1
	at_least "${version#go}" "$need_go"
}

# The places where internal/pgserver looks.
have_postgresql() {
	local dir
	for dir in ${DESIST_PG_BIN:-/usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin /usr/local/pgsql/bin /usr/local/bin /usr/bin \
		"$(pg_config --bindir 2>/dev/null || true)"}; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pg_ctl" ]; then
			return 0
		fi
	done
	return 1
}

can_install() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }

updated=
update_once() {
	[ -z "$updated" ] || return 0
	apt-get update -qq >&2
	updated=yes
}

# The package would create and start a server of its own. We start a private one
# and need the binaries only, so Debian's wrapper is told not to.
install_postgresql() {
	local no_cluster=/etc/postgresql-common/createcluster.d/desist-install.conf
	say "Installing the system package postgresql (for its binaries; no server is started)."
	update_once
	mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' >"$no_cluster"
	# shellcheck disable=SC2064 # the path is known now
	trap "rm -f '$no_cluster'" EXIT
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql </dev/null >&2
}

install_go() {
	local candidate
	update_once
	candidate=$(apt-cache policy golang-go | awk '/Candidate:/ { print $2 }')
	candidate=${candidate#*:}
	if ! at_least "${candidate%%[-~+]*}" "$need_go"; then
		return 1
	fi
	say "Installing the system package golang-go."
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go </dev/null >&2
}

missing=0

if ! have_go && ! { can_install && install_go && have_go; }; then
	say "Go $need_go or newer is missing$(command -v go >/dev/null && printf ' (found %s)' "$(GOTOOLCHAIN=local go version 2>/dev/null | cut -d' ' -f3)")."
	say "  Install it from https://go.dev/dl/ and put its bin folder on the PATH."
	missing=1
fi

if ! have_postgresql; then
	if can_install; then
		install_postgresql
	fi
	if ! have_postgresql; then
		say "The binaries of PostgreSQL (initdb, postgres, pg_ctl) are missing. Install them:"
		say "  Debian, Ubuntu:  sudo apt-get install postgresql"
		say "  Fedora, RHEL:    sudo dnf install postgresql-server"
		say "  Alpine:          sudo apk add postgresql"
		say "  Arch:            sudo pacman -S postgresql"
		say "  macOS:           brew install postgresql"
		say "  Elsewhere: name the folder that holds them in DESIST_PG_BIN."
		missing=1
	fi
fi

exit "$missing"
