// Package stmtcache keeps what a connection has prepared, and decides what is worth
// keeping when there is no room for all.
package stmtcache

import "hash/maphash"

// Cache keeps the statements that a connection has prepared. It is used by one
// goroutine at a time.
//
// While there is room every statement is kept. A full cache takes another one only
// if Admit says so, and the least recently used falls out. So a program with more
// texts than there is room for has most of them kept, where a cache that took every
// text would drop each one just before it comes again.
type Cache[S any] struct {
	max  int
	m    map[string]*Entry[S]
	root Entry[S] // root.next is the most recently used
	drop func(S)  // closes a statement that has fallen out

	// uses counts what was asked for since the counts were halved last; counts is
	// for the texts that are not kept, nil while there is room.
	uses   int
	counts *counts

	// seen are the hashes of texts that came once without being prepared.
	seen [64]uint64
	seed maphash.Seed
}

// Entry is a prepared statement of a cache.
type Entry[S any] struct {
	Stmt       S
	Query      string
	prev, next *Entry[S]
	// Busy says that a cursor is open on the statement, Gone that it fell out
	// meanwhile: its cursor closes it.
	Busy, Gone bool
	uses       uint8
	// Known is what the session remembers of the statement's columns.
	Known any
}

// maxCachedText is the longest statement that is kept, in bytes.
const maxCachedText = 128 << 10

// New returns a cache of so many statements, 0 for none, that drops by drop what
// falls out.
func New[S any](max int, drop func(S)) *Cache[S] {
	c := &Cache[S]{max: max, drop: drop, m: make(map[string]*Entry[S]), seed: maphash.MakeSeed()}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

// Keeps reports whether a statement of that text may be kept at all.
func (c *Cache[S]) Keeps(query string) bool { return c.max > 0 && len(query) <= maxCachedText }

// Get returns the statement of that text, nil if there is none.
func (c *Cache[S]) Get(query string) *Entry[S] {
	// The text that was sent last often comes again, and as the same string: then
	// it costs less to compare it than to hash it.
	e := c.root.next
	if e == &c.root || e.Query != query {
		if e = c.m[query]; e == nil {
			return nil
		}
		if c.root.next != e {
			e.unlink()
			c.pushFront(e)
		}
	}
	if e.uses < mostUses {
		e.uses++
	}
	c.used()
	return e
}

// Put keeps a statement. The least recently used falls out if there are too many.
func (c *Cache[S]) Put(query string, s S) *Entry[S] {
	c.Remove(c.m[query])
	e := &Entry[S]{Stmt: s, Query: query, uses: 1}
	if c.counts != nil {
		e.uses = max(1, c.counts.take(c.hash(query)))
	}
	c.m[query] = e
	c.pushFront(e)
	for len(c.m) > c.max {
		c.Remove(c.root.prev)
	}
	return e
}

// Remove takes a statement out and closes it, now or when its cursor closes.
func (c *Cache[S]) Remove(e *Entry[S]) {
	if e == nil || e.Gone {
		return
	}
	delete(c.m, e.Query)
	e.unlink()
	e.Gone = true
	if !e.Busy {
		c.drop(e.Stmt)
	}
}

// Forget removes the statement of that text, if there is one.
func (c *Cache[S]) Forget(query string) { c.Remove(c.m[query]) }

// Len is how many statements are kept.
func (c *Cache[S]) Len() int { return len(c.m) }

// Free ends a cursor's use of a statement.
func (c *Cache[S]) Free(e *Entry[S]) {
	if e.Busy {
		e.Busy = false
		if e.Gone {
			c.drop(e.Stmt)
		}
	}
}

// Clear drops all.
func (c *Cache[S]) Clear() {
	for len(c.m) > 0 {
		c.Remove(c.root.prev)
	}
}

// Shrink drops the less recently used half.
func (c *Cache[S]) Shrink() {
	for n := (len(c.m) + 1) / 2; n > 0; n-- {
		c.Remove(c.root.prev)
	}
}

// Repeated reports whether the text was asked for before, as far as is
// remembered.
func (c *Cache[S]) Repeated(query string) bool {
	h := c.hash(query)
	slot := &c.seen[h>>8%64]
	if *slot == h {
		return true
	}
	*slot = h
	return false
}

// hash is never 0.
func (c *Cache[S]) hash(query string) uint64 { return maphash.String(c.seed, query) | 1 }

func (c *Cache[S]) pushFront(e *Entry[S]) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (e *Entry[S]) unlink() { e.prev.next, e.next.prev = e.next, e.prev }
