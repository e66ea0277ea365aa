package rowmap

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// binding fits a plan to the columns of one result. It is found again by the
// columns' names, so that a repeated query binds without work.
type binding struct {
	plan    *Plan
	columns []string
	places  []place
	unknown []string  // the result's columns without a field
	missing []int     // the fields without a column
	unread  []uintptr // where those of them lie that remember it
	fields  []int     // the fields with a column, if the plan's records remember them
	sealed  int       // how many places are sealed: the last
	closed  []*field  // the sealed fields without a column
	unbound error     // why the sealed places cannot be opened by the result alone
	states  sync.Pool // of *state
}

// place joins a result column with a field.
type place struct {
	index   int // of the result column
	offset  uintptr
	set     setter
	setCell cellSetter
	field   *field
}

// state is what one read needs: a row of cells if the source gives them, else
// of driver values.
type state struct {
	reading
	cells   Cells // src, if it is one
	dest    []driver.Value
	row     []cell.Cell
	origins []origin // one per place
	chosen  []int    // the places that overwrite stores
	fields  []int    // their fields
	others  []int    // fields whose result columns are something else than their columns
}

// next reads the next row.
func (s *state) next() error {
	if s.cells != nil {
		return s.cells.NextCells(s.row)
	}
	return s.src.Next(s.dest)
}

// value is result column i of the row that was read.
func (s *state) value(i int) driver.Value {
	if s.cells != nil {
		return s.row[i].Value()
	}
	return s.dest[i]
}

// isNull says whether result column i of the row that was read is NULL.
func (s *state) isNull(i int) bool {
	if s.cells != nil {
		return s.row[i].Kind == cell.Null
	}
	return s.dest[i] == nil
}

// maxBindings bounds the results that a plan remembers. The columns of
// queries that are not written by hand could have no end.
const maxBindings = 64

// bind returns the binding for the source's columns.
func (p *Plan) bind(src Source) (*binding, error) {
	columns := src.Columns()
	if b := p.bound(columns); b != nil {
		return b, nil
	}
	p.bindMu.Lock()
	defer p.bindMu.Unlock()
	if b := p.bound(columns); b != nil {
		return b, nil
	}
	b, err := p.newBinding(slices.Clone(columns))
	if err != nil {
		return nil, err
	}
	added := []*binding{b}
	if known := p.bindings.Load(); known != nil {
		added = append(added, (*known)[:min(len(*known), maxBindings-1)]...)
	}
	p.bindings.Store(&added)
	return b, nil
}

func (p *Plan) bound(columns []string) *binding {
	known := p.bindings.Load()
	if known == nil {
		return nil
	}
	for _, b := range *known {
		if slices.Equal(b.columns, columns) {
			return b
		}
	}
	return nil
}

// newBinding binds by name: exactly, or else without regard to case as far as
// no exact name claims the field.
func (p *Plan) newBinding(columns []string) (*binding, error) {
	if p.scalar {
		return p.bindScalar(columns)
	}
	b := &binding{plan: p, columns: columns}
	target := make([]int, len(columns))
	taken := make([]bool, len(p.fields))
	for i, name := range columns {
		f, ok := p.byName[name]
		if !ok {
			target[i] = -1
			continue
		}
		if taken[f] {
			return nil, p.twice(name)
		}
		target[i], taken[f] = f, true
	}
	exact := slices.Clone(taken)
	for i, name := range columns {
		if target[i] >= 0 {
			continue
		}
		f, ok := p.byFold[strings.ToLower(name)]
		if ok && !exact[f] && !p.sharesFold(f) {
			if taken[f] {
				return nil, p.twice(name)
			}
			target[i], taken[f] = f, true
		}
	}
	for i, f := range target {
		if f < 0 {
			b.unknown = append(b.unknown, columns[i])
			continue
		}
		b.places = append(b.places, place{
			index: i, offset: p.fields[f].offset, field: &p.fields[f],
			set: p.fields[f].codec.set, setCell: p.fields[f].codec.setCell,
		})
	}
	b.sealedLast(taken)
	for i := range p.fields {
		if taken[i] {
			if p.Remembers() {
				b.fields = append(b.fields, i)
			}
			continue
		}
		b.missing = append(b.missing, i)
		switch f := &p.fields[i]; {
		case f.remembers():
			b.unread = append(b.unread, f.offset)
		case f.codec.kind == Encrypted:
			b.closed = append(b.closed, f)
		}
	}
	return b, nil
}

