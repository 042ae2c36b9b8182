package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"desist/internal/postgres"
	"desist/internal/stats"
	"desist/web/access"
)

type statsInput struct {
	By      string    `query:"by" enum:"provider,asn,country,class,role" doc:"What to group by; nothing if absent."`
	From    time.Time `query:"from" doc:"Only cases submitted at or after this time."`
	To      time.Time `query:"to" doc:"Only cases submitted before this time."`
	Minimum int       `query:"minimum" default:"10" minimum:"1" doc:"Groups with fewer cases are pooled as \"other\"."`
}

type statsOutput struct {
	Body stats.Summary
}

type overviewOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Overview
}

// An Overview is the state of everything at a glance.
type Overview struct {
	At time.Time `json:"at" doc:"The service's time."`
	postgres.Overview
	Removal stats.Figure `json:"removal" doc:"From the first notice accepted to the target seen gone; open cases count as open."`
}

func (a *api) registerFigures() {
	op := operation(http.MethodGet, "/stats", "stats", "Removal times, with open cases counted honestly", access.Read)
	huma.Register(a.huma, op, func(ctx context.Context, in *statsInput) (*statsOutput, error) {
		now := a.Now()
		from, to := in.From, in.To
		if from.IsZero() {
			from = time.Unix(0, 0)
		}
		if to.IsZero() {
			to = now.Add(time.Second)
		}
		if !from.Before(to) {
			return nil, invalid("query.from", in.From, "from %s is not before to %s", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
		}
		lives, err := a.Figures.Lives(ctx, from, to)
		if err != nil {
			return nil, a.problem(ctx, "stats", err)
		}
		return &statsOutput{Body: stats.Summarise(Rows(lives), stats.Options{By: stats.By(in.By), Now: now, Minimum: in.Minimum})}, nil
	})
	huma.Register(a.huma, operation(http.MethodGet, "/overview", "overview", "The state of everything at a glance", access.Read),
		func(ctx context.Context, _ *struct{}) (*overviewOutput, error) {
			g, err := a.Glance(ctx)
			if err != nil {
				return nil, a.problem(ctx, "overview", err)
			}
			return &overviewOutput{CacheControl: "no-store", Body: Overview{At: g.At, Overview: g.Overview, Removal: stats.FigureOf(g.Removal)}}, nil
		})
}

// Rows makes the clocks of cases what the figures are computed from.
func Rows(lives []postgres.Life) []stats.Row {
	rows := make([]stats.Row, len(lives))
	for i, l := range lives {
		rows[i] = stats.Row{
			CaseID: l.CaseID, Class: l.Class, Role: l.Role, Provider: l.Provider, Name: l.Name, ASN: uint32(l.ASN), Country: l.Country,
			SubmittedAt: l.SubmittedAt, NotifiedAt: l.NotifiedAt, AnsweredAt: l.AnsweredAt, GoneSeenAt: l.GoneSeenAt, GoneAt: l.GoneAt, ClosedAt: l.ClosedAt,
		}
	}
	return rows
}
