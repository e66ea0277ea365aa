package dbfleet

import "slices"

// claim is what is known of one node where the primary is looked for.
type claim struct {
	n *node
	// answered says that the node answered the last question, and writable that it said
	// to be in the primary's role.
	answered, writable bool
	// system names the database cluster that its data is of, server the server itself,
	// and group a cluster whose members are all primaries; each "" if that is not known.
	system, server, group string
	// timeline is PostgreSQL's, which each promotion raises; 0 if it is not known.
	timeline uint32
	// host says that it is configured as a possible primary, and wasStandby that it once
	// answered as a standby: it was promoted since.
	host, wasStandby bool
}

// choice is who is the primary.
type choice struct {
	leader *node // nil if there is none, or several
	claim  []*node
}

// chooseLeader says which node is the primary, given which was. A node claims to be if it
// answers in the primary's role and is a configured host, was a standby before, or has the
// host's data on a later timeline. (A replica that was writable from the start, as some
// are on purpose, claims nothing.) Of the members of one group any may be it, so the
// present one stays; others that claim at the same time are never chosen from.
func chooseLeader(claims []claim, now *node) choice {
	var c choice
	var first []claim // the claims of c
	for _, x := range claims {
		if !x.answered || !x.writable || !x.mayLead(claims) {
			continue
		}
		if slices.ContainsFunc(first, x.isOneWith) {
			if x.n == now { // of a group, or the same server by another address
				c.leader = now
			}
			continue
		}
		first = append(first, x)
		c.claim = append(c.claim, x.n)
	}
	switch {
	case len(first) != 1:
		c.leader = nil
	case c.leader == nil:
		c.leader = first[0].n
	}
	return c
}

// isOneWith says that two claims are no contradiction.
func (x claim) isOneWith(y claim) bool {
	return x.n == y.n || x.server != "" && x.server == y.server || x.group != "" && x.group == y.group
}

// isForeign says that the hosts are known to be of another cluster.
func (x claim) isForeign(claims []claim) bool {
	foreign := false
	for _, y := range claims {
		switch {
		case !y.host || y.system == "" || x.system == "":
		case y.system == x.system:
			return false
		default:
			foreign = true
		}
	}
	return foreign
}

// mayLead says that a node in the primary's role is one that this connection may follow.
// The same system alone is no proof: copies have it too.
func (x claim) mayLead(claims []claim) bool {
	if x.host || x.wasStandby {
		return x.host || !x.isForeign(claims)
	}
	if x.system == "" {
		return false
	}
	standbys := false
	for _, y := range claims {
		switch {
		case y.system != x.system:
		case y.host && y.timeline != 0:
			return x.timeline > y.timeline
		case y.answered && !y.writable:
			standbys = true
		}
	}
	return standbys
}
