// Package position knows how far a server is in the history of its writes.
package position

import "fmt"

// Position is how far a server is. The zero value is none.
type Position struct {
	timeline uint32
	lsn      uint64
}

// WAL is a position of PostgreSQL.
func WAL(timeline uint32, lsn uint64) Position { return Position{timeline, lsn} }

// Answer is what a comparison says.
type Answer uint8

// The answers.
const (
	No Answer = iota
	Yes
	Unknown
)

// IsZero says that there is no position.
func (p Position) IsZero() bool { return p == Position{} }

// Timeline is PostgreSQL's, 0 if it is not known.
func (p Position) Timeline() uint32 { return p.timeline }

// Reached says whether p includes all that target does.
func (p Position) Reached(target Position) Answer {
	switch {
	case p.IsZero() || target.IsZero():
		return Unknown
	case p.lsn >= target.lsn:
		return Yes
	}
	return No
}

// String is for people.
func (p Position) String() string { return fmt.Sprintf("%d:%X", p.timeline, p.lsn) }
