package app

import (
	"desist/internal/postgres"
	"desist/internal/stats"
)

// StatsRows turns the clocks of cases into the rows of the figures.
func StatsRows(lives []postgres.Life) []stats.Row {
	rows := make([]stats.Row, len(lives))
	for i, l := range lives {
		rows[i] = stats.Row{
			CaseID: l.CaseID, Class: l.Class, Role: l.Role, Provider: l.Provider, Name: l.Name, ASN: uint32(l.ASN), Country: l.Country,
			SubmittedAt: l.SubmittedAt, NotifiedAt: l.NotifiedAt, AnsweredAt: l.AnsweredAt, GoneSeenAt: l.GoneSeenAt, GoneAt: l.GoneAt, ClosedAt: l.ClosedAt,
		}
	}
	return rows
}
