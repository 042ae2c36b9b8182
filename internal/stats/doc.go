// Package stats computes removal times from plain rows.
//
// A case that is still up is not a long removal time and not a missing one: it
// is a censored observation. Survival is estimated by Kaplan and Meier (1958),
// its variance by Greenwood's formula, and its confidence band on the log-log
// scale (Kalbfleisch and Prentice), which keeps the band within 0 and 1. The
// median and its interval are read off the curve and the band; where too few
// targets are gone there is no median, and the figures say so with null rather
// than with a guess.
//
// The functions are pure and cannot fail. Times that contradict one another are
// cleaned by stated rules (see Row), never dropped without a count.
package stats
