package dbfleet

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Result tells what an insert into a table did.
type Result struct {
	// LastInsertID is the integer key of the row: on PostgreSQL the model's
	// primary key, or the column "id" of a table without a model; on MySQL the
	// auto-increment column's, on SQLite the rowid. It is 0 where the row has none,
	// or one that no int64 holds, and never that of another insert.
	LastInsertID int64
	RowsAffected int64
}

// Update sets columns of the rows that match, and returns how many rows
// matched (also those that had these values already). A value may be SQL, or a
// query for one value, and sees the row as it was; on MySQL, which assigns one column
// after the other, two columns that read each other are refused. Without conditions
// it is refused with ErrMissingWhere unless AllRows was called. On a model with Timestamps it sets updated_at too.
// The shard key and generated columns cannot be set.
func (q *Query[T]) Update(ctx context.Context, values map[string]any) (int64, error) {
	return (*query)(q).update(ctx, values)
}

// Increment adds by to a column of the rows that match, in the database, and
// returns how many matched. NULL stays NULL. by is a number: an int, a float64, a
// decimal as text or as a Valuer; or SQL.
//
// The sum is exact, or no row is changed and the error is ErrInvalidValue: what does
// not fit the column's type; on a field of an unsigned type, less than nothing; what
// is added to text (ErrUndefined on PostgreSQL, which has no such operator). In a
// column of floats, exact is what floats make of it. Digits behind those that a
// column keeps are rounded by PostgreSQL and MySQL as in every write.
//
// SQLite adds with int64 and float64 only. Sums beyond int64 are refused there, and a
// number with a fraction is added to floats only: a decimal with a fraction, in the
// amount (ErrRange) or kept as text (ErrInvalidValue), is refused. Read it in a
// transaction, add, and save it.
func (q *Query[T]) Increment(ctx context.Context, column string, by any) (int64, error) {
	return (*query)(q).add(ctx, column, by, false)
}

// Decrement takes by from a column; see Increment.
func (q *Query[T]) Decrement(ctx context.Context, column string, by any) (int64, error) {
	return (*query)(q).add(ctx, column, by, true)
}

// Delete deletes the rows that match and returns how many they were. Without
// conditions it is refused with ErrMissingWhere unless AllRows was called.
func (q *Query[T]) Delete(ctx context.Context) (int64, error) { return (*query)(q).deleteRows(ctx) }

// Insert inserts one row given as column to value. A query with conditions is
// refused. On a model with Timestamps created_at and updated_at are set unless the
// row has them.
func (q *Query[T]) Insert(ctx context.Context, row map[string]any) (Result, error) {
	return (*query)(q).insertRow(ctx, row, nil)
}

// Upsert inserts a row, or updates the one that has the same values in the key
// columns, which must be under a unique constraint: all other columns of row
// are set, but created_at and the shard key. In one statement, so it does not race. MySQL decides by any unique
// key of the table.
func (q *Query[T]) Upsert(ctx context.Context, row map[string]any, key ...string) error {
	return (*query)(q).upsertRow(ctx, row, key)
}

// writing is what the verbs that change rows have in common.
type writing struct{ trip }

func (v *writing) writes() bool { return true }

// change is the verb of Update, Increment and Decrement, and without sets that of
// Delete.
type change struct {
	writing
	op   string
	sets []sqlgen.Set
}

func (v *change) render(p *place, s *statement) (err error) {
	s.op, s.write = v.op, true
	if v.op == "delete" {
		s.text, s.args, err = sqlgen.Delete(&v.q.q, v.q.env(p))
	} else {
		s.text, s.args, err = sqlgen.Update(&v.q.q, v.sets, v.q.env(p))
	}
	return err
}

func (q *query) change(ctx context.Context, op string, sets []sqlgen.Set) (int64, error) {
	v := &change{writing: writing{trip{q: q}}, op: op, sets: sets}
	res, err := v.run(ctx, v)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected, nil
}

func (q *query) update(ctx context.Context, values map[string]any) (int64, error) {
	n, err := q.set(ctx, values)
	return n, told(err)
}

func (q *query) set(ctx context.Context, values map[string]any) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, err
	}
	sets := make([]sqlgen.Set, 0, len(values)+1)
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if err := q.src.table.Settable(column); err != nil {
			return 0, err
		}
		sets = append(sets, sqlgen.Set{Column: column, Value: operand(values[column])})
	}
	return q.change(ctx, "update", q.src.table.StampSets(sets))
}

// add is Increment, and with minus Decrement.
func (q *query) add(ctx context.Context, column string, by any, minus bool) (int64, error) {
	n, err := q.adding(ctx, column, by, minus)
	return n, told(err)
}

func (q *query) adding(ctx context.Context, column string, by any, minus bool) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, err
	}
	if err := q.src.table.Settable(column); err != nil {
		return 0, err
	}
	set, err := q.src.table.Addition(column, operand(by), minus)
	if err != nil {
		return 0, err
	}
	n, err := q.change(ctx, "update", q.src.table.StampSets([]sqlgen.Set{set}))
	if errors.Is(err, ErrInvalidValue) {
		err = &ColumnError{Model: q.src.table.Name, Column: column, Err: errorf("nothing was added, since the sum does not fit or would not be exact: %w", err)}
	}
	return n, err
}

