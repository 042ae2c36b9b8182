package simnet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// deskCase is what a desk remembers of a target.
type deskCase struct {
	notices int
	planned bool // an act is on its way or done
}

// DeskCounts are what happened at one desk.
type DeskCounts struct {
	Accepted  int `json:"accepted"`
	Rejected  int `json:"rejected"`
	Deferred  int `json:"deferred"`
	Filtered  int `json:"filtered"`
	Bounced   int `json:"bounced"` // after acceptance
	Misrouted int `json:"misrouted"`
	Acted     int `json:"acted"`
	Answered  int `json:"answered"`
}

// receive is what happens to an accepted mail: it is kept (raw must not change
// afterwards), and its desk begins to work on it.
func (n *Net) receive(from, to string, raw []byte) {
	to = strings.ToLower(to)
	msg := readNotice(raw, n.idx.target)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats.Mails++
	n.stats.MailBytes += int64(len(raw))
	d := n.deskOf(to)
	if d == nil {
		d = n.deskByTarget(msg.targets)
	}
	kept := Mail{
		At: n.clock.Now(), From: from, Recipient: to, MessageID: msg.header.Get("Message-Id"), Subject: msg.subject,
		Targets: msg.targets, Found: msg.found, Raw: raw,
	}
	if d == nil {
		n.stats.Unknown++
		n.mails.add(kept)
		return
	}
	kept.Desk = d.name
	kept.Case = caseReference(d, strings.Join(msg.targets, " "))
	n.mails.add(kept)
	d.counts.Accepted++
	n.work(d, from, to, msg)
}

// deskByTarget lets a platform or CDN read mail to an address that the product
// knows from elsewhere. Net.mu is held.
func (n *Net) deskByTarget(targets []string) *desk {
	for _, t := range targets {
		s := n.idx.sites[t]
		switch {
		case s.platform != nil:
			return n.idx.networks[s.platform.Network]
		case s.cdn != nil:
			return n.idx.networks[s.cdn.Network]
		}
	}
	return nil
}

// caseReference is derived from desk and content, so that a second notice about
// the same target finds the same ticket.
func caseReference(d *desk, target string) string {
	r := draw(0, "ticket", d.name, target)
	return fmt.Sprintf("%06X:%02d", r.Uint32()&0xffffff, r.IntN(100))
}

// work is a desk reading one notice. Net.mu is held.
func (n *Net) work(d *desk, from, to string, msg notice) {
	b := &d.behaviour
	first := ""
	if len(msg.targets) > 0 {
		first = msg.targets[0]
	}
	r := draw(n.world.Seed, "desk", d.name, first)
	if r.Float64() < b.BounceLater {
		d.counts.Bounced++
		n.plan(time.Minute, func() { n.bounce(d, from, to, msg, false) })
		return
	}
	if r.Float64() < b.Filtered {
		d.counts.Filtered++
		return
	}
	reply := replyTo{desk: d, from: from, to: to, msg: msg}
	acknowledged := r.Float64() < b.AutoAck
	withTicket := r.Float64() < b.Ticket
	if r.Float64() < b.Spoofed {
		n.plan(time.Hour, func() { n.bounce(d, from, to, msg, true) })
	}
	if acknowledged && !msg.auto {
		ticket := ""
		if withTicket {
			ticket = caseReference(d, strings.Join(msg.targets, " "))
		}
		n.plan(30*time.Second, func() { n.answer(reply, kindAck, ticket, "") })
	}
	for _, target := range msg.targets {
		n.workOn(reply, n.idx.sites[target], r)
	}
	if len(msg.targets) == 0 && !msg.auto && b.Act != nil {
		n.plan(d.answerDelay(r), func() { n.answer(reply, kindNeedEvidence, "", "") })
	}
}

// workOn decides what a desk does about one target. Net.mu is held.
func (n *Net) workOn(reply replyTo, s *siteState, r *rand.Rand) {
	d, b := reply.desk, &reply.desk.behaviour
	c := s.cases[d]
	if c == nil {
		if s.cases == nil {
			s.cases = map[*desk]*deskCase{}
		}
		c = &deskCase{}
		s.cases[d] = c
	}
	c.notices++
	ticket := caseReference(d, s.Host)
	part := n.part(d, s)
	if part == "" {
		d.counts.Misrouted++
		if c.notices == 1 && b.Act != nil {
			n.plan(d.answerDelay(r), func() { n.answer(reply, kindNotOurs, ticket, s.Host) })
		}
		return
	}
	if c.planned {
		return // only the first notice starts the clock (Vasek and Moore)
	}
	choice := draw(n.world.Seed, "choice", d.name, s.Host)
	if part == "cdn" {
		if choice.Float64() < b.Reveal {
			c.planned = true
			n.plan(d.answerDelay(choice), func() { n.answer(reply, kindReveal, ticket, s.Host) })
		}
		return
	}
	x := choice.Float64()
	switch {
	case x < b.NotOurs:
		if c.notices == 1 {
			n.plan(d.answerDelay(choice), func() { n.answer(reply, kindNotOurs, ticket, s.Host) })
		}
		return
	case x < b.NotOurs+b.NeedEvidence && c.notices == 1:
		n.plan(d.answerDelay(choice), func() { n.answer(reply, kindNeedEvidence, ticket, s.Host) })
		return
	}
	if b.Act == nil {
		return
	}
	c.planned = true
	tells := choice.Float64() < b.Resolved
	n.plan(b.Act.draw(choice), func() {
		n.mu.Lock()
		part := n.part(d, s) // the site may have moved away meanwhile
		if part != "" {
			n.act(d, part, s, choice)
		}
		n.mu.Unlock()
		if tells && part != "" {
			n.answer(reply, kindResolved, ticket, s.Host)
		}
	})
}

