package dbfleet

import (
	"bytes"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

func (r ToMany[P, C]) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	return r.tie.tally(ctx, from, parents, ask)
}

func (r ToOne[P, C]) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	return r.tie.tally(ctx, from, parents, ask)
}

// tally asks for an aggregate of the related records of each parent. Related records are
// grouped by their key where Go can tell which parent has that, and asked for by each key
// otherwise; see gathering.
func (t *tie) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	q, err := t.narrowed(from)
	if err != nil {
		return err
	}
	q = q.next()
	q.relations = nil
	if q, err = t.rows(q, ask.exist); err != nil {
		return err
	}
	if ask.column != "*" {
		if err := single(ask.part, ask.column); err != nil {
			return err
		}
	}
	keys, err := t.collect(parents)
	if err != nil {
		return err
	}
	s := &summing{tie: t, query: q, keys: keys, ask: ask}
	for _, part := range keys.Parts() {
		if err := s.read(ctx, part); err != nil {
			return err
		}
	}
	groups, bounds := keys.Deal(s.fits, true)
	for i := range parents.N {
		at := -1
		if a := bounds[i]; a < bounds[i+1] {
			at = s.places[groups[a]]
		}
		if err := ask.give(parents.At(i), at); err != nil {
			return err
		}
	}
	return nil
}

// summing asks for an aggregate of the related records of many parents.
type summing struct {
	*tie
	query  *query // for the related records of all parents
	keys   *group.Keys
	ask    tallying
	places []int // by group: the place of its value among those that ask.read took, -1 for NULL
	taken  int   // how many that were
	fits   []group.Fit
}

// value is the item of the select list that is asked for.
func (s *summing) value() sqlgen.Column {
	return sqlgen.Column{Func: s.ask.function, Name: s.ask.column, As: "dbfleet_value"}
}

// read asks for the keys of one part.
func (s *summing) read(ctx context.Context, part *group.Part) error {
	q := s.query
	if part.Shard != "" {
		q = q.named(part.Shard)
	}
	plan, kinds := q.src.table.Plan, make([]rowmap.Kind, len(s.relatedColumns))
	for i, column := range s.relatedColumns {
		kinds[i] = plan.Field(column).Kind
	}
	if part.Len() == 1 || !part.Certain(kinds...) {
		return s.each(ctx, q, part)
	}
	by := s.among(q, part).next()
	by.q = by.q.OnlyColumns(append(columnsNamed(s.columns()), s.value())...).WithGroups(s.columns()...)
	v := &sums{selection: selection{trip: trip{q: by}, into: plan.NewList()}, keys: len(s.relatedColumns)}
	if err := v.get(ctx); err != nil {
		return err
	}
	known := len(s.fits)
	fits, ok := s.keys.Fits(s.fits, part, plan, s.relatedColumns, plan.Records(v.into), len(s.places))
	if !ok || !part.Settled(kinds, v.typeNames) || group.Shared(fits[known:]) {
		return s.each(ctx, q, part)
	}
	s.fits = fits
	return s.took(v)
}

// among is the query for the related records of all keys of a part.
func (s *summing) among(q *query, part *group.Part) *query {
	return (&gathering{tie: s.tie}).among(q, part)
}

// each asks for each of the keys by itself, for some of them in one statement.
func (s *summing) each(ctx context.Context, q *query, part *group.Part) error {
	return s.some(ctx, q, part.Len(),
		func(i int) sqlgen.Cond { return s.equal(part.Value(i)) },
		func(i, place int) { s.fits = append(s.fits, part.At(i, place)) })
}

// some asks for the records of each of n conditions, for up to 48 of them in one statement.
// took is told the place of each one's value.
func (s *summing) some(ctx context.Context, q *query, n int, cond func(i int) sqlgen.Cond, took func(i, place int)) error {
	most := sqlgen.MaxEach
	for first := 0; first < n; {
		conds := make([]sqlgen.Cond, min(most, n-first))
		for i := range conds {
			conds[i] = cond(first + i)
		}
		some := q.next()
		some.q = some.q.OnlyColumns(s.value()).WithEach(conds, nil, false)
		v := &sums{selection: selection{trip: trip{q: some}}}
		err := v.get(ctx)
		if len(conds) > 1 && errors.Is(err, sqlgen.ErrTooManyArgs) {
			most = len(conds) / 2 // the query's own arguments come once for each of them
			continue
		}
		if err != nil {
			return err
		}
		for row, i := range v.numbers {
			if i < int64(len(conds)) {
				took(first+int(i), len(s.places)+row)
			}
		}
		if err := s.took(v); err != nil {
			return err
		}
		first += len(conds)
	}
	return nil
}

