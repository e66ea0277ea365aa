//go:build dbfleet_plain || go1.27

package rowmap

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/value"
)

// boxes make values of type any as Go does; see box.go.
type boxes struct {
	// uncut says that one of the times was not in UTC, or finer than microseconds.
	uncut bool
}

// pointerLike is p as an any of the same pointer type as like.
func pointerLike(like any, p unsafe.Pointer) any {
	return reflect.NewAt(reflect.TypeOf(like).Elem(), p).Interface()
}

func (b *boxes) reserve(room, int) {}

func (b *boxes) text(s string) any { return s }

func (b *boxes) int(n int64) any { return n }

func (b *boxes) float(f float64) any { return f }

func (b *boxes) time(t time.Time) any { return t }

// timeText is the text that SQLite gets for a time.
func (b *boxes) timeText(t time.Time) any { return value.FormatTime(t) }
