// Package templates decides what a notice says: it holds the packs (law and
// wording data for one jurisdiction, folder jurisdictions), the wording blocks
// (folder languages), the loader, the linter and the renderer.
//
// The role of the recipient decides the legal basis before its country does:
// a hosting service in the European Union is told under Article 16 of
// Regulation (EU) 2022/2065, a registrar of a generic top-level domain under
// section 3.18.2 of its accreditation agreement, and everybody else under its
// own terms (pack xx). A pack that is outside its validity, or was checked too
// long ago, is never used: the fall-back takes its place with a warning.
//
// A notice can cite only what the pack marks as verified and its grade allows
// (see instrument.allowed): the wording has no citations of its own, it asks
// for them by name, and a citation that is not allowed is a rendering error.
// Every element that a regime requires is mapped to the line where it stands;
// an element without a place is an error, so that an incomplete notice is
// never a sent one. All text from outside is data: cleaned, bounded, defanged,
// and unable to form a line or a header of its own.
//
// Failures are of kind takedown.KindDenied when the pack says that no notice
// of this kind exists or when the sender's configuration lacks a required
// field, and takedown.KindPermanent when the request itself is malformed.
package templates
