// Package pipeline moves cases through the stages: intake, screen, resolve,
// plan, compose, deliver, track. Each stage is one file and one type; the
// engine gives it batches of cases and commits what it made of them.
//
// PostgreSQL decides and messages carry: a message only says "look at these
// cases". The engine loads them, keeps those that have work for the stage,
// runs the stage, commits all outcomes in one transaction, and only then
// acknowledges. A message that comes twice finds no work the second time. A
// lost one is found by the sweep of due rows.
//
// A failure belongs to its case: temporary and snoozed ones come back at
// their time, permanent ones put the case before a person and leave a dead
// letter. A failure of the store or the bus belongs to the batch, which is
// delivered again.
//
// The package imports only takedown. What it needs of the world stands here
// as small interfaces, beside the stage that uses them.
package pipeline
