package dbfleet

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Update sets columns of the rows that match, given as column to value (a Row or a
// map[string]any), and returns how many rows matched (also those that had these values already). A value may be SQL (Raw,
// Expr), or a query for one value, and sees the row as it was; on MySQL, which assigns one column
// after the other, two columns that read each other are refused. Without conditions
// it is refused with ErrMissingWhere unless AllRows was called. On a model with Timestamps it sets updated_at too.
// The shard key and generated columns cannot be set, nor the version of ModelConfig.Version,
// which is raised.
//
// Join and CrossJoin leave rows out that nothing is joined to, and values may read the
// columns of the joined tables:
//
//	n, err := orders.Query().Join("accounts", "accounts.id", "=", "orders.account_id").
//		Where("accounts.closed", "=", true).Update(ctx, dbfleet.Row{"rate": accountRate, "state": "closed"})
//
// A row that several are joined to is changed and counted once; which of them gives a value
// is the database's choice, so join by a unique key where a value comes from. A join is no
// condition: without one the statement is refused. Other joins are refused, and joins of a
// write with a limit or one that returns its rows. Increment and Decrement take joins, too.
func (q *Query[T]) Update(ctx context.Context, values map[string]any) (int64, error) {
	return (*query)(q).update(ctx, values)
}

// Increment adds by to a column of the rows that match, in the database, and
// returns how many matched. NULL stays NULL. by is a number: an int, a float64, a
// decimal as text or as a Valuer; or SQL of Raw or Expr.
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
// conditions it is refused with ErrMissingWhere unless AllRows was called. It takes joins as
// Update does, and deletes rows of the query's own table only. With ModelConfig.SoftDelete the rows stay and are marked, and a query of WithDeleted or
// OnlyDeleted is refused: ForceDeleteRows removes its rows.
func (q *Query[T]) Delete(ctx context.Context) (int64, error) { return (*query)(q).deleteRows(ctx) }

// writing is what the verbs that change rows have in common.
type writing struct{ trip }

func (v *writing) writes() bool { return true }

// changing is what a verb is that changes rows.
type changing interface{ changesRows() }

func (v *writing) changesRows() {}

// change is the verb of Update, Increment and Decrement, and without sets that of
// Delete.
type change struct {
	writing
	op   string
	sets []sqlgen.Set
}

func (v *change) render(p *place, s *statement) (err error) {
	s.op, s.write = v.op, true
	if v.sets == nil {
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
		return 0, partly(err)
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
	sets, err := q.sets(ctx, values)
	if err != nil {
		return 0, err
	}
	return q.change(ctx, "update", sets)
}

// sets are the assignments of an update.
func (q *query) sets(ctx context.Context, values map[string]any) ([]sqlgen.Set, error) {
	sets := make([]sqlgen.Set, 0, len(values)+1)
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if err := q.src.table.Settable(column); err != nil {
			return nil, err
		}
		if err := q.src.table.CheckAssigned(column, values[column]); err != nil {
			return nil, err
		}
		sets = append(sets, sqlgen.Set{Column: column, Value: operand(values[column])})
	}
	for _, column := range q.src.table.BlindColumns(slices.Sorted(maps.Keys(values))) {
		sets = append(sets, sqlgen.Set{Column: column}) // NULL, as what it is of
	}
	at, err := q.clockOfRows(ctx)
	if err != nil {
		return nil, err
	}
	return q.src.table.StampSets(sets, at), nil
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
	if err := q.src.table.CheckAssigned(column, by); err != nil {
		return 0, err
	}
	set, err := q.src.table.Addition(column, operand(by), minus)
	if err != nil {
		return 0, err
	}
	at, err := q.clockOfRows(ctx)
	if err != nil {
		return 0, err
	}
	n, err := q.change(ctx, "update", q.src.table.StampSets([]sqlgen.Set{set}, at))
	if errors.Is(err, ErrInvalidValue) {
		err = &ColumnError{Table: q.src.table.Name, Column: column, Err: errorf("nothing was added, since the sum does not fit or would not be exact: %w", err)}
	}
	return n, err
}

//go:noinline
func (q *query) deleteRows(ctx context.Context) (int64, error) {
	sets, err := q.markSets(ctx)
	if err != nil {
		return 0, err
	}
	return q.change(ctx, "delete", sets)
}
