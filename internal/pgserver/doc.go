// Package pgserver runs a private PostgreSQL server from the binaries that the
// system has installed, so that one command is enough to try the service and
// tests can use the real database.
//
// # Layout
//
// Everything lives in one directory with mode 0700:
//
//	lock            held (flock) by the living parent, names its pid
//	data/           the cluster
//	run/            the unix socket
//	log/            postgres.log, and postgres.log.1 of the start before
//
// A unix socket path may have 107 bytes at most (sun_path of unix(7); 103 on
// macOS). Where run/ would be longer, the socket stands in a directory with
// mode 0700 under os.TempDir() whose name holds a hash of Dir.
//
// # Access
//
// The server listens on no TCP port. Authentication is "trust", which is safe
// only because nobody but the owner (and root) can enter the directory of the
// socket. PostgreSQL refuses to run as root; a root parent runs it as the owner
// of Dir, else as the user postgres, else as nobody.
//
// # Failure
//
// A parent that is killed leaves the postmaster running. The next Start on the
// same Dir takes it over if it answers and runs with the settings asked for,
// restarts it if the settings differ, and starts a new one (with PostgreSQL's
// crash recovery) if it is gone. Two parents cannot hold one Dir: the second
// gets an *InUseError. The kernel frees the lock with its holder, and the
// postmaster does not inherit it.
//
// A postmaster that ends by itself is not restarted: Done tells, and the parent
// decides. Only Unix systems are supported.
package pgserver