// part says what a desk is to a site: host, upstream, cdn, platform, registrar,
// registry, or "" when it has nothing to do with it.
func (n *Net) part(d *desk, s *siteState) string {
	switch {
	case d.network != nil && s.cdn != nil && s.cdn.Network == d.network.Name:
		return "cdn"
	case d.network != nil && s.platform != nil && s.platform.Network == d.network.Name:
		return "platform"
	case d.network != nil && s.network == d.network:
		return "host"
	case d.network != nil && s.network.Upstream == d.network.Name:
		return "upstream"
	case d.registrar != nil && s.platform == nil && s.domain != nil && s.domain.registrar == d.registrar:
		return "registrar"
	case d.registry != nil && s.platform == nil && s.domain != nil && s.domain.registry == d.registry:
		return "registry"
	}
	return ""
}

// act makes the site go away in the way proper to the part. Net.mu is held.
func (n *Net) act(d *desk, part string, s *siteState, r *rand.Rand) {
	d.counts.Acted++
	switch part {
	case "registrar":
		n.hold(s.domain, "client hold")
	case "registry":
		n.hold(s.domain, "server hold")
	case "upstream":
		n.takeDown(s, stateRefused)
	default:
		end := d.behaviour.Ends.pick(r)
		if end == "" || (end == stateNoDNS && s.domain == nil) {
			end = stateNotFound
			if s.domain == nil {
				end = stateRefused
			}
		}
		n.takeDown(s, end)
		b := &d.behaviour
		x := r.Float64()
		hops := x >= b.Relapse && x < b.Relapse+b.Hop && s.domain != nil && s.platform == nil
		if !s.relapsed && (hops || x < b.Relapse) {
			after := 3 * 24 * time.Hour
			if b.RelapseAfter != nil {
				after = b.RelapseAfter.draw(r)
			}
			n.plan(after, func() { n.relapse(s, hops) })
		}
	}
}

// takeDown changes what is served. Net.mu is held.
func (n *Net) takeDown(s *siteState, end string) {
	wasUp := s.up()
	if s.serves == stateLive {
		s.serves = end
	}
	if wasUp {
		s.downSince = n.clock.Now()
	}
}

// hold takes a name out of the zone. Net.mu is held.
func (n *Net) hold(d *domainState, status string) {
	if d.hold != "" {
		return
	}
	for _, s := range d.sites {
		if s.up() {
			s.downSince = n.clock.Now()
		}
	}
	d.hold = status
}

// relapse brings a site back once, where it was or on another network.
func (n *Net) relapse(s *siteState, hops bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.relapsed || s.serves == stateLive {
		return
	}
	s.relapsed, s.serves, s.downSince = true, stateLive, time.Time{}
	if hops {
		n.hop(s)
		n.stats.Hops++
	} else {
		n.stats.Relapses++
	}
	for _, c := range s.cases {
		c.planned = false // a new notice starts a new clock
	}
}

// hop moves a site to another hosting network. Net.mu is held.
func (n *Net) hop(s *siteState) {
	var others []*Network
	for i := range n.world.Networks {
		if w := &n.world.Networks[i]; w != s.network && n.world.hosting(w.Name) {
			others = append(others, w)
		}
	}
	if len(others) == 0 {
		return
	}
	r := draw(n.world.Seed, "hop", s.Host)
	for _, a := range s.addrs {
		n.idx.byAddr[a] = slices.DeleteFunc(n.idx.byAddr[a], func(other *siteState) bool { return other == s })
	}
	s.network = others[r.IntN(len(others))]
	s.addrs = n.world.shared(s.network.Name, r)
	for _, a := range s.addrs {
		n.idx.byAddr[a] = append(n.idx.byAddr[a], s)
	}
}

// planNaturalDeaths gives the sites of networks that do not act a life of
// their own.
func (n *Net) planNaturalDeaths() {
	for _, s := range n.idx.order {
		b := n.idx.networks[s.network.Name].behaviour
		if b.Natural == nil || s.Class == "" {
			continue
		}
		life := b.Natural.draw(draw(n.world.Seed, "life", s.Host))
		n.plan(life, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			if s.serves == stateLive {
				n.stats.NaturalDeaths++
				n.takeDown(s, stateRefused)
			}
		})
	}
}

// answerDelay is how long a person takes to write back.
func (d *desk) answerDelay(r *rand.Rand) time.Duration {
	if d.behaviour.Answer == nil {
		return 2 * time.Hour
	}
	return d.behaviour.Answer.draw(r)
}

// plan does something after a time of the world.
func (n *Net) plan(after time.Duration, do func()) { n.sched.at(n.clock.Now().Add(after), do) }
