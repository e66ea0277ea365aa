package replicaset

import "math/bits"

// offerRandom keeps each member that is offered with the probability of its weight among
// all so far, so that one pass is enough.
func (c *chooser[N]) offerRandom(sl *slot[N]) {
	weight := sl.weight * fullShare
	if sl.m.State() == StateSlowStart {
		weight = sl.weight * sl.m.share(c.clock())
	}
	if c.best == nil {
		c.count = 0
	}
	c.count += weight
	if c.best == nil || c.below(c.count) < weight {
		c.best = sl
	}
}

// below is a random number below n, which is above 0.
func (c *chooser[N]) below(n uint64) uint64 {
	// splitmix64 (Steele, Lea and Flood, 2014): a number for each question out of the one
	// of the pick.
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	hi, _ := bits.Mul64(z^z>>31, n)
	return hi
}
