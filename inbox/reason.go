package inbox

import (
	"regexp"
	"strings"
)

// Reason says why a mail was not delivered. The words are those of the outside
// contract of "desist inspect mail".
type Reason string

// The reasons.
const (
	ReasonNoSuchUser  Reason = "no_such_user"
	ReasonNoSuchHost  Reason = "no_such_host"
	ReasonMailboxFull Reason = "mailbox_full"
	ReasonSuspended   Reason = "suspended"
	ReasonMoved       Reason = "moved"
	ReasonRefused     Reason = "refused"
	ReasonTooBig      Reason = "too_big"
	ReasonRateLimited Reason = "rate_limited"
	ReasonExpired     Reason = "expired"
	ReasonSystem      Reason = "system"
	ReasonOther       Reason = "other"
)

// Permanent reports whether the reason means that the address is dead.
func (r Reason) Permanent() bool {
	return r == ReasonNoSuchUser || r == ReasonNoSuchHost || r == ReasonMoved
}

var suspended = regexp.MustCompile(`(?i)(account|mailbox|user|recipient|address)[^\n.]{0,60}(suspended|disabled|inactive|deactivated|locked)|suspended|(inactive|disabled) (user|account|mailbox)`)

// wording maps what servers write to reasons, the more telling words first:
// a server that names the cause is believed before its code is.
var wording = []struct {
	words  *regexp.Regexp
	reason Reason
}{
	{regexp.MustCompile(`(?i)mail ?box (is )?(full|over)|over ?quota|quota (has been )?exceeded|exceed\w* (the )?(\w+ )?(quota|storage)|mailbox size limit|not enough (disk|storage) space|insufficient (disk|storage)|(disk|storage|account) (is )?(full|over)|out of storage|user is over|storage allocation`), ReasonMailboxFull},
	{regexp.MustCompile(`(?i)too (big|large)|message size|size limit|exceeds? (the )?(maximum|fixed|size)|maximum (message )?size|max(imum)? message|message length`), ReasonTooBig},
	{suspended, ReasonSuspended},
	{regexp.MustCompile(`(?i)has moved|address has changed|no longer (in use|uses)|user moved|changed (his|her|their) (e-?mail )?address|has been replaced by|new address`), ReasonMoved},
	{regexp.MustCompile(`(?i)rate ?limit|too many (connection|message|mail|recipient|concurrent|session|sender)|throttl|too (fast|quickly)|receiving mail at a rate|slow down|excessive (rate|volume)|connection limit|concurrency limit`), ReasonRateLimited},
	{regexp.MustCompile(`(?i)(host|domain)( name)?( \S+)? (unknown|not found|does not exist|could not be found|lookup fail)|unknown (host|domain)|unrouteable( mail domain)?|no such (host|domain)|unresolvable|name or service not known|nxdomain|domain of recipient|illegal host|null ?mx|name server: host not found|type=(mx|a|aaaa): host not found|couldn't find any host|bad destination (host|system)|invalid domain|mail domain .* does not exist`), ReasonNoSuchHost},
	{regexp.MustCompile(`(?i)no such (user|mailbox|recipient|person|local user)|(user|recipient|mailbox)( is)? ?(unknown|not ?found|does ?n.t exist|does not exist)|unknown (user|recipient|mailbox|local part)|doesn.t have an? (\S+ )?account|recipient address rejected: access denied|address couldn.t be found`), ReasonNoSuchUser},
	{regexp.MustCompile(`(?i)(spam|junk|bulk mail|unsolicited|virus|malware|block ?list|black ?list|\brbl\b|dnsbl|reputation|spf|dkim|dmarc|reverse dns|\bptr\b|rdns|relay(ing)? (access )?(denied|not permitted|not allowed)|unable to relay|policy|authentication (required|fail)|sender verify|sender (address )?rejected|blocked|banned|prohibited|not accept mail from|content (was )?(rejected|filter)|header (error|syntax)|rfc ?5322|rfc ?822|message (was )?rejected|refused by|(access|permission) denied|not allowed|not authori[sz]ed|administrative|permission to (post|send)|not accept(ing)? (any )?(mail|message)|user complaints|starttls)`), ReasonRefused},
	{regexp.MustCompile(`(?i)no such (user|mailbox|recipient|person|address|local user|account)|user( is)? (unknown|not found|does ?n.t exist)|unknown (user|recipient|mailbox|address|local|account)|(mailbox|recipient|address|account|user|addressee|member)[^\n.;]{0,60}(unknown|not found|does ?n.t exist|does not exist|not exist|not (be )?found|invalid|unavailable|not available|not known|not listed|not valid)|invalid (recipient|mailbox|user|address|final delivery)|not a valid (user|mailbox|recipient)|no mailbox (here|by that)|not our customer|doesn't have a (\w+ )?account|is not a known user|unknown or illegal alias|no account by that name|not listed in|undeliverable address`), ReasonNoSuchUser},
	{regexp.MustCompile(`(?i)timed? ?out|connection (refused|reset|lost)|(retry|delivery) time(out)?|expired|too (old|long in)|not (yet )?be(en)? delivered|network (is )?unreachable|no route|could not (be )?connect|couldn't connect|host (is )?unreachable|unable to connect|not responding|giving up`), ReasonExpired},
	{regexp.MustCompile(`(?i)local (configuration|error|problem)|system (error|full|config)|internal (server )?error|i/o error|command (died|failed|output)|unknown mailer error|no space left|syntax error|service (unavailable|not available)|mailer error|configuration error|temporary (local )?(problem|failure)`), ReasonSystem},
}

