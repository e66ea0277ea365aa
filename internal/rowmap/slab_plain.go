//go:build dbfleet_plain

package rowmap

import (
	"reflect"
	"unsafe"
)

// slab is empty and sharing ignored: nothing is shared here; see slab.go.
type (
	slab    struct{}
	sharing struct{ shared bool }
)

func (*slab) expect(int) {}

// newValue returns the address of a new zero value of type t.
func (*origin) newValue(t, _ reflect.Type) unsafe.Pointer { return reflect.New(t).UnsafePointer() }

// string copies b.
func (*origin) string(b []byte) string { return string(b) }
