package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"desist/takedown"
)

// maxExchangers bounds how many mail exchangers are tried for one notice.
const maxExchangers = 5

// sendDirect tries the mail exchangers of the recipient's domain in order (RFC
// 5321 section 5.1). Only a server that could not be talked to, or that asks to
// come back later, leads to the next one.
func (n *Notifier) sendDirect(ctx context.Context, notice takedown.Notice) result {
	domain := notice.Recipient[strings.LastIndexByte(notice.Recipient, '@')+1:]
	hosts, failed := n.exchangers(ctx, domain)
	var r result
	if failed != nil {
		r = *failed
	}
	for _, host := range hosts {
		r = n.sendVia(ctx, &endpoint{host: host, address: net.JoinHostPort(host, "25")}, notice)
		if r.outcome != takedown.OutcomeDeferred || ctx.Err() != nil {
			break
		}
	}
	return r
}

// exchangers lists the hosts to try. LookupMX sorts by preference. A domain
// without MX is its own exchanger; a null MX takes no mail (RFC 7505).
func (n *Notifier) exchangers(ctx context.Context, domain string) ([]string, *result) {
	records, err := n.cfg.LookupMX(ctx, domain)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return []string{domain}, nil
	case err != nil && len(records) == 0: // some records may be usable even so
		r := transportFailure("look up MX of "+domain, err)
		return nil, &r
	case len(records) == 1 && strings.Trim(records[0].Host, ".") == "":
		return nil, &result{
			outcome: takedown.OutcomeRejected, code: 556, enhanced: "5.1.10", badAddress: true,
			text: fmt.Sprintf("not sent: %s accepts no mail (null MX, RFC 7505)", domain),
		}
	case len(records) == 0:
		return []string{domain}, nil
	}
	var hosts []string
	for _, mx := range records[:min(len(records), maxExchangers)] {
		if host := strings.TrimSuffix(mx.Host, "."); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}
