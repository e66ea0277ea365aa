package rowmap

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Remembered is what a record remembers of its row, if its type embeds a struct of
// nothing but this. What it leads to is never changed, so copies of the record may share it.
type Remembered struct{ row *rememberedRow }

// rememberedRow has by column what was last read of the row or written to it; notRead for
// a column of which that is not known.
type rememberedRow struct{ values State }

type notReadValue struct{ _ byte }

// notRead stands for the value of a column that was not read.
var notRead any = &notReadValue{}

// otherValue is what a query called by the name of a column and is not known to be it: the
// column counts as not read.
type otherValue struct{ v any }

// rememberedAt finds the Remembered of a struct type: its offset, -1 without one. It lies in
// the struct or in structs that are embedded in it, not behind pointers.
func rememberedAt(t reflect.Type) int {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous || f.Type.Kind() != reflect.Struct {
			continue
		}
		if f.Type.NumField() == 1 && f.Type.Field(0).Type == reflect.TypeFor[Remembered]() {
			return int(f.Offset)
		}
		if at := rememberedAt(f.Type); at >= 0 {
			return int(f.Offset) + at
		}
	}
	return -1
}

// rememberedChange is the Remembered as what a write changes in a record.
func (p *Plan) rememberedChange() changing {
	typ := reflect.TypeFor[Remembered]()
	return changing{field: field{offset: uintptr(p.remembered)}, typ: typ, size: typ.Size()}
}

// Remembers says whether records remember their rows.
func (p *Plan) Remembers() bool { return p.remembered >= 0 }

func (p *Plan) rowOf(base unsafe.Pointer) *Remembered {
	return (*Remembered)(unsafe.Add(base, p.remembered))
}

// Remember has a record, a *T, remember the values of these fields as those of its row,
// beside what it remembers of others.
func (p *Plan) Remember(record any, fields []int) {
	if p.remembered >= 0 {
		p.remember(p.mustRecord(record), fields)
	}
}

// Knows says that a record, a *T, remembers something of its row.
func (p *Plan) Knows(record any) bool {
	return p.remembered >= 0 && p.rowOf(p.mustRecord(record)).row != nil
}

// Forget has a record, a *T, remember nothing of its row.
func (p *Plan) Forget(record any) {
	if p.remembered >= 0 {
		p.rowOf(p.mustRecord(record)).row = nil
	}
}

func (p *Plan) remember(base unsafe.Pointer, fields []int) {
	was := p.rowOf(base)
	now := &rememberedRow{}
	if was.row != nil {
		now.values = slices.Clone(was.row.values)
	} else {
		now.values = make(State, len(p.fields))
		for i := range now.values {
			now.values[i] = notRead
		}
	}
	for _, i := range fields {
		now.values[i] = p.valueOf(i, base)
	}
	was.row = now
}

// distrust has a record remember of fields that what was read into them is something else
// than their columns. What the record remembers must be its own.
func (p *Plan) distrust(base unsafe.Pointer, fields []int) {
	for _, i := range fields {
		values := p.rowOf(base).row.values
		values[i] = otherValue{values[i]}
	}
}

// unset says that the column of field i was not read, and that nobody has set the field.
func (p *Plan) unset(i int, record any, row *rememberedRow) (unset, other bool) {
	switch was := row.values[i].(type) {
	case *notReadValue:
		return p.IsZero(i, record), false
	case otherValue:
		return reflect.DeepEqual(was.v, p.valueOf(i, p.mustRecord(record))), true
	}
	return false, false
}

// valueOf is what field i holds, as State has it.
func (p *Plan) valueOf(i int, base unsafe.Pointer) any {
	f := &p.fields[i]
	at := f.at(base, false)
	if at == nil {
		return nil
	}
	return f.codec.held(at)
}

// held is what is at p in a form that is compared with what is there later: that of an
// argument or, of what no database takes, the Go value, in which a change in place is not seen.
func (c *codec) held(p unsafe.Pointer) any {
	v, err := c.arg(p, nil)
	if err != nil {
		v, err = c.arg(p, dialect.Postgres) // an array
	}
	if err != nil {
		return reflect.NewAt(c.typ, p).Elem().Interface()
	}
	if b, ok := v.([]byte); ok {
		v = bytes.Clone(b) // the record's own may be changed in place
	}
	return v
}

// Differs are those of the fields that do not hold what the record remembers of its row. A
// column that was not read differs once its field is set. ok is false for a record that
// remembers nothing.
func (p *Plan) Differs(record any, fields []int) (differ []int, ok bool) {
	if p.remembered < 0 {
		return nil, false
	}
	base := p.mustRecord(record)
	row := p.rowOf(base).row
	if row == nil {
		return nil, false
	}
	for _, i := range fields {
		if unset, _ := p.unset(i, record, row); !unset && !reflect.DeepEqual(row.values[i], p.valueOf(i, base)) {
			differ = append(differ, i)
		}
	}
	return differ, true
}

// CheckRead refuses a record that is to be written with fields whose columns were not
// read, as far as the record remembers that: those that nobody has set since.
func (p *Plan) CheckRead(record any, fields []int) error {
	if p.remembered < 0 {
		return nil
	}
	row := p.rowOf(p.mustRecord(record)).row
	if row == nil {
		return nil
	}
	var left, called []string
	first := -1
	for _, i := range fields {
		unset, other := p.unset(i, record, row)
		if !unset {
			continue
		}
		if first < 0 {
			first = i
		}
		if other {
			called = append(called, p.fields[i].column)
		} else {
			left = append(left, p.fields[i].column)
		}
	}
	if first < 0 {
		return nil
	}
	var why []string
	if left != nil {
		why = append(why, "the query of this record left out "+strings.Join(left, ", ")+", which the write would erase")
	}
	if called != nil {
		why = append(why, "what the query of this record called "+strings.Join(called, ", ")+" is not known to be the column, and the write would take it for the row's")
	}
	return p.failure(&p.fields[first], fmt.Errorf("%w: %s; write only some columns with SaveColumns or SaveChanges, or read all of them",
		ErrUnread, strings.Join(why, "; ")))
}

// CheckOwn refuses a record that is to be found by fields of which the query of the
// record called something else by their columns' names.
func (p *Plan) CheckOwn(record any, fields []int) error {
	if p.remembered < 0 {
		return nil
	}
	row := p.rowOf(p.mustRecord(record)).row
	if row == nil {
		return nil
	}
	for _, i := range fields {
		if unset, other := p.unset(i, record, row); unset && other {
			return p.failure(&p.fields[i], fmt.Errorf("%w: what the query of this record called %s is not known to be the column, and its row would be found by it; read the column itself",
				ErrUnread, p.fields[i].column))
		}
	}
	return nil
}
