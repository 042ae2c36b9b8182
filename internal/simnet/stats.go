package simnet

import "time"

// Stats are the counters of a running world.
type Stats struct {
	Now           time.Time             `json:"now"` // the world's time
	Mails         int                   `json:"mails"`
	MailBytes     int64                 `json:"mail_bytes"`
	Unknown       int                   `json:"mails_to_nobody"`
	Answers       int                   `json:"answers"`
	AnswersSent   int                   `json:"answers_sent"`
	AnswersFailed int                   `json:"answers_failed"`
	AnswersQueued int                   `json:"answers_queued"`
	Relapses      int                   `json:"relapses"`
	Hops          int                   `json:"hops"`
	NaturalDeaths int                   `json:"natural_deaths"`
	SitesUp       int                   `json:"sites_up"`
	SitesDown     int                   `json:"sites_down"`
	ActsPending   int                   `json:"acts_pending"`
	Desks         map[string]DeskCounts `json:"desks"`
}

// Stats returns the counters now.
func (n *Net) Stats() Stats {
	n.mu.RLock()
	s := n.stats
	for _, site := range n.idx.order {
		if site.up() {
			s.SitesUp++
		} else {
			s.SitesDown++
		}
	}
	s.Desks = make(map[string]DeskCounts, len(n.idx.desks))
	for _, d := range n.idx.desks {
		s.Desks[d.name] = d.counts
	}
	n.mu.RUnlock()
	n.outbox.mu.Lock()
	s.AnswersSent, s.AnswersFailed, s.AnswersQueued = n.outbox.sent, n.outbox.failed+n.outbox.dropped, len(n.outbox.queue)
	n.outbox.mu.Unlock()
	s.ActsPending = n.sched.pending()
	s.Now = n.clock.Now()
	return s
}

// Mails returns the last accepted mails, the newest last.
func (n *Net) Mails(last int) []Mail {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.mails.last(last)
}

// Answers returns the last answers that desks wrote, the newest last.
func (n *Net) Answers(last int) []Answer {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.answers.last(last)
}

// SiteStatus is a site as it is now.
type SiteStatus struct {
	Host      string    `json:"host"`
	Indicator string    `json:"indicator"`
	Class     string    `json:"class"`
	Up        bool      `json:"up"`
	Serves    string    `json:"serves"`
	Hold      string    `json:"hold,omitempty"`
	Network   string    `json:"network"`
	Registrar string    `json:"registrar,omitempty"`
	CDN       string    `json:"cdn,omitempty"`
	Platform  string    `json:"platform,omitempty"`
	Cloaked   bool      `json:"cloaked,omitempty"`
	DownSince time.Time `json:"down_since,omitzero"`
	Relapsed  bool      `json:"relapsed,omitempty"`
}

func (s *siteState) status() SiteStatus {
	out := SiteStatus{
		Host: s.Host, Indicator: s.Indicator(), Class: s.Class, Up: s.up(), Serves: s.serves, Network: s.network.Name,
		Registrar: s.Registrar, CDN: s.CDN, Platform: s.Platform, Cloaked: s.Cloaked, DownSince: s.downSince, Relapsed: s.relapsed,
	}
	if s.domain != nil {
		out.Hold = s.domain.hold
	}
	return out
}

// Site returns one site by host.
func (n *Net) Site(host string) (SiteStatus, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	s := n.idx.sites[host]
	if s == nil {
		return SiteStatus{}, false
	}
	return s.status(), true
}

// Sites lists the sites in a state: "up", "down", "" for all, or one of the
// ends of [Behaviour] and "hold".
func (n *Net) Sites(state string) []SiteStatus {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var out []SiteStatus
	for _, s := range n.idx.order {
		match := state == "" || s.serves == state
		switch state {
		case "up":
			match = s.up()
		case "down":
			match = !s.up()
		case "hold":
			match = s.domain != nil && s.domain.hold != ""
		}
		if match {
			out = append(out, s.status())
		}
	}
	return out
}

// SetSite takes a site down with one of the ends of [Behaviour] ("hold" for the
// name itself), or brings it back with "live". It reports whether it exists.
func (n *Net) SetSite(host, state string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.idx.sites[host]
	switch {
	case s == nil:
		return false
	case state == stateLive:
		s.serves, s.downSince = stateLive, time.Time{}
		if s.domain != nil {
			s.domain.hold = ""
		}
	case state == "hold":
		if s.domain == nil {
			return false
		}
		n.hold(s.domain, "client hold")
	default:
		n.takeDown(s, state)
	}
	return true
}
