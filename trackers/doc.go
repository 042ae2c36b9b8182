// Package trackers answers one question: is the target gone? Probes observe it
// (trackers/dns, trackers/web), a verdict decides, and a schedule says when to
// look again.
//
// "Gone" is the strong claim, so everything else wins over it: one client
// profile that is served the page makes the target up, because cloaking is
// common; a time-out, a challenge page or a server error makes the round
// unclear; and a gone round is only believed while a canary, a target that must
// work, can still be reached. On failure of a probe the round is unclear and
// says why; Check itself never fails.
package trackers
