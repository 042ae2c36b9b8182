// Package cli is the command line of desist: a file for each group of commands,
// which read their flags, call the package that does the work, and print.
//
// Results go to standard output, everything else (logs, progress, errors) to
// standard error. With --json nothing but JSON goes to standard output. An error
// is one sentence, and the exit code follows its kind by the one table of
// package takedown; wrong use is 2.
//
// What comes from outside, such as the name of a party or the reply of a mail
// server, is cleaned of control characters before a terminal sees it.
package cli
