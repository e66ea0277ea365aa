package replicaset

import (
	"math"
	"time"
)

// offerIdle prefers the member with the fewest reads in flight for its weight, and of
// those that are even the one whose turn it is.
func (c *chooser[N]) offerIdle(sl *slot[N]) {
	t := c.turnOf(sl)
	// The stride, which the charge is, is the inverse of the weight.
	load := uint64(max(0, sl.m.inFlight.Load())) * t.charge
	if c.best == nil || load < c.load || load == c.load && t.before(c.turn) {
		c.best, c.turn, c.load = sl, t, load
	}
}

// offerTwo draws two of all members that are offered, each pair alike.
func (c *chooser[N]) offerTwo(sl *slot[N]) {
	switch {
	case c.best == nil:
		c.best, c.count = sl, 1
		return
	case c.second == nil:
		c.second, c.count = sl, 2
		return
	}
	c.count++
	switch c.below(c.count) {
	case 0:
		c.best = sl
	case 1:
		c.second = sl
	}
}

// decideTwo leaves the cheaper of the two in best, and one of both where they are even.
func (c *chooser[N]) decideTwo() {
	a, b := c.cost(c.best), c.cost(c.second)
	if b < a || b == a && c.below(2) == 0 {
		c.best, c.second = c.second, c.best
	}
	c.second = nil
}

// halfLife is after what time without an answer a member's latency counts as half, for the
// choice and beside the next answer: one that was slow is asked again some time, and has the
// chance to show that it is not any more.
const halfLife = time.Second

// fade is how much of what was known counts after so long.
func fade(idle int64) float64 { return math.Exp2(-float64(idle) / float64(halfLife)) }

// cost is what a read at the member costs.
func (c *chooser[N]) cost(sl *slot[N]) float64 {
	m := sl.m
	latency, flying := float64(m.latency.Load()), float64(max(0, m.inFlight.Load()))
	switch {
	case latency > 0:
		if idle := c.clock() - m.heard.Load(); idle > int64(halfLife)/64 {
			latency *= fade(idle)
		}
	case flying > 0:
		// Nothing is known of it, and somebody is finding out.
		return math.MaxFloat64
	}
	weight := float64(sl.weight)
	if m.State() == StateSlowStart {
		weight *= float64(m.share(c.clock())) / fullShare
	}
	return latency * (flying + 1) / weight
}
