package stmtcache

// mostUses is how far uses are counted, so that a text that was in great demand is
// forgotten in time.
const mostUses = 15

// Admit counts a use of a text that is not kept, and reports whether it is worth
// keeping: while there is room, and then if it was asked for more often than what
// would fall out for it. One more is not enough: texts that come in turn have counts
// that differ by one, and would drive each other out.
func (c *Cache[S]) Admit(query string) bool {
	if !c.Keeps(query) {
		return false
	}
	c.used()
	if len(c.m) < c.max {
		return true
	}
	if c.counts == nil {
		c.counts = new(counts)
	}
	return c.counts.add(c.hash(query)) > c.root.prev.uses+1
}

// used halves all counts now and then, so that they tell of the recent past.
func (c *Cache[S]) used() {
	if c.uses++; c.uses < 16*c.max {
		return
	}
	c.uses = 0
	for e := c.root.next; e != &c.root; e = e.next {
		e.uses /= 2
	}
	if c.counts != nil {
		c.counts.halve()
	}
}

// counts is how often texts were asked for lately, by their hashes. It remembers
// about 500; what comes once drives out what came once.
type counts [256][2]count

type count struct {
	tag  uint32 // of the hash
	uses uint8
}

func (c *counts) find(hash uint64) (set *[2]count, tag uint32) {
	return &c[hash>>8%uint64(len(c))], uint32(hash >> 32)
}

// add counts a use and returns how many there were.
func (c *counts) add(hash uint64) uint8 {
	set, tag := c.find(hash)
	for i := range set {
		if n := &set[i]; n.uses > 0 && n.tag == tag {
			if n.uses < mostUses {
				n.uses++
			}
			return n.uses
		}
	}
	least := &set[0]
	if set[1].uses < least.uses {
		least = &set[1]
	}
	if least.uses > 1 { // give way, but not at once
		least.uses--
		return 1
	}
	*least = count{tag: tag, uses: 1}
	return 1
}

// take forgets a text and returns how many uses there were.
func (c *counts) take(hash uint64) (uses uint8) {
	set, tag := c.find(hash)
	for i := range set {
		if n := &set[i]; n.uses > 0 && n.tag == tag {
			uses = n.uses
			*n = count{}
		}
	}
	return uses
}

func (c *counts) halve() {
	for i := range c {
		for j := range c[i] {
			c[i][j].uses /= 2
		}
	}
}
