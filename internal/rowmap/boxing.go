package rowmap

import (
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// room is how much of each kind of memory the values of a row need, in fields of
// 16 bits.
type room uint64

const (
	roomText room = 1
	roomWord room = 1 << 16
	roomTime room = 1 << 32
	roomChar room = 1 << 48 // a text of value.MaxTimeText bytes
)

// maxBoxed is how many rows share memory at most.
const maxBoxed = 256

// isSmall says whether Go keeps the any of n ready.
func isSmall(n int64) bool { return uint64(n) < 256 }

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

// arg is codec.arg for the value at p. ok is false for what is the codec's to
// convert, or to refuse.
func (b *boxes) arg(x *boxing, p unsafe.Pointer, d *dialect.Dialect) (arg any, ok bool) {
	if x.how == byCodec {
		return nil, false
	}
	switch x.via {
	case pointed:
		if p = *(*unsafe.Pointer)(p); p == nil {
			return nil, true
		}
	case nulled:
		if !*(*bool)(unsafe.Add(p, x.valid)) {
			return nil, true
		}
	}
	switch x.how {
	case boxText:
		s := *(*string)(p)
		if isUnread(s) {
			return nil, false
		}
		return b.text(s), true
	case boxInt:
		return b.int(intAt(p, x.size)), true
	case boxUint:
		if n := uintAt(p, x.size); n <= math.MaxInt64 {
			return b.int(int64(n)), true
		}
	case boxFloat:
		var f float64
		if x.size == reflect.Float32 {
			f = widened32(*(*float32)(p), d)
		} else {
			f = *(*float64)(p)
		}
		if isNumber(f) {
			return b.float(f), true
		}
	case boxBool:
		return boolArg(*(*bool)(p), d), true
	case boxTime:
		t := (*time.Time)(p)
		if t.IsZero() {
			return nil, true
		}
		if s := t.Unix(); s < value.FirstSecond || s > value.LastSecond {
			return nil, false
		}
		at := value.CutToMicro(*t)
		utc := at.UTC()
		b.uncut = b.uncut || utc != *t
		switch d {
		case dialect.SQLite:
			return b.timeText(*t), true
		case dialect.MySQL:
			return b.time(utc), true
		}
		return b.time(at), true
	}
	return nil, false
}

func intAt(p unsafe.Pointer, size reflect.Kind) int64 {
	switch size {
	case reflect.Int64:
		return *(*int64)(p)
	case reflect.Int32:
		return int64(*(*int32)(p))
	case reflect.Int16:
		return int64(*(*int16)(p))
	case reflect.Int8:
		return int64(*(*int8)(p))
	}
	return int64(*(*int)(p))
}

func uintAt(p unsafe.Pointer, size reflect.Kind) uint64 {
	switch size {
	case reflect.Uint64:
		return *(*uint64)(p)
	case reflect.Uint32:
		return uint64(*(*uint32)(p))
	case reflect.Uint16:
		return uint64(*(*uint16)(p))
	case reflect.Uint8:
		return uint64(*(*uint8)(p))
	}
	return uint64(*(*uint)(p))
}
