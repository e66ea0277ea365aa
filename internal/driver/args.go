package driver

import (
	sqldriver "database/sql/driver"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// kinds is what kinds of values are among arguments.
type kinds uint8

const (
	kindBasic kinds = 1 << iota // nil, int64, bool, string, []byte
	kindFloat
	kindTime
	kindUint
	kindList // the slices that PostgreSQL takes, and JSON
	kindOther

	kindsAll = kindBasic | kindFloat | kindTime | kindUint | kindList | kindOther
)

// kindOf is the kind of one value. Only a kindOther may have methods of the
// program's own, which are called when it is sent.
func kindOf(v any) kinds {
	switch v.(type) {
	case nil, int64, bool, string, []byte:
		return kindBasic
	case float64:
		return kindFloat
	case time.Time:
		return kindTime
	case uint64:
		return kindUint
	case []int64, []string, []float64, []bool, json.RawMessage:
		return kindList
	}
	return kindOther
}

// numbered puts args into list, which is an emptied one, as database/sql numbers
// them, and tells what they are.
func numbered(list []sqldriver.NamedValue, args []any) ([]sqldriver.NamedValue, kinds) {
	list = slices.Grow(list, len(args))[:len(args)]
	var seen kinds
	for i, v := range args {
		seen |= kindOf(v)
		list[i].Ordinal, list[i].Value = i+1, v // field by field: a copy of the struct has a write barrier of its own
	}
	return list, seen
}

// convertAll converts a list of what numbered has seen as the database wants it.
func (c *conn) convertAll(list []sqldriver.NamedValue, seen kinds) error {
	if seen&^c.asIs == 0 {
		return nil
	}
	for i := range list {
		if kindOf(list[i].Value)&c.asIs != 0 {
			continue
		}
		if err := c.s.convert(&list[i]); err != nil {
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
	var seen kinds
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
