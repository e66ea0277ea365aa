package sqlgen

import (
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// in writes column [NOT] IN (list). An empty list matches nothing, or
// everything for NOT IN. A nil among the elements means NULL as Go means it:
// IN (1, nil) also finds NULL, NOT IN (1, nil) leaves NULL out.
func (r *renderer) in(c *Cond) {
	first := len(r.args)
	field := r.field(c.col)
	array, hasNull, err := r.list(c, field, r.d.ArrayIn)
	if err != nil {
		r.fail(err)
		return
	}
	not := c.op == NotIn
	empty := array == nil && len(r.args) == first
	if empty && !hasNull {
		// The column is still looked at, so that an unknown one is an error.
		mark := len(r.buf)
		r.column(c.col)
		r.buf = r.buf[:mark]
		if not {
			r.str("1 = 1")
		} else {
			r.str("1 = 0")
		}
		return
	}
	if hasNull {
		r.str("(")
	}
	switch {
	case empty:
	case array == nil:
		r.members(c, field, first, r.others(c, field, first))
	default:
		r.column(c.col)
		if not {
			r.str(" <> ALL(")
		} else {
			r.str(" = ANY(")
		}
		r.ready(array)
		r.str(")")
	}
	if !hasNull {
		return
	}
	switch {
	case empty:
	case not:
		r.str(" AND ")
	default:
		r.str(" OR ")
	}
	r.column(c.col)
	if not {
		r.str(" IS NOT NULL)")
	} else {
		r.str(" IS NULL)")
	}
}

// pad repeats the last of the elements from r.args[first:] until their number is
// one of few: 1, 2, 3, 4, 6, 8, 12, 16, 24, … So lists of many lengths are few
// texts, of which each is prepared once. IN and NOT IN mean the same with an
// element that comes twice.
func (r *renderer) pad(first int) {
	n := len(r.args) - first
	size := paddedSize(n)
	if r.exact || size == n {
		return
	}
	last := r.args[len(r.args)-1]
	for ; n < size; n++ {
		r.args = append(r.args, last)
	}
	r.padded = true
}

// paddedSize is the smallest number from n on that is a power of two, or one and
// a half times one.
func paddedSize(n int) int {
	if n < 3 {
		return n
	}
	power := 1 << bits.Len(uint(n-1)) // the smallest from n on
	if half := power / 4 * 3; n <= half {
		return half
	}
	return power
}

// longList is how many elements of an IN list are sent one by one. A longer
// list would come near the database's limit of arguments, so it is sent in
// another form where its elements allow it. PostgreSQL takes any list as one
// array anyway.
const longList = 10_000

// long writes the elements from r.args[first:] in the form of long lists and
// takes them out of the arguments. ok is false when they do not allow it: then
// nothing is written.
func (r *renderer) long(first int) (ok bool) {
	list := r.args[first:]
	if !r.isLong(len(list)) || !plainList(list) {
		return false
	}
	switch r.d.Name {
	case "sqlite":
		text, err := json.Marshal(list)
		if err != nil {
			return false
		}
		clear(list)
		r.args = append(r.args[:first], string(text))
		r.str("SELECT value FROM json_each(")
		r.placeholder(len(r.args))
		r.str(")")
	case "mysql":
		r.literals(list)
		clear(list)
		r.args = r.args[:first]
	default:
		return false
	}
	return true
}

// isLong says whether so many elements are not sent one by one, as often as the list that is
// being written is sent.
func (r *renderer) isLong(n int) bool { return n*max(1, r.copies) > longList }

// plainList says whether long lists can have these elements.
func plainList(list []any) bool {
	for _, v := range list {
		switch v := v.(type) {
		case int64, uint64:
		case string:
			// JSON has no text with these.
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// listed writes the elements of a list with which a term is compared.
func (r *renderer) listed(list []any) {
	first := len(r.args)
	r.args = append(r.args, list...)
	if !r.long(first) {
		r.args = r.args[:first]
		r.elements(list, false)
	}
}

// longNumbers writes the elements of a long list with which SQLite compares a term, and those
// among them that are numbers as such, too; see carefulIn. ok is false when they have no form
// for that: then nothing is written.
func (r *renderer) longNumbers(c *Cond, list, numbers []any) (ok bool) {
	if !r.isLong(len(list)) || !plainList(list) {
		return false
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		return false
	}
	r.openList(c)
	r.listed(list)
	if len(numbers) > 0 {
		r.str(" UNION ALL SELECT +CAST(value AS NUMERIC) FROM json_each(")
		r.ready(string(text))
		r.str(")")
	}
	r.str(")")
	return true
}

// literals writes integers as digits and text as hexadecimal literals: neither
// can be anything but a value.
func (r *renderer) literals(list []any) {
	for i, v := range list {
		if i > 0 {
			r.str(", ")
		}
		switch v := v.(type) {
		case int64:
			r.buf = strconv.AppendInt(r.buf, v, 10)
		case uint64:
			r.buf = strconv.AppendUint(r.buf, v, 10)
		case string:
			r.str("_utf8mb4 X'")
			r.buf = hex.AppendEncode(r.buf, []byte(v))
			r.str("'")
		}
	}
}
