package rowmap

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// ArgPlan makes the arguments of some columns of a record. It is immutable and safe
// for concurrent use.
type ArgPlan struct {
	plan       *Plan
	places     []argPlace
	timed      bool // every time of a record is among them, and no other code's
	room       room // that a row needs at most
	roomSQLite room // the same on SQLite, where times are texts
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
			r.roomSQLite += roomWord
		case boxText:
			r.room += roomText
			r.roomSQLite += roomText
		case boxTime:
			r.room += roomTime
			r.roomSQLite += roomText + roomChar
		}
	}
	r.timed = !slices.ContainsFunc(p.times, func(tf timeField) bool {
		return p.fields[tf.field].codec.box.how != boxTime || !slices.Contains(columns, tf.field)
	})
	return r
}

func (r *ArgPlan) needs(d *dialect.Dialect) room {
	if d == dialect.SQLite {
		return r.roomSQLite
	}
	return r.room
}

// Args returns what the driver takes for each of the columns; see the function
// [Arg]. cut says that CutTimes, to microseconds and UTC, would change nothing.
func (r *ArgPlan) Args(rec any, d *dialect.Dialect) (args []any, cut bool, err error) {
	return r.ArgsAnd(rec, d, 0)
}

// ArgsAnd is Args with room for so many more arguments.
func (r *ArgPlan) ArgsAnd(rec any, d *dialect.Dialect, more int) (args []any, cut bool, err error) {
	base, err := r.plan.record(rec)
	if err != nil {
		return nil, false, err
	}
	var b boxes
	b.reserve(r.needs(d), 1)
	args, err = r.append(make([]any, 0, len(r.places)+more), base, d, &b)
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
			switch at.field.codec.kind {
			case Encrypted:
				arg, err = r.plan.seal(at.field, base)
			case BlindIndex:
				arg, err = r.plan.blindArg(at.field, base)
			default:
				arg, err = at.field.codec.arg(p, d)
			}
			if err != nil {
				if errors.Is(err, ErrUnread) && at.field.codec.kind != Encrypted {
					return args, r.plan.unread(at.field, base)
				}
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
