//go:build !dbfleet_plain

package rowmap

import (
	"reflect"
	"unsafe"
)

// What this is. Values that the fields of many rows point to share allocations,
// if the rows are handed out together: values behind pointers are elements of a
// slice, short texts are cut from a block of bytes.
//
// What it gains. A hundred rows of eight columns take 36 to 41 allocations
// instead of 306 to 606, and 0.66 to 0.76 of the time:
//
//	go test -run '^$' -bench ReadAll ./internal/rowmap
//	go test -run '^$' -bench ReadAll -tags dbfleet_plain ./internal/rowmap
//
// What it relies on. Nothing but package unsafe's own rules: an address inside of
// an allocation keeps all of it, and bytes that are never written again are a
// string. No Go version is asked for. A value that stays behind keeps its block:
// maxSlab values, or lastTextBlock bytes.
//
// Which tests tell when it is wrong. TestReadAll_… and the fuzz tests of this
// package read everything with shared memory and without; package readtest does
// the same on the databases.
//
// How to switch it off. With the build tag dbfleet_plain, which takes
// slab_plain.go.

// maxSlab is how many pointed-to values share an allocation at most.
const maxSlab = 64

// slab hands out addresses of zeroed values of one type.
type slab struct {
	of   reflect.Type
	next unsafe.Pointer
	left int
	size int
}

// expect says that about that many values will be asked for.
func (s *slab) expect(values int) { s.size = min(values, maxSlab) / 2 }

// newValue returns the address of a new zero value of type t, whose slice type
// is sliceOf.
func (c *origin) newValue(t, sliceOf reflect.Type) unsafe.Pointer {
	if c == nil || !c.of.shared {
		return reflect.New(t).UnsafePointer()
	}
	s := &c.slab
	if s.left == 0 || s.of != t {
		s.size = min(max(2*s.size, 4), maxSlab)
		s.next = reflect.MakeSlice(sliceOf, s.size, s.size).UnsafePointer()
		s.left, s.of = s.size, t
	}
	p := s.next
	s.left--
	if s.left > 0 {
		s.next = unsafe.Add(p, t.Size())
	} else {
		s.next = nil
	}
	return p
}

// sharing is what the columns of one read have in common.
type sharing struct {
	// shared says that the values of many rows may share an allocation, since
	// they are handed out together.
	shared bool
	text   textBlock
}

// The blocks that short texts share, in bytes. A string that stays behind
// keeps its block alive, so blocks are small.
const (
	firstTextBlock = 256
	lastTextBlock  = 4096
)

// string copies b. In a shared read short texts are cut from a block.
func (c *origin) string(b []byte) string {
	if c == nil || !c.of.shared || len(b) > lastTextBlock/16 || len(b) == 0 {
		return string(b)
	}
	return c.of.text.string(b)
}

// textBlock is what the short texts of a read are cut from, those of one row
// side by side.
type textBlock struct {
	free []byte // the rest of the block
	size int
}

func (t *textBlock) string(b []byte) string {
	if len(b) > len(t.free) {
		t.size = min(max(2*t.size, firstTextBlock), lastTextBlock)
		t.free = make([]byte, t.size)
	}
	n := copy(t.free, b)
	s := stringOf(t.free[:n])
	t.free = t.free[n:]
	return s
}
