package driver

import "hash/maphash"

// cache keeps the statements that a connection has prepared, least recently
// used out first. It is used by one goroutine at a time.
type cache[S any] struct {
	max  int
	m    map[string]*entry[S]
	root entry[S] // root.next is the most recently used
	drop func(S)  // closes a statement that has fallen out

	// seen are the hashes of texts that came once without being prepared.
	seen [64]uint64
	seed maphash.Seed
}

// entry is a prepared statement of a cache.
type entry[S any] struct {
	stmt       S
	query      string
	prev, next *entry[S]
	// busy says that a cursor is open on the statement, gone that it fell out
	// meanwhile: its cursor closes it.
	busy, gone bool
	// known is what the session remembers of the statement's columns.
	known any
}

// maxCachedText is the longest statement that is kept, in bytes.
const maxCachedText = 128 << 10

func newCache[S any](max int, drop func(S)) *cache[S] {
	c := &cache[S]{max: max, drop: drop, m: make(map[string]*entry[S]), seed: maphash.MakeSeed()}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

func (c *cache[S]) keeps(query string) bool { return c.max > 0 && len(query) <= maxCachedText }

// get returns the statement of that text, nil if there is none.
func (c *cache[S]) get(query string) *entry[S] {
	// The text that was sent last often comes again, and as the same string: then
	// it costs less to compare it than to hash it.
	if e := c.root.next; e != &c.root && e.query == query {
		return e
	}
	e := c.m[query]
	if e == nil {
		return nil
	}
	if c.root.next != e {
		e.unlink()
		c.pushFront(e)
	}
	return e
}

// put keeps a statement. The least recently used falls out if there are too many.
func (c *cache[S]) put(query string, s S) *entry[S] {
	c.remove(c.m[query])
	e := &entry[S]{stmt: s, query: query}
	c.m[query] = e
	c.pushFront(e)
	for len(c.m) > c.max {
		c.remove(c.root.prev)
	}
	return e
}

// remove takes a statement out and closes it, now or when its cursor closes.
func (c *cache[S]) remove(e *entry[S]) {
	if e == nil || e.gone {
		return
	}
	delete(c.m, e.query)
	e.unlink()
	e.gone = true
	if !e.busy {
		c.drop(e.stmt)
	}
}

// free ends a cursor's use of a statement.
func (c *cache[S]) free(e *entry[S]) {
	if e.busy {
		e.busy = false
		if e.gone {
			c.drop(e.stmt)
		}
	}
}

// clear drops all.
func (c *cache[S]) clear() {
	for len(c.m) > 0 {
		c.remove(c.root.prev)
	}
}

// shrink drops the less recently used half.
func (c *cache[S]) shrink() {
	for n := (len(c.m) + 1) / 2; n > 0; n-- {
		c.remove(c.root.prev)
	}
}

// repeated reports whether the text was asked for before, as far as is
// remembered.
func (c *cache[S]) repeated(query string) bool {
	h := maphash.String(c.seed, query) | 1
	slot := &c.seen[h>>8%64]
	if *slot == h {
		return true
	}
	*slot = h
	return false
}

func (c *cache[S]) pushFront(e *entry[S]) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry[S]) unlink() { e.prev.next, e.next.prev = e.next, e.prev }
