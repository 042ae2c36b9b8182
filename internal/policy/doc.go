// Package policy answers one question with all the reasons: may we say it?
//
// It is asked three times. Screen looks at an indicator before any work is
// done: reserved and own addresses, special-use names (RFC 2606, RFC 6761,
// RFC 6762, RFC 7686, RFC 8375, RFC 9476), allow-lists in MISP warninglist
// form, shared platforms, age, evidence, classes that need a person. ScreenLeg
// looks at one party to be told. ScreenSend looks at one sealed notice at the
// last moment.
//
// The gravest outcome among the reasons is the decision. The rules only ever
// narrow: no reason means send, and a rule that cannot be applied for want of
// data holds. A list that cannot be read is an error of New, never a list that
// matches nothing.
package policy
