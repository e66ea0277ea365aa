package position

import "strings"

// IncludedIn reports whether a history of MariaDB includes all that p does, by the last
// number of each server that has written there in each domain: @@gtid_binlog_state has it,
// and @@gtid_slave_pos of what is not in the binary log. Unknown is a position of another
// kind, and texts that say nothing.
func (p Position) IncludedIn(states ...string) Answer {
	type writer struct{ domain, server uint32 }
	last := map[writer]uint64{}
	for _, state := range states {
		for one := range strings.SplitSeq(state, ",") {
			if g, ok := parseGTID(strings.TrimSpace(one)); ok {
				w := writer{g.domain, g.server}
				last[w] = max(last[w], g.seq)
			}
		}
	}
	if p.kind != mariaDB || len(last) == 0 {
		return Unknown
	}
	for _, g := range p.domains {
		if last[writer{g.domain, g.server}] < g.seq {
			return No
		}
	}
	return Yes
}
