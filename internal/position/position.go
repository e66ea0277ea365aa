// Package position says how far a server is in its history of writes: what a primary
// has written and a replica has applied. It compares and keeps such positions, and asks
// no server.
package position

import (
	"errors"
	"fmt"
	"slices"
)

// A Position is a place in a history of writes. The zero value is none: a history of
// which nothing is known or wanted. It is never changed, so that it may be copied and
// used by several goroutines at once.
type Position struct {
	kind     kind
	timeline uint32 // of wal; 0 is unknown
	lsn      uint64
	domains  []gtid // of mariaDB, by domain, one of each
	sets     []set  // of mySQL, by source
}

// kind is how a database counts its writes.
type kind uint8

const (
	none kind = iota
	wal
	mariaDB
	mySQL
)

// Answer is what a comparison knows.
type Answer uint8

// The answers. Unknown says that the two are not of one history, or not surely: it is
// neither late nor in time.
const (
	Unknown Answer = iota
	No
	Yes
)

func (a Answer) String() string {
	switch a {
	case No:
		return "no"
	case Yes:
		return "yes"
	}
	return "unknown"
}

// IsZero reports whether p is none.
func (p Position) IsZero() bool { return p.kind == none }

// Reached reports whether p includes all that target does. Everything includes none, and
// of none nothing is known. The answer is Unknown between databases of different kinds,
// on another timeline or on one that is not known, and where a domain of MariaDB was
// last written by another server: the number may then stand for another transaction.
func (p Position) Reached(target Position) Answer {
	switch {
	case target.kind == none:
		return Yes
	case p.kind != target.kind:
		return Unknown
	}
	switch p.kind {
	case wal:
		return p.reachedWAL(target)
	case mariaDB:
		return p.reachedMariaDB(target)
	}
	return p.reachedMySQL(target)
}

// Merge is the least position that includes both. ok is false where Reached cannot
// compare them: the histories differ, and there is none.
func (p Position) Merge(o Position) (merged Position, ok bool) {
	switch {
	case o.kind == none:
		return p, true
	case p.kind == none:
		return o, true
	case p.kind != o.kind:
		return Position{}, false
	}
	switch p.kind {
	case wal:
		return p.mergeWAL(o)
	case mariaDB:
		return p.mergeMariaDB(o)
	}
	return p.mergeMySQL(o), true
}

// Equal reports whether both are the same place.
func (p Position) Equal(o Position) bool {
	return p.kind == o.kind && p.timeline == o.timeline && p.lsn == o.lsn &&
		slices.Equal(p.domains, o.domains) && slices.EqualFunc(p.sets, o.sets, set.equal)
}

// Line names the line of history that p is on: PostgreSQL's timeline in decimal, the
// domains of MariaDB with the server that wrote each last, as "0-1,2-5". It is "" for none, for an
// unknown timeline, and for MySQL, whose sets name their sources themselves.
func (p Position) Line() string {
	switch p.kind {
	case wal:
		return p.lineWAL()
	case mariaDB:
		return p.lineMariaDB()
	}
	return ""
}

// String is p as its database writes it, on PostgreSQL with the timeline before it, as
// "3:0/16B3748"; "" is none.
func (p Position) String() string {
	switch p.kind {
	case wal:
		return p.stringWAL()
	case mariaDB:
		return p.stringMariaDB()
	case mySQL:
		return p.stringMySQL()
	}
	return ""
}

// errText is the error of a parser. It shows no more than the beginning of the text.
func errText(what, text string) error {
	const most = 60
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Errorf("%q is no %s", text, what)
}

// errDecode says that bytes are no position.
var errDecode = errors.New("not the encoding of a position")
