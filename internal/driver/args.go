package driver

import (
	sqldriver "database/sql/driver"
	"slices"
	"sync"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// numbered puts args into list, which is an emptied one, as database/sql numbers
// them, and tells what they are.
func numbered(list []sqldriver.NamedValue, args []any) ([]sqldriver.NamedValue, session.Kinds) {
	list = slices.Grow(list, len(args))[:len(args)]
	var seen session.Kinds
	for i, v := range args {
		seen |= session.KindOf(v)
		list[i].Ordinal, list[i].Value = i+1, v // field by field: a copy of the struct has a write barrier of its own
	}
	return list, seen
}

// convertAll converts a list of what numbered has seen as the database wants it.
func (c *conn) convertAll(list []sqldriver.NamedValue, seen session.Kinds) error {
	if seen&^c.asIs == 0 {
		return nil
	}
	for i := range list {
		if session.KindOf(list[i].Value)&c.asIs != 0 {
			continue
		}
		if err := c.s.Convert(&list[i]); err != nil {
			return &NotSentError{Err: err}
		}
	}
	return nil
}

// argBuffers are the argument lists of statements. The drivers copy what they
// send, so a list is free again when its statement has been sent.
var argBuffers = sync.Pool{New: func() any { return new([]sqldriver.NamedValue) }}

// bind converts args as the database wants them. give takes the list back.
func (c *conn) bind(args []any) (*[]sqldriver.NamedValue, error) {
	buf := argBuffers.Get().(*[]sqldriver.NamedValue)
	var seen session.Kinds
	*buf, seen = numbered(*buf, args)
	if err := c.convertAll(*buf, seen); err != nil {
		give(buf)
		return nil, err
	}
	return buf, nil
}

func give(buf *[]sqldriver.NamedValue) {
	if *buf = emptied(*buf); cap(*buf) > 0 {
		argBuffers.Put(buf)
	}
}

// maxKeptArgs is the longest list of arguments that is kept for the next
// statement.
const maxKeptArgs = 4096

// emptied is list for the next use, nil if it has become too long to be kept.
func emptied(list []sqldriver.NamedValue) []sqldriver.NamedValue {
	if cap(list) > maxKeptArgs {
		return nil
	}
	for i := range list {
		list[i].Value = nil
	}
	return list[:0]
}
