package rowmap

import (
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/value"
)

// boxes make values of type any that share memory. Go puts what an any holds
// into an allocation of its own: seven of them for a row of seven columns. Boxes
// take one for all values of a kind, and for those of many rows.
//
// An any is two words, its type and the address of its value, and so is what
// boxes make: the address is that of an element of a slice that is never
// written again, and every such address keeps the whole slice alive. So the
// values mean exactly what Go's own conversion means, also when somebody keeps
// them. That a few values are kept keeps the memory of their neighbours too, at
// most that of maxBoxed rows.
//
// The zero value is empty; what there is no room for gets new memory. Boxes are
// used by one goroutine.
type boxes struct {
	texts []string
	words []uint64 // int64s and float64s
	times []time.Time
	chars []byte // of texts that are made
	// uncut says that one of the times was not in UTC, or finer than microseconds.
	uncut bool
}

// room is how much of each kind of memory values need, in fields of 16 bits.
type room uint64

const (
	roomText room = 1
	roomWord room = 1 << 16
	roomTime room = 1 << 32
	roomChar room = 1 << 48 // a text of value.MaxTimeText bytes
)

// maxBoxed is how many rows share memory at most.
const maxBoxed = 256

// The boxes of a usual row, in one piece with the list of what is in them.
type (
	rowOfTexts struct { // where times are texts
		args  [usualColumns]any
		texts [4]string
		words [4]uint64
		chars [2 * value.MaxTimeText]byte
	}
	rowOfTimes struct {
		args  [usualColumns]any
		texts [4]string
		words [4]uint64
		times [2]time.Time
	}
)

// usualColumns is the most that a usual row has.
const usualColumns = 8

// reserve makes room for that many rows, at most maxBoxed, that each need r.
func (b *boxes) reserve(r room, rows int) {
	texts, words := int(uint16(r))*rows, int(uint16(r>>16))*rows
	times, chars := int(uint16(r>>32))*rows, int(uint16(r>>48))*rows*value.MaxTimeText
	b.texts, b.words = make([]string, 0, texts), make([]uint64, 0, words)
	b.times, b.chars = make([]time.Time, 0, times), make([]byte, 0, chars)
}

// reserveOne makes room for a row of so many columns and for their list.
func (b *boxes) reserveOne(r room, columns int) (args []any) {
	texts, words, times, chars := int(uint16(r)), int(uint16(r>>16)), int(uint16(r>>32)), int(uint16(r>>48))
	switch usual := columns <= usualColumns && texts > 0 && texts <= 4 && words <= 4; {
	case usual && times == 0 && chars <= 2:
		one := new(rowOfTexts)
		b.texts, b.words, b.chars = one.texts[:0], one.words[:0], one.chars[:0]
		return one.args[:0]
	case usual && chars == 0 && times <= 2:
		one := new(rowOfTimes)
		b.texts, b.words, b.times = one.texts[:0], one.words[:0], one.times[:0]
		return one.args[:0]
	}
	b.reserve(r, 1)
	return make([]any, 0, columns)
}

// iface is how an any lies in memory.
type iface struct{ typ, data unsafe.Pointer }

// typeWord is what an any of the type of v has as its first word.
func typeWord(v any) unsafe.Pointer { return (*iface)(unsafe.Pointer(&v)).typ }

var (
	stringWord  = typeWord("")
	int64Word   = typeWord(int64(0))
	float64Word = typeWord(float64(0))
	timeWord    = typeWord(time.Time{})
)

// anyAt is the any of that type whose value lies at p. The value must never
// change again.
func anyAt(typ, p unsafe.Pointer) any {
	v := iface{typ, p}
	return *(*any)(unsafe.Pointer(&v))
}

func (b *boxes) text(s string) any {
	if len(b.texts) == cap(b.texts) {
		return s
	}
	b.texts = append(b.texts, s)
	return anyAt(stringWord, unsafe.Pointer(&b.texts[len(b.texts)-1]))
}

func (b *boxes) int(n int64) any {
	if uint64(n) < 256 || len(b.words) == cap(b.words) { // Go keeps the small ones ready
		return n
	}
	b.words = append(b.words, uint64(n))
	return anyAt(int64Word, unsafe.Pointer(&b.words[len(b.words)-1]))
}

func (b *boxes) float(bits uint64) any {
	if len(b.words) == cap(b.words) {
		return math.Float64frombits(bits)
	}
	b.words = append(b.words, bits)
	return anyAt(float64Word, unsafe.Pointer(&b.words[len(b.words)-1]))
}

func (b *boxes) time(t time.Time) any {
	if len(b.times) == cap(b.times) {
		return t
	}
	b.times = append(b.times, t)
	return anyAt(timeWord, unsafe.Pointer(&b.times[len(b.times)-1]))
}

// timeText is text(value.FormatTime(t)).
func (b *boxes) timeText(t time.Time) any {
	if cap(b.chars)-len(b.chars) < value.MaxTimeText {
		return value.FormatTime(t)
	}
	at := len(b.chars)
	b.chars = value.AppendTime(b.chars, t)
	return b.text(stringOf(b.chars[at:]))
}

// boxing says how the value of a field becomes an any.
type boxing struct {
	how  how
	via  via
	size reflect.Kind // of numbers
	// valid is where in a sql.Null its Valid lies.
	valid uintptr
}

// how is one of the conversions that boxes do.
type how uint8

const (
	byCodec how = iota // by codec.arg
	boxBool
	boxInt
	boxUint
	boxFloat
	boxText
	boxTime
)

// via is what is around the value.
type via uint8

const (
	direct via = iota
	pointed
	nulled
)

// around is the boxing of a pointer to, or a sql.Null of, what x boxes. What is
// nested deeper is left to the codec.
func (x boxing) around(v via, valid uintptr) boxing {
	if x.how == byCodec || x.via != direct {
		return boxing{}
	}
	x.via, x.valid = v, valid
	return x
}

// boxingOf is the boxing of a type by what it is made of.
func boxingOf(k Kind, size reflect.Kind) boxing {
	switch k {
	case Bool:
		return boxing{how: boxBool}
	case Int:
		return boxing{how: boxInt, size: size}
	case Uint:
		return boxing{how: boxUint, size: size}
	case Float:
		return boxing{how: boxFloat, size: size}
	case String:
		return boxing{how: boxText}
	case Time:
		return boxing{how: boxTime}
	}
	return boxing{}
}
