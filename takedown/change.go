package takedown

// A Change is what one stage did to one case. The store commits all of it or
// none, and only if the case is still at the event that the stage loaded.
type Change struct {
	Case *Case
	// Resolution is a new resolution, or nil.
	Resolution *Resolution
	// Notices are newly sealed; the store gives them their ids and makes each
	// the current notice of its leg.
	Notices []*Notice
	// Deliveries without a FinishedAt are attempts about to begin; the others
	// finish an attempt that is on record.
	Deliveries []Delivery
	Checks     []Check
	// Reply is a mail that came back, already stored, to be tied to the case.
	Reply *Reply
	// DeadContacts are addresses that must not be used again.
	DeadContacts []DeadContact
}

// A DeadContact is an address that proved not to exist.
type DeadContact struct {
	Contact Contact
	Reason  string
}
