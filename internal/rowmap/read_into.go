package rowmap

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// ReadInto reads the rest of src into fields of records that exist, and closes
// it. Row i goes into the record that at gives for i, a *T. Of the record only
// the fields of these numbers change, each by the column of its name; a field
// whose column the result does not have is ErrColumn.
//
// rows is how many rows there were. There may be more or less of them than n:
// those from n on are counted and not stored. After an error a record may hold a
// part of its row.
func (p *Plan) ReadInto(src Source, fields []int, n int, at func(i int) (rec any)) (rows int64, err error) {
	defer closeSource(src, &rows, &err)
	b, err := p.bind(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, n > 1, n, false)
	defer b.done(s)
	if err := b.choose(s, fields); err != nil {
		return 0, err
	}
	for ; ; rows++ {
		if err := s.next(); err != nil {
			return rows, atEnd(err)
		}
		if rows >= int64(n) {
			continue
		}
		base, err := p.record(at(int(rows)))
		if err == nil {
			err = b.overwrite(s, base)
		}
		if err != nil {
			return rows, err
		}
	}
}

// ReadMatched is [Plan.ReadInto] for rows in any order. The column of the field
// key tells whose a row is: find gives the record for the [Key] of its value,
// and nil for a row that is nobody's, which is passed over. A NULL is nobody's.
//
// rows is how many rows were stored.
func (p *Plan) ReadMatched(src Source, fields []int, key int, find func(key any) (rec any)) (rows int64, err error) {
	defer closeSource(src, &rows, &err)
	b, err := p.bind(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, true, 0, false)
	defer b.done(s)
	if err := b.choose(s, fields); err != nil {
		return 0, err
	}
	keyed, err := b.placeOf(key)
	if err != nil {
		return 0, err
	}
	scratch := p.New() // a record for the keys
	for {
		if err := s.next(); err != nil {
			return rows, atEnd(err)
		}
		if s.isNull(b.places[keyed].index) {
			continue
		}
		if err := b.replace(s, keyed, p.mustRecord(scratch)); err != nil {
			return rows, err
		}
		k, ok := p.FieldKey(key, scratch)
		if !ok {
			continue
		}
		rec := find(k)
		if rec == nil {
			continue
		}
		base, err := p.record(rec)
		if err == nil {
			err = b.overwrite(s, base)
		}
		if err != nil {
			return rows, err
		}
		rows++
	}
}

// choose notes the places of these fields, which overwrite stores.
func (b *binding) choose(s *state, fields []int) error {
	s.chosen, s.fields = s.chosen[:0], fields
	for _, f := range fields {
		if blind := b.plan.fields[f].blind; blind != nil && !slices.Contains(fields, blind.Of) {
			continue // it is compared with what is opened of the same row
		}
		i, err := b.placeOf(f)
		if err != nil {
			return err
		}
		s.chosen = append(s.chosen, i)
	}
	if b.sealed > 0 {
		slices.Sort(s.chosen) // what opens the sealed ones is stored before them
	}
	return nil
}

// placeOf is the place of field f.
func (b *binding) placeOf(f int) (int, error) {
	want := &b.plan.fields[f]
	i := slices.IndexFunc(b.places, func(p place) bool { return p.field == want })
	if i < 0 {
		return 0, b.plan.failure(want, fmt.Errorf("%w: the result does not have this column", ErrColumn))
	}
	return i, nil
}

// overwrite writes the chosen places of the row that was read to the struct at
// base.
func (b *binding) overwrite(s *state, base unsafe.Pointer) error {
	for _, i := range s.chosen {
		if err := b.replace(s, i, base); err != nil {
			return err
		}
	}
	if b.fields != nil {
		b.plan.remember(base, s.fields)
	}
	return nil
}

// replace is set for a field that may hold something. It is zeroed first: a Scan
// method may count on that, as it may in a fresh record.
func (b *binding) replace(s *state, i int, base unsafe.Pointer) error {
	f := b.places[i].field
	reflect.NewAt(f.codec.typ, f.at(base, true)).Elem().SetZero()
	return b.set(s, i, base)
}
