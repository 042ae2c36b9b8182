// Package dns observes the name layer of a target: does the name still exist,
// does it have an address, and is that address somewhere that serves anybody?
//
// It follows RFC 1035 (messages), RFC 6891 (EDNS), RFC 7766 (TCP after
// truncation) and RFC 2308 (name error and no data). A name that does not
// exist, has no address, or has only sinkhole or reserved addresses is gone. A
// time-out, SERVFAIL, REFUSED or a broken answer is unclear: a lame delegation
// and a broken resolver of ours look alike.
package dns
