package rowmap

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// What this is. A text field whose column a query left out remembers that until
// somebody sets it: it holds the empty text, whose address is that of unreadMark.
// For Go it is the empty text in every respect. A write that would store it, and so
// erase a text that nobody has read, is refused.
//
// What it gains. A record that Select read in part and that Save writes whole loses
// nothing in silence, and no field or type has to be added to the record. It costs a
// comparison for each empty text that is written.
//
// What it relies on. A text is the address of its bytes and their number, and Go
// copies both, also when the number is zero.
//
// Which test tells when that changes. TestUnread_IsRememberedByCopies.
//
// How to switch it off. Let unreadText return "".

// ErrUnread says that the value of a field was never read nor set.
var ErrUnread = errors.New("dbfleet: not read")

var unreadMark byte

// unreadText is the empty text of a field that was not read.
func unreadText() string { return unsafe.String(&unreadMark, 0) }

// isUnread says whether a text is that of a field that was not read.
func isUnread(s string) bool {
	return len(s) == 0 && *(*unsafe.Pointer)(unsafe.Pointer(&s)) == unsafe.Pointer(&unreadMark)
}

// remembers says whether the field can tell that it was not read.
func (f *field) remembers() bool { return f.via == nil && f.codec.box == boxing{how: boxText} }

// forget marks the fields of a new record that the result has no column for.
func (b *binding) forget(base unsafe.Pointer) {
	for _, offset := range b.unread {
		*(*string)(unsafe.Add(base, offset)) = unreadText()
	}
	for _, f := range b.closed {
		if at := f.at(base, false); at != nil {
			sealAt(f.codec.typ, at).unread = true
		}
	}
}

// unread is the error for a record of which fields were not read.
func (p *Plan) unread(f *field, base unsafe.Pointer) error {
	var columns []string
	for i := range p.fields {
		if f := &p.fields[i]; f.remembers() && isUnread(*(*string)(unsafe.Add(base, f.offset))) {
			columns = append(columns, f.column)
		}
	}
	return p.failure(f, fmt.Errorf("%w: the query of this record left out %s, which the write would erase; write only some columns with SaveColumns, or read all of them",
		ErrUnread, strings.Join(columns, ", ")))
}
