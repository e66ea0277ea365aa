package rowmap

import (
	"math"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// ArgPlan makes the arguments of some columns of a record. It is immutable and safe
// for concurrent use.
type ArgPlan struct {
	plan   *Plan
	places []argPlace
	timed  bool // every time of a record is among them, and no other code's
	room   room // that a row needs at most
	lite   room // the same on SQLite, where times are texts
}

// argPlace is where a column's value lies, and how it becomes an argument.
type argPlace struct {
	field  *field
	offset uintptr
	box    boxing
}

// ArgPlan returns the ArgPlan of these columns, in this order.
func (p *Plan) ArgPlan(columns ...int) *ArgPlan {
	r := &ArgPlan{plan: p, places: make([]argPlace, len(columns))}
	for n, i := range columns {
		f := &p.fields[i]
		r.places[n] = argPlace{f, f.offset, f.codec.box}
		switch f.codec.box.how {
		case boxInt, boxUint, boxFloat:
			r.room += roomWord
			r.lite += roomWord
		case boxText:
			r.room += roomText
			r.lite += roomText
		case boxTime:
			r.room += roomTime
			r.lite += roomText + roomChar
		}
	}
	r.timed = !slices.ContainsFunc(p.times, func(tf timeField) bool {
		return p.fields[tf.field].codec.box.how != boxTime || !slices.Contains(columns, tf.field)
	})
	return r
}

func (r *ArgPlan) needs(d *dialect.Dialect) room {
	if d == dialect.SQLite {
		return r.lite
	}
	return r.room
}

// Args returns what the driver takes for each of the columns; see the function
// [Arg]. cut says that CutTimes, to microseconds and UTC, would change nothing.
func (r *ArgPlan) Args(rec any, d *dialect.Dialect) (args []any, cut bool, err error) {
	base, err := r.plan.record(rec)
	if err != nil {
		return nil, false, err
	}
	var b boxes
	args, err = r.append(b.reserveOne(r.needs(d), len(r.places)), base, d, &b)
	return args, r.timed && !b.uncut, err
}

func (r *ArgPlan) append(args []any, base unsafe.Pointer, d *dialect.Dialect, b *boxes) ([]any, error) {
	for i := range r.places {
		at := &r.places[i]
		var p unsafe.Pointer
		if at.field.via == nil {
			p = unsafe.Add(base, at.offset)
		} else if p = at.field.within(base, false); p == nil {
			args = append(args, nil)
			continue
		}
		arg, ok := b.arg(&at.box, p, d)
		if !ok {
			var err error
			if arg, err = at.field.codec.arg(p, d); err != nil {
				return args, r.plan.failure(at.field, err)
			}
		}
		args = append(args, arg)
	}
	return args, nil
}

// Batch makes the arguments of many records, which share memory. They are the
// values that [ArgPlan.Args] gives. It is used by one goroutine; the zero
// value is not ready.
type Batch struct {
	plan   *ArgPlan
	d      *dialect.Dialect
	rows   int
	coming int // of rows
	size   int // how many rows share memory, those of now
	free   int // how many of them are yet to come
	boxes  boxes
}

// firstBoxed is how many rows share memory at first; twice as many do each time.
// Records of changing shapes have batches of one record.
const firstBoxed = 16

// Batch returns a Batch for so many records. There may be more or less of them.
func (r *ArgPlan) Batch(d *dialect.Dialect, rows int) Batch {
	return Batch{plan: r, d: d, rows: max(rows, 1)}
}

// AppendArgs appends [ArgPlan.Args] of one of the records.
func (b *Batch) AppendArgs(args []any, rec any) ([]any, error) {
	base, err := b.plan.plan.record(rec)
	if err != nil {
		return args, err
	}
	if b.coming == 0 {
		b.coming = b.rows
	}
	if b.free == 0 {
		b.size = min(max(2*b.size, firstBoxed), maxBoxed)
		b.free = min(b.coming, b.size)
		b.boxes.reserve(b.plan.needs(b.d), b.free)
	}
	b.coming--
	b.free--
	return b.plan.append(args, base, b.d, &b.boxes)
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
