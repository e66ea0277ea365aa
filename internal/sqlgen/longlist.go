package sqlgen

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
	if len(list) <= longList {
		return false
	}
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