//go:noinline
func (q *query) deleteRows(ctx context.Context) (int64, error) { return q.change(ctx, "delete", nil) }

func (q *query) upsertRow(ctx context.Context, row map[string]any, key []string) error {
	if len(key) == 0 {
		return &StatementError{Part: "upsert", Reason: "no key columns named"}
	}
	_, err := q.insertRow(ctx, row, key)
	return err
}

func (q *query) insertRow(ctx context.Context, row map[string]any, key []string) (Result, error) {
	res, err := q.inserting(ctx, row, key)
	return res, told(err)
}

func (q *query) inserting(ctx context.Context, row map[string]any, key []string) (Result, error) {
	if err := q.usable(); err != nil {
		return Result{}, err
	}
	t := q.src.table
	if row == nil {
		return Result{}, t.Fail("the row is nil")
	}
	if q.q.HasConditions() {
		return Result{}, t.Fail("an insert has no conditions; the query's would be lost")
	}
	v := &rowInsert{writing: writing{trip{q: q}}, row: t.StampRow(row)}
	v.in = sqlgen.Insert{Table: t.Name, Columns: slices.Sorted(maps.Keys(v.row)), Rows: 1}
	for _, c := range v.in.Columns {
		if err := t.Insertable(c); err != nil {
			return Result{}, err
		}
	}
	if key != nil {
		if err := v.onConflict(key); err != nil {
			return Result{}, err
		}
	}
	_, err := v.run(ctx, v)
	return v.result, err
}

// rowInsert is the verb that inserts or upserts a row given as a map.
type rowInsert struct {
	writing
	row    map[string]any
	in     sqlgen.Insert
	result Result
	id     string // the column that PostgreSQL returns as the key
}

func (v *rowInsert) onConflict(key []string) error {
	t := v.q.src.table
	v.in.Conflict, v.in.Keys = sqlgen.Replace, key
	for _, k := range key {
		if !slices.Contains(v.in.Columns, k) {
			return t.Fail("the key column %q is not in the row", k)
		}
	}
	for _, c := range v.in.Columns {
		if !slices.Contains(key, c) && !t.StaysOnUpsert(c) {
			v.in.Sets = append(v.in.Sets, c)
		}
	}
	if len(v.in.Sets) == 0 {
		v.in.Conflict = sqlgen.Ignore
	}
	return nil
}

// to routes by the row's own shard key.
func (v *rowInsert) to() (destination, error) {
	var key any
	if v.q.src.shard != nil {
		key = v.row[v.q.src.shard.column()]
	}
	to, err := v.q.src.destination(v.q.wish(), key, false)
	if err == nil && key != nil && !v.q.wish().placed() {
		to.reason = "the shard of the row"
	}
	return to, err
}

func (v *rowInsert) render(p *place, s *statement) (err error) {
	s.op, s.write = "insert", true
	t := v.q.src.table
	if s.args, err = t.RowArgs(v.in.Columns, v.row, p.e.dialect); err != nil {
		return err
	}
	if p.e.dialect.Numbered && v.in.Keys == nil {
		// PostgreSQL is asked for the generated key: the model's, or the column "id"
		// of whatever the table has, whose columns are not known.
		v.id, v.in.Returning = "id", []string{"*"}
		if t.HasModel() {
			v.id = t.Column(t.Key()[0])
			v.in.Returning = []string{v.id}
		}
	}
	s.text, err = sqlgen.InsertText(&v.in, p.e.dialect)
	return err
}

func (v *rowInsert) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if v.id != "" {
		return p.rows(ctx, nil, s, v)
	}
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	res, _, err := c.InsertTold(ctx, &driver.ToldInsert{Text: s.text, Table: v.q.src.table.Name}, s.args)
	if err != nil {
		return unknownRows, err
	}
	if res.LastInsertID < 0 && !slices.Contains(s.args, any(res.LastInsertID)) {
		res.LastInsertID = 0 // of a counter that is beyond int64
	}
	v.result = Result{LastInsertID: res.LastInsertID, RowsAffected: res.RowsAffected}
	return res, nil
}

// finish tells of a trigger that left the row of an upsert out.
func (v *rowInsert) finish(_ context.Context, p *place, res driver.Result) error {
	if v.in.Conflict == sqlgen.Replace && p.e.dialect.UpsertConflict && res.RowsAffected != 1 {
		return written(p, nil, otherRows(v.q.src.table, res.RowsAffected, 1))
	}
	return nil
}

func (v *rowInsert) read(rows driver.Rows) (int64, error) {
	list, err := rowmap.ReadRows(rows, v.place.e.dialect)
	v.result = Result{RowsAffected: int64(len(list))}
	if len(list) == 1 {
		v.result.LastInsertID, _ = list[0][v.id].(int64)
	}
	return v.result.RowsAffected, err
}
