package rowmap

import (
	"reflect"
	"unsafe"
)

// maxSlab is how many pointed-to values share an allocation at most. A pointer
// that stays behind keeps that many values alive.
const maxSlab = 64

// slab hands out addresses of zeroed values of one type.
type slab struct {
	of   reflect.Type
	next unsafe.Pointer
	left int
	size int
}

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

// stringOf returns b's bytes as a string without copying them. The caller
// must never write to b again.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
