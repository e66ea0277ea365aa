package rowmap

import (
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Batch makes the arguments of many records, which share memory. They are the
// values that [Plan.AppendArgs] gives. It is used by one goroutine; the zero
// value is not ready.
type Batch struct {
	plan    *Plan
	columns []int
	d       *dialect.Dialect
	needs   room
	rows    int
	coming  int // of rows
	size    int // how many rows share memory, those of now
	room    int // for so many of them
	boxes   boxes
}

// firstBoxed is how many rows share memory at first; twice as many do each time.
// Records of changing shapes have batches of one record.
const firstBoxed = 16

// Batch returns a Batch for these columns of so many records. There may be more
// or less of them.
func (p *Plan) Batch(columns []int, d *dialect.Dialect, rows int) Batch {
	return Batch{plan: p, columns: columns, d: d, needs: p.room(columns, d), rows: max(rows, 1)}
}

// AppendArgs is [Plan.AppendArgs] for one of the records.
func (b *Batch) AppendArgs(args []any, rec any) ([]any, error) {
	base, err := b.plan.record(rec)
	if err != nil {
		return args, err
	}
	if b.coming == 0 {
		b.coming = b.rows
	}
	if b.room == 0 {
		b.size = min(max(2*b.size, firstBoxed), maxBoxed)
		b.room = min(b.coming, b.size)
		b.boxes.reserve(b.needs, b.room)
	}
	b.coming--
	b.room--
	return b.plan.appendArgs(args, b.columns, base, b.d, &b.boxes)
}

// AppendArgs appends what the driver takes for each of the columns to args, and
// then for those of more; see the function [Arg].
func (p *Plan) AppendArgs(args []any, columns []int, rec any, d *dialect.Dialect, more ...int) ([]any, error) {
	base, err := p.record(rec)
	if err != nil {
		return args, err
	}
	var b boxes
	b.reserve(p.room(columns, d)+p.room(more, d), 1)
	if args, err = p.appendArgs(args, columns, base, d, &b); err != nil {
		return args, err
	}
	return p.appendArgs(args, more, base, d, &b)
}

// room is what the boxes of a row need at most.
func (p *Plan) room(columns []int, d *dialect.Dialect) room {
	var r room
	for _, i := range columns {
		switch p.fields[i].codec.box.how {
		case boxInt, boxUint, boxFloat:
			r += roomWord
		case boxText:
			r += roomText
		case boxTime:
			if d == dialect.SQLite {
				r += roomText + roomChar
			} else {
				r += roomTime
			}
		}
	}
	return r
}

func (p *Plan) appendArgs(args []any, columns []int, base unsafe.Pointer, d *dialect.Dialect, b *boxes) ([]any, error) {
	for _, i := range columns {
		f := &p.fields[i]
		at := f.at(base, false)
		if at == nil {
			args = append(args, nil)
			continue
		}
		arg, ok := b.arg(&f.codec.box, at, d)
		if !ok {
			var err error
			if arg, err = f.codec.arg(at, d); err != nil {
				return args, p.failure(f, err)
			}
		}
		args = append(args, arg)
	}
	return args, nil
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
		return b.text(*(*string)(p)), true
	case boxInt:
		return b.int(intAt(p, x.size)), true
	case boxUint:
		if n := uintAt(p, x.size); n <= math.MaxInt64 {
			return b.int(int64(n)), true
		}
	case boxFloat:
		var f float64
		if x.size == reflect.Float32 {
			f = float64(*(*float32)(p))
		} else {
			f = *(*float64)(p)
		}
		if isNumber(f) {
			return b.float(math.Float64bits(f)), true
		}
	case boxBool:
		return boolArg(*(*bool)(p), d), true
	case boxTime:
		t := (*time.Time)(p)
		if t.IsZero() {
			return nil, true
		}
		if s := t.Unix(); s < firstSecond || s > lastSecond {
			return nil, false
		}
		switch d {
		case dialect.SQLite:
			return b.timeText(*t), true
		case dialect.MySQL:
			return b.time(cutToMicro(*t).UTC()), true
		}
		return b.time(cutToMicro(*t)), true
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
