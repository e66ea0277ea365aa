package position

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// gtid is the last transaction of one of MariaDB's domains.
type gtid struct {
	domain, server uint32
	seq            uint64
}

// ParseMariaDB reads a position as MariaDB writes it in @@last_gtid, @@gtid_binlog_pos,
// @@gtid_current_pos and @@gtid_slave_pos: "0-1-100,2-5-7". "" is none. A domain must
// not come twice.
func ParseMariaDB(text string) (Position, error) {
	var p Position
	for s, more := strings.TrimSpace(text), text != ""; more && s != ""; {
		var one string
		one, s, more = strings.Cut(s, ",")
		g, ok := parseGTID(strings.TrimSpace(one))
		if s = strings.TrimSpace(s); !ok || more && s == "" {
			return Position{}, errText("position of MariaDB", text)
		}
		p.domains = append(p.domains, g)
	}
	if len(p.domains) == 0 {
		return Position{}, nil
	}
	p.kind = mariaDB
	slices.SortFunc(p.domains, func(a, b gtid) int { return cmp.Compare(a.domain, b.domain) })
	for i := 1; i < len(p.domains); i++ {
		if p.domains[i].domain == p.domains[i-1].domain {
			return Position{}, errText("position of MariaDB", text)
		}
	}
	return p, nil
}

func parseGTID(text string) (gtid, bool) {
	domain, rest, _ := strings.Cut(text, "-")
	server, seq, _ := strings.Cut(rest, "-")
	d, err := strconv.ParseUint(domain, 10, 32)
	if err != nil {
		return gtid{}, false
	}
	s, err := strconv.ParseUint(server, 10, 32)
	if err != nil {
		return gtid{}, false
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	return gtid{uint32(d), uint32(s), n}, err == nil
}

// in is the domain's last transaction in p.
func (p Position) in(domain uint32) (gtid, bool) {
	i, found := slices.BinarySearchFunc(p.domains, domain, func(g gtid, d uint32) int { return cmp.Compare(g.domain, d) })
	if !found {
		return gtid{}, false
	}
	return p.domains[i], true
}

func (p Position) reachedMariaDB(target Position) Answer {
	answer := Yes
	for _, want := range target.domains {
		switch is, found := p.in(want.domain); {
		case found && is.server != want.server:
			return Unknown
		case !found || is.seq < want.seq:
			answer = No
		}
	}
	return answer
}

func (p Position) mergeMariaDB(o Position) (Position, bool) {
	merged := Position{kind: mariaDB, domains: slices.Clone(p.domains)}
	for _, g := range o.domains {
		i, found := slices.BinarySearchFunc(merged.domains, g.domain, func(g gtid, d uint32) int { return cmp.Compare(g.domain, d) })
		switch {
		case !found:
			merged.domains = slices.Insert(merged.domains, i, g)
		case merged.domains[i].server != g.server:
			return Position{}, false
		default:
			merged.domains[i].seq = max(merged.domains[i].seq, g.seq)
		}
	}
	return merged, true
}

func (p Position) lineMariaDB() string {
	var b []byte
	for i, g := range p.domains {
		if i > 0 {
			b = append(b, ',')
		}
		b = g.appendLine(b)
	}
	return string(b)
}

func (g gtid) appendLine(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(g.domain), 10)
	b = append(b, '-')
	return strconv.AppendUint(b, uint64(g.server), 10)
}

func (p Position) stringMariaDB() string {
	var b []byte
	for i, g := range p.domains {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(g.appendLine(b), '-')
		b = strconv.AppendUint(b, g.seq, 10)
	}
	return string(b)
}
