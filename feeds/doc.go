// Package feeds reads lists of indicators in the formats in which they are
// exchanged: plain text, CSV, JSON and JSON Lines of our own message, MISP core
// format events, STIX 2.1 bundles, and the exports of URLhaus, ThreatFox,
// PhishTank and OpenPhish.
//
// Read streams rows. A row that cannot be used carries the reason and its place,
// and the rest of the feed goes on; a row that is simply none of our business,
// such as a file hash, is marked as skipped. Only a container that cannot be read
// at all (broken JSON, a failing reader) ends the feed with an error. Memory is
// bounded: line formats hold one line of at most 64 KiB, JSON documents may have
// 64 MiB.
package feeds
