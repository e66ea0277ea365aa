package replicaset

// Turns are stride scheduling (Waldspurger and Weihl, 1995). Each member has a pass, which
// grows by its stride, the inverse of its weight, with each read; the member of the least
// pass is next. A set's virtual time is the pass at which it last served.
//
// It needs no lock, reads that may go to different members do not disturb the shares of
// others, as they do where one counter is taken modulo their number, and the share of a
// member that is missing is spread over all others.

// Reads that ask for the first time, those that go on elsewhere, and those that members in
// slow start leave to other zones have a lane each, so that the latter take nobody's turn and
// are spread evenly as well.
const (
	laneFirst = iota
	laneFailover
	laneOtherZone
	lanes
)

// fullStride is the stride of the least weight. The passes of members that serve 100,000
// reads a second go beyond 64 bits after years.
const fullStride = 1 << 20

// turn is where a member stands in a lane.
type turn struct {
	at     uint64 // its pass as it counts now
	pass   uint64 // as it is written
	charge uint64 // for a read
}

func (t turn) before(o turn) bool { return t.at < o.at || t.at == o.at && t.pass < o.pass }

// turnOf is where a member stands. Its pass counts as no less than the virtual time, so
// that one that was missing does not have to make up for it.
func (c *chooser[N]) turnOf(sl *slot[N]) turn {
	t := turn{pass: sl.m.passes[c.lane].Load(), charge: sl.stride}
	if sl.m.State() == StateSlowStart {
		t.charge = sl.stride * fullShare / sl.m.share(c.clock())
	}
	t.at = max(t.pass, c.s.virtual[c.lane].Load())
	return t
}

func (c *chooser[N]) offerTurn(sl *slot[N]) {
	t := c.turnOf(sl)
	if c.best == nil || t.before(c.turn) {
		c.best, c.turn = sl, t
	}
}

// takeTurn charges the chosen member. It is false where another read was served by it
// meanwhile.
func (c *chooser[N]) takeTurn() bool {
	if !c.best.m.passes[c.lane].CompareAndSwap(c.turn.pass, c.turn.at+c.turn.charge) {
		return false
	}
	virtual := &c.s.virtual[c.lane]
	for {
		v := virtual.Load()
		if v >= c.turn.at || virtual.CompareAndSwap(v, c.turn.at) {
			return true
		}
	}
}

// evenTurn forgets what the member was charged for while it had a lesser share.
func (m *Member[N]) evenTurn() {
	for lane := range m.passes {
		virtual := m.set.virtual[lane].Load()
		if pass := m.passes[lane].Load(); pass > virtual {
			m.passes[lane].CompareAndSwap(pass, virtual) // else it has just served
		}
	}
}
