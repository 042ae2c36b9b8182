package feeds

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// patternValues returns the hosts and URLs that a STIX pattern compares with, in
// order and without repeats: the values of = and IN on ipv4-addr, ipv6-addr,
// domain-name and url (STIX 2.1 section 9). Comparisons with anything else, with
// another operator or under NOT do not name an indicator and are passed over;
// how the comparisons combine makes no difference to who is named.
func patternValues(pattern string) ([]string, error) {
	p := patternParser{text: pattern}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("the pattern is not valid at byte %d: %w; correct it", p.pos, err)
	}
	return p.values, nil
}

// A patternParser reads a pattern token by token. Instead of the whole grammar
// it checks the brackets and the form of each comparison.
type patternParser struct {
	text   string
	pos    int
	values []string
}

// hostPaths are the object paths whose value is a host or URL.
var hostPaths = []string{
	"ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value",
	"network-traffic:dst_ref.value", "network-traffic:src_ref.value",
}

const maxPattern = 64 << 10

func (p *patternParser) parse() error {
	if len(p.text) > maxPattern {
		return fmt.Errorf("it has %d bytes and the limit is %d", len(p.text), maxPattern)
	}
	var open []string // brackets waiting to be closed
	observations := 0
	for {
		token, err := p.next()
		if err != nil {
			return err
		}
		inside := slices.Contains(open, "[")
		switch {
		case token == "" && len(open) > 0:
			return fmt.Errorf("the bracket %s is not closed", open[len(open)-1])
		case token == "" && observations == 0:
			return errors.New("it has no observation in square brackets")
		case token == "":
			return nil
		case token == "[" && inside:
			return errors.New("a square bracket stands inside another")
		case token == "[" || token == "(":
			open = append(open, token)
			if token == "[" {
				observations++
			}
		case token == "]" || token == ")":
			partner := map[string]string{"]": "[", ")": "("}[token]
			if len(open) == 0 || open[len(open)-1] != partner {
				return fmt.Errorf("the bracket %s has no partner", token)
			}
			open = open[:len(open)-1]
		case !inside || token == "AND" || token == "OR" || token == "EXISTS":
			// Qualifiers and operators between observations name nothing.
		default:
			if err := p.comparison(token); err != nil {
				return err
			}
		}
	}
}

// comparison reads the operator and the constant after an object path.
func (p *patternParser) comparison(path string) error {
	if path == "NOT" { // NOT EXISTS path
		return nil
	}
	if !strings.Contains(path, ":") {
		return fmt.Errorf("%s is not an object path", shorten(path))
	}
	before := p.pos
	operator, err := p.next()
	if err != nil {
		return err
	}
	if operator == "AND" || operator == "OR" || operator == "]" || operator == ")" { // after EXISTS
		p.pos = before
		return nil
	}
	negated := operator == "NOT"
	if negated {
		if operator, err = p.next(); err != nil {
			return err
		}
	}
	var constants []string
	switch operator {
	case "=", "==", "!=", "<>", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET":
		constant, err := p.next()
		if err != nil {
			return err
		}
		constants = []string{constant}
	case "IN":
		if constants, err = p.set(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q is not an operator", shorten(operator))
	}
	for _, constant := range constants {
		if slices.Contains([]string{"", "[", "]", "(", ")"}, constant) {
			return errors.New("a comparison has no constant")
		}
		value, isString := strings.CutPrefix(constant, "'")
		names := isString && !negated && slices.Contains([]string{"=", "==", "IN", "ISSUBSET"}, operator)
		if names && slices.Contains(hostPaths, path) && !slices.Contains(p.values, value) {
			p.values = append(p.values, value)
		}
	}
	return nil
}

// set reads ( constant, constant, ... ).
func (p *patternParser) set() ([]string, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	if token != "(" {
		return nil, errors.New("IN needs a list in parentheses")
	}
	var constants []string
	for {
		token, err := p.next()
		switch {
		case err != nil:
			return nil, err
		case token == ")":
			return constants, nil
		case token == "":
			return nil, errors.New("the list after IN is not closed")
		case token != ",":
			constants = append(constants, token)
		}
	}
}

// next returns the next token: a bracket, comma, operator, word, or a string
// constant, which is unescaped and marked with a quotation mark in front. It is
// empty at the end.
func (p *patternParser) next() (string, error) {
	rest := strings.TrimLeft(p.text[p.pos:], " \t\r\n")
	p.pos = len(p.text) - len(rest)
	if rest == "" {
		return "", nil
	}
	switch rest[0] {
	case '[', ']', '(', ')', ',':
		p.pos++
		return rest[:1], nil
	case '\'':
		return p.quoted()
	case '=', '!', '<', '>':
		n := 1
		for n < len(rest) && strings.IndexByte("=>", rest[n]) >= 0 {
			n++
		}
		p.pos += n
		return rest[:n], nil
	}
	start := p.pos
	for depth := 0; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '\'': // a quoted key of the path, or t'2016-05-12T08:17:27Z'
			if _, err := p.quoted(); err != nil {
				return "", err
			}
			p.pos--
		case c == '[':
			depth++ // an index such as values[*]
		case c == ']' && depth > 0:
			depth--
		case strings.IndexByte(" \t\r\n](),=!<>", c) >= 0:
			return p.text[start:p.pos], nil
		}
	}
	return p.text[start:], nil
}

// quoted reads a string constant; a backslash escapes the next character.
func (p *patternParser) quoted() (string, error) {
	var b strings.Builder
	b.WriteByte('\'')
	for i := p.pos + 1; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '\'':
			p.pos = i + 1
			return b.String(), nil
		case '\\':
			if i++; i < len(p.text) {
				b.WriteByte(p.text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quotation mark is not closed")
}