// took takes the values that a verb has read.
func (s *summing) took(v *sums) error {
	c := v.column
	for _, value := range c.values {
		if value == nil {
			s.places = append(s.places, -1)
			continue
		}
		s.places = append(s.places, s.taken)
		s.taken++
	}
	c.values = slices.DeleteFunc(c.values, func(v sqldriver.Value) bool { return v == nil })
	err := s.ask.read(c)
	var fault *ColumnError
	if errors.As(err, &fault) {
		fault.Model, fault.Column = s.query.src.table.Name, s.ask.column // not what the statement calls it
	}
	return err
}

// columnsNamed are columns as items of a select list.
func columnsNamed(names []string) []sqlgen.Column {
	list := make([]sqlgen.Column, len(names), len(names)+1)
	for i, name := range names {
		list[i].Name = name
	}
	return list
}

// sums is the verb that reads aggregates: behind so many columns of a key, or before the
// number of one.
type sums struct {
	selection
	keys      int // columns of the key, 0 for its number
	column    *kept
	numbers   []int64
	typeNames []string // of the key's columns
}

func (v *sums) get(ctx context.Context) error {
	_, err := v.run(ctx, v)
	return err
}

func (v *sums) render(p *place, s *statement) (err error) {
	s.op = "select"
	env := v.q.env(p)
	s.text, s.args, err = sqlgen.Select(&v.q.q, env)
	s.write = env.MayWrite
	return err
}

func (v *sums) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *sums) finish(context.Context, *place, driver.Result) error { return nil }

func (v *sums) read(rows driver.Rows) (int64, error) {
	d := v.place.e.dialect
	v.column = &kept{name: "dbfleet_value", typeName: rows.TypeName(v.keys), d: d}
	v.numbers, v.typeNames = nil, nil
	if v.keys == 0 {
		n, err := v.numbered(rows)
		return int64(n), err
	}
	for i := range v.keys {
		v.typeNames = append(v.typeNames, rows.TypeName(i))
	}
	n, err := v.q.src.table.Plan.ReadAll(&keysOnly{rows: rows, n: v.keys, d: d, row: make([]sqldriver.Value, v.keys+1), last: v.column}, v.into, 0)
	return int64(n), err
}

// numbered reads values and, behind each, the number of its key.
func (v *sums) numbered(rows driver.Rows) (n int, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	src := rowmap.Hiding(rows, 1, func(number int64) bool { v.numbers = append(v.numbers, number); return true })
	row := make([]sqldriver.Value, 1)
	for {
		switch err := src.Next(row); {
		case err == io.EOF: // a connection that breaks wraps it, and is no end
			return len(v.numbers), nil
		case err != nil:
			return 0, err
		}
		v.column.keep(row[0])
	}
}

// keysOnly are rows without their last column, which is kept.
type keysOnly struct {
	rows driver.Rows
	n    int
	d    *dialect.Dialect
	row  []sqldriver.Value
	last *kept
}

func (k *keysOnly) Columns() []string         { return k.rows.Columns()[:k.n] }
func (k *keysOnly) TypeName(i int) string     { return k.rows.TypeName(i) }
func (k *keysOnly) Close() error              { return k.rows.Close() }
func (k *keysOnly) Dialect() *dialect.Dialect { return k.d }

func (k *keysOnly) Next(dest []sqldriver.Value) error {
	err := k.rows.Next(k.row)
	if err == nil {
		copy(dest, k.row[:k.n])
		k.last.keep(k.row[k.n])
	}
	return err
}

// kept is a column of a result that has been read, as a source of its own.
type kept struct {
	name, typeName string
	d              *dialect.Dialect
	values         []sqldriver.Value
	at             int
}

func (k *kept) keep(v sqldriver.Value) {
	if b, ok := v.([]byte); ok {
		v = bytes.Clone(b) // valid until the following row
	}
	k.values = append(k.values, v)
}

func (k *kept) Columns() []string         { return []string{k.name} }
func (k *kept) TypeName(int) string       { return k.typeName }
func (k *kept) Close() error              { return nil }
func (k *kept) Dialect() *dialect.Dialect { return k.d }

func (k *kept) Next(dest []sqldriver.Value) error {
	if k.at == len(k.values) {
		return io.EOF
	}
	dest[0] = k.values[k.at]
	k.at++
	return nil
}
