// Package borders is the rules that the source tree keeps: who may import whom,
// which package owns which library, and a few habits. The rules are data; the
// test of this package holds the tree against them, and docs/ARCHITECTURE.md
// shows the same data.
//
// Imports are read from the files themselves and not from the go command, so
// that files of other platforms count and a tree that does not compile is still
// checked. Test files may import what they need, except the libraries that one
// package owns. On failure the functions return an error that names the file.
package borders