// coded maps the detail of enhanced status codes (RFC 3463 and the registry of
// RFC 5248) to reasons, for servers that only give a number.
var coded = map[string]Reason{
	"1.1": ReasonNoSuchUser, "1.0": ReasonNoSuchUser, "1.3": ReasonNoSuchUser, "1.2": ReasonNoSuchHost, "1.10": ReasonNoSuchHost,
	"1.6": ReasonMoved, "1.7": ReasonRefused, "1.8": ReasonRefused, "2.0": ReasonRefused, "2.1": ReasonRefused, "2.2": ReasonMailboxFull,
	"2.3": ReasonTooBig, "3.4": ReasonTooBig, "3.1": ReasonSystem, "3.0": ReasonSystem, "3.5": ReasonSystem,
	"4.1": ReasonExpired, "4.2": ReasonExpired, "4.3": ReasonSystem, "4.4": ReasonNoSuchHost, "4.6": ReasonExpired, "4.7": ReasonExpired,
	"4.0": ReasonExpired, "5.3": ReasonRateLimited, "6.0": ReasonRefused, "7.0": ReasonRefused, "7.1": ReasonRefused,
	"7.25": ReasonRefused, "7.26": ReasonRefused, "7.27": ReasonRefused, "7.28": ReasonRateLimited, "7.13": ReasonSuspended, "3.2": ReasonRefused, "5.2": ReasonSystem, "5.4": ReasonSystem,
}

// reasonOf decides by what the server wrote, then by its enhanced status code,
// then by its reply code.
func reasonOf(status, reply, diagnostic string) Reason {
	detail := ""
	if len(status) > 2 {
		detail = status[2:]
	}
	// Codes that say one thing only are believed before words, which servers
	// often take from a general template.
	switch detail {
	case "1.2":
		return ReasonNoSuchHost
	case "2.2":
		return ReasonMailboxFull
	case "3.4":
		return ReasonTooBig
	case "1.6":
		return ReasonMoved
	case "1.7", "1.8":
		return ReasonRefused // it is the sender's address that is wrong
	case "4.7":
		return ReasonExpired
	}
	for _, w := range wording {
		if w.words.MatchString(diagnostic) {
			if w.reason == ReasonNoSuchHost && strings.HasPrefix(status, "4") {
				return ReasonExpired // the name servers were silent, not the name wrong
			}
			return w.reason
		}
	}
	if r, known := coded[detail]; known {
		return r
	}
	switch reply {
	case "551":
		return ReasonMoved
	case "552":
		return ReasonMailboxFull
	case "550", "553":
		return ReasonRefused
	case "554":
		return ReasonRefused
	case "421", "451", "452":
		return ReasonSystem
	}
	return ReasonOther
}