// sharesFold says whether another column differs from column i in nothing but case.
func (p *Plan) sharesFold(i int) bool {
	return p.folded != [2]int{} && slices.ContainsFunc(p.columns, func(c string) bool { return c != p.columns[i] && strings.EqualFold(c, p.columns[i]) })
}

func (p *Plan) twice(column string) error {
	return &ColumnError{Model: p.model, Column: column,
		Err: fmt.Errorf("%w: the result has more than one column of this name; give one an alias", ErrColumn)}
}

// open takes a state for a read of src. shared says that all rows are handed
// out together; rows is about how many will come, 0 is unknown.
func (b *binding) open(src Source, shared bool, rows int, ofTable bool) *state {
	s, _ := b.states.Get().(*state)
	if s == nil {
		s = &state{origins: make([]origin, len(b.places))}
		for i := range s.origins {
			s.origins[i] = origin{of: &s.reading, index: b.places[i].index, valued: b.places[i].field.codec.valued}
		}
	}
	s.src, s.shared, s.strict, s.blobs = src, shared, ofTable, dialectOf(src) == dialect.SQLite
	s.cells, _ = src.(Cells)
	if s.cells == nil && s.dest == nil {
		s.dest = make([]driver.Value, len(b.columns))
	}
	if s.cells != nil && s.row == nil {
		s.row = make([]cell.Cell, len(b.columns))
	}
	if shared {
		for i := range s.origins {
			s.origins[i].slab.expect(rows)
		}
	}
	return s
}

// done gives the state back. It must not be used again, and holds on to
// nothing of the read.
func (b *binding) done(s *state) {
	clear(s.dest)
	clear(s.row)
	if s.shared {
		for i := range s.origins {
			s.origins[i].slab = slab{}
		}
	}
	if s.strict {
		for i := range s.origins {
			s.origins[i].holding = 0
		}
	}
	s.reading, s.cells, s.fields, s.others = reading{}, nil, nil, nil
	b.states.Put(s)
}

// store writes the row that was read to the struct at base, whose fields must
// be zero.
func (b *binding) store(s *state, base unsafe.Pointer) error {
	for i := range b.places {
		if err := b.set(s, i, base); err != nil {
			return err
		}
	}
	b.forget(base)
	if b.fields != nil {
		b.plan.remember(base, b.fields)
		b.plan.distrust(base, s.others)
	}
	return nil
}

// others are the fields whose columns of the result are not their own by Rows.From. What
// it does not tell of is something else.
func (b *binding) others(sources []string) (fields []int) {
	if sources == nil || b.fields == nil {
		return nil
	}
	for i := range b.places {
		at := &b.places[i]
		if at.index < len(sources) && (sources[at.index] == at.field.column || sources[at.index] != "" && sources[at.index] == b.columns[at.index]) {
			continue
		}
		fields = append(fields, b.plan.byName[at.field.column])
	}
	return fields
}

// set writes place i of the row that was read to the struct at base.
func (b *binding) set(s *state, i int, base unsafe.Pointer) (err error) {
	at := &b.places[i]
	var p unsafe.Pointer
	if at.field.via == nil {
		p = unsafe.Add(base, at.offset)
	} else { // the offset is one in another struct
		p = at.field.at(base, true)
	}
	switch {
	case i >= len(b.places)-b.sealed:
		if at.field.blind != nil {
			err = b.plan.checkBlind(at.field, base, s.value(at.index))
		} else {
			err = b.plan.unseal(at.field, base, s.value(at.index))
		}
	case s.cells != nil:
		err = at.setCell(p, &s.row[at.index], &s.origins[i])
	default:
		err = at.set(p, s.dest[at.index], &s.origins[i])
	}
	if err != nil {
		return b.plan.failure(at.field, err)
	}
	return nil
}
