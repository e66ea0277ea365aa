//go:build !dbfleet_plain && !go1.27

package rowmap

import (
	"math"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/value"
)

// What this is. Go puts what an any holds into an allocation of its own: seven
// of them for a row of seven arguments. Here an any is forged: its two words are
// written by hand, the address being that of an element of a slice, so that the
// values of a row, or of many rows, share one allocation per kind. Likewise the
// pointer to one of many records becomes an any without reflection.
//
// What it gains. The arguments of one record of eight columns take 4 allocations
// instead of 6 (SQLite: 8), those of 100 records 9 instead of 500 (700) and 0.76
// to 0.88 of the time:
//
//	go test -run '^$' -bench Args ./internal/rowmap
//	go test -run '^$' -bench Args -tags dbfleet_plain ./internal/rowmap
//
// A record of CreateMany takes 40 ns less, of 300 without a database.
//
// What it relies on. An any is a type word and the address of the value, or the
// value itself if that is a pointer (runtime.eface); two anys of one type have the same
// type word; and an address inside of an allocation keeps all of it. The elements
// are never written again, so the values mean what Go's own conversion means,
// also when somebody keeps them. One that is kept keeps its neighbours' memory:
// that of maxBoxed rows at most.
//
// Which tests tell when that changes. TestBoxes_AreWhatGoMakes,
// TestRecords_AreWhatGoMakes, TestBatch_ValuesLastAndDoNotFollowTheRecord and
// TestArgPlan_…, which compare with Go's own conversion.
//
// How to switch it off. With the build tag dbfleet_plain, which takes
// box_plain.go. The same happens with a Go version that these tests have not
// seen: the build constraint above names the first of them, and
// TestBoxes_ServeThisGoVersion then asks to run the tests and raise it.

// boxes make values of type any that share memory. The zero value is empty; what
// there is no room for gets memory of its own. Boxes are used by one goroutine.
type boxes struct {
	texts []string
	words []uint64 // int64s and float64s
	times []time.Time
	chars []byte // of texts that are made
	// uncut says that one of the times was not in UTC, or finer than microseconds.
	uncut bool
}

// reserve makes room for that many rows that each need r.
func (b *boxes) reserve(r room, rows int) {
	texts, words := int(uint16(r))*rows, int(uint16(r>>16))*rows
	times, chars := int(uint16(r>>32))*rows, int(uint16(r>>48))*rows*value.MaxTimeText
	b.texts, b.words = make([]string, 0, texts), make([]uint64, 0, words)
	b.times, b.chars = make([]time.Time, 0, times), make([]byte, 0, chars)
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

// pointerLike is p as an any of the same pointer type as like.
func pointerLike(like any, p unsafe.Pointer) any { return anyAt(typeWord(like), p) }

func (b *boxes) text(s string) any {
	if len(b.texts) == cap(b.texts) {
		return s
	}
	b.texts = append(b.texts, s)
	return anyAt(stringWord, unsafe.Pointer(&b.texts[len(b.texts)-1]))
}

func (b *boxes) int(n int64) any {
	if isSmall(n) || len(b.words) == cap(b.words) {
		return n
	}
	b.words = append(b.words, uint64(n))
	return anyAt(int64Word, unsafe.Pointer(&b.words[len(b.words)-1]))
}

func (b *boxes) float(f float64) any {
	if len(b.words) == cap(b.words) {
		return f
	}
	b.words = append(b.words, math.Float64bits(f))
	return anyAt(float64Word, unsafe.Pointer(&b.words[len(b.words)-1]))
}

func (b *boxes) time(t time.Time) any {
	if len(b.times) == cap(b.times) {
		return t
	}
	b.times = append(b.times, t)
	return anyAt(timeWord, unsafe.Pointer(&b.times[len(b.times)-1]))
}

// timeText is the text that SQLite gets for a time.
func (b *boxes) timeText(t time.Time) any {
	if cap(b.chars)-len(b.chars) < value.MaxTimeText {
		return value.FormatTime(t)
	}
	at := len(b.chars)
	b.chars = value.AppendTime(b.chars, t)
	return b.text(stringOf(b.chars[at:]))
}
