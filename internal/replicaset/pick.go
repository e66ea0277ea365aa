package replicaset

import "slices"

// Wants says which members one read may be served by. A pointer implements it, so that no
// closure is allocated; nil wants any.
type Wants[N comparable] interface{ Fits(m *Member[N]) bool }

// Resort says how good a pick is.
type Resort uint8

// The resorts, the best first.
const (
	Well Resort = iota // nothing speaks against the member, or it is still in service
	// Returning is a member that is well, as all that fit the read and are well are in slow
	// start: what they leave of their shares is for whoever has stood in for them, if that
	// still can, and the read is of that part. (What those of the zone leave is for members
	// of other zones that have their full shares, if there are any.)
	Returning
	Suspected // there is none that is well
	Ejected   // does not answer probes, but nobody else is left
)

// Tried holds the members that a read has asked. Its zero value is empty, and up to three
// are added without an allocation. It is for one goroutine at a time.
type Tried[N comparable] struct {
	few  [3]*Member[N]
	n    int
	more []*Member[N]
}

// Add notes that m was asked.
func (t *Tried[N]) Add(m *Member[N]) {
	if t.n < len(t.few) {
		t.few[t.n] = m
		t.n++
		return
	}
	t.more = append(t.more, m)
}

// Has says whether m was asked.
func (t *Tried[N]) Has(m *Member[N]) bool {
	return slices.Contains(t.few[:t.n], m) || slices.Contains(t.more, m)
}

func (t *Tried[N]) empty() bool { return t == nil || t.n == 0 }

// Pick returns the next member for a read that has asked those of tried, nil for none: by
// policy and zone one that is well, else one under suspicion, else, for whoever might answer
// is asked before an error, one that was ejected. Of these one that stalls is the last; see
// Member.Stalled. ok is false when none fits.
//
// A read that has asked before takes nobody's turn, and where a member is missing the
// others share evenly what it would have served. The caller adds the member to tried when
// it asks there. Pick takes no lock and allocates nothing.
func (s *Set[N]) Pick(w Wants[N], tried *Tried[N]) (m *Member[N], resort Resort, ok bool) {
	c := chooser[N]{s: s, random: s.next.Load()}
	if s.o.Policy == Random || s.o.Policy == Latency {
		c.random = s.next.Swap(s.o.Rand())
	}
	for range 8 {
		c.choose(w, tried)
		if c.best == nil || c.take() {
			break
		}
	}
	if c.draws {
		s.next.Store(s.o.Rand())
	}
	return c.result()
}

// Peek is what Pick would return. It changes nothing.
func (s *Set[N]) Peek(w Wants[N], tried *Tried[N]) (m *Member[N], resort Resort, ok bool) {
	c := chooser[N]{s: s, random: s.next.Load()}
	c.choose(w, tried)
	return c.result()
}

// chooser finds the best member for one read.
type chooser[N comparable] struct {
	s      *Set[N]
	random uint64
	lane   int
	now    int64 // 0 until it is needed

	best *slot[N]
	rank uint8 // of best, the lower the better
	full bool  // one of that rank has its full share
	far  bool  // members of other zones that have theirs are chosen from
	// draws says that all of the best rank are in slow start, and left that the read is of
	// what these leave of their shares.
	draws, left bool

	turn turn   // of best
	load uint64 // of best: its reads in flight for its weight

	state  uint64   // of the random numbers
	count  uint64   // of members so far, or of their weights
	second *slot[N] // the other of two to choose from
}

// result is what was found.
func (c *chooser[N]) result() (*Member[N], Resort, bool) {
	if c.best == nil {
		return nil, Well, false
	}
	resort := Resort(c.rank / ranksPerResort)
	if c.left {
		resort = Returning
	}
	return c.best.m, resort, true
}

// choose looks at all members. Where those of the best rank are well and in slow start, it
// decides whether the read is of what they leave of their shares, and finds a member of
// another zone for it, which has stood in for them.
func (c *chooser[N]) choose(w Wants[N], tried *Tried[N]) {
	c.state, c.far, c.left, c.lane = c.random, false, false, laneFirst
	if !tried.empty() {
		c.lane = laneFailover
	}
	c.scan(w, tried)
	c.draws = c.best != nil && !c.full && Resort(c.rank/ranksPerResort) == Well
	if !c.draws || c.below(fullShare) < c.best.m.share(c.clock()) {
		return
	}
	if c.left = true; c.rank != 0 {
		return
	}
	near, turn, lane := c.best, c.turn, c.lane
	c.far, c.lane = true, laneOtherZone
	if c.scan(w, tried); c.best != nil {
		c.left = false
		return
	}
	c.best, c.turn, c.lane, c.rank = near, turn, lane, 0
}

// scan looks at the members that may be chosen from.
func (c *chooser[N]) scan(w Wants[N], tried *Tried[N]) {
	c.best, c.second, c.full = nil, nil, false
	slots := c.s.list.Load().slots
	for i := range slots {
		sl := &slots[i]
		rank := c.rankOf(sl)
		if c.far && (rank != distantRank || sl.m.State() == StateSlowStart) {
			continue
		}
		if c.best != nil && rank > c.rank || tried != nil && tried.Has(sl.m) || !fits(w, sl.m) {
			continue
		}
		if c.best != nil && rank < c.rank {
			c.best, c.second, c.full = nil, nil, false
		}
		c.rank = rank
		c.full = c.full || sl.m.State() != StateSlowStart
		switch c.s.o.Policy {
		case Random:
			c.offerRandom(sl)
		case Latency:
			c.offerTwo(sl)
		case LeastInFlight:
			c.offerIdle(sl)
		default:
			c.offerTurn(sl)
		}
	}
	if c.second != nil {
		c.decideTwo()
	}
}

// rankOf is how good it is to pick the slot at all: by resort, then those that do not
// stall, then by zone.
func (c *chooser[N]) rankOf(sl *slot[N]) uint8 {
	r := uint8(sl.m.resort()) * ranksPerResort
	if sl.m.PiledUp() && sl.m.stalled(c.clock()) {
		r += 2
	}
	if sl.distant {
		r += distantRank
	}
	return r
}

const (
	ranksPerResort = 4
	distantRank    = 1
)

func fits[N comparable](w Wants[N], m *Member[N]) bool {
	return !m.Has(Draining|Foreign) && (w == nil || w.Fits(m))
}

// clock is the time of the pick.
func (c *chooser[N]) clock() int64 {
	if c.now == 0 {
		c.now = c.s.clock()
	}
	return c.now
}

// take has the chosen member's turn be over. It is false where another read was faster.
func (c *chooser[N]) take() bool {
	switch c.s.o.Policy {
	case Random, Latency:
		return true
	}
	return c.takeTurn()
}
