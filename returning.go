package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Writes that return the rows that they have written. They are no methods, of which
// each record type would have its own.

// InsertReturning is Query.Insert that returns the rows, with what the database made of
// them: all columns of T, or those that q selects. Relations of With are loaded.
//
//	made, err := dbfleet.InsertReturning(ctx, users.Query(), dbfleet.Row{"name": "Ada"}, dbfleet.Row{"name": "Bob"})
//
// PostgreSQL, SQLite and MariaDB from 10.5 on return the rows of an INSERT and of a
// DELETE, and PostgreSQL and SQLite those of an UPDATE. Where a server cannot, nothing is
// sent and the error says so: rows that are read by another statement may be others. On
// SQLite the rows are what they were before AFTER triggers. A select list that names what
// T has no field for is refused. If the rows are written and cannot be read into T all the
// same, the error is ErrWritten, and in a transaction the caller's fn
// decides.
func InsertReturning[T any](ctx context.Context, q *Query[T], rows ...Row) ([]T, error) {
	list := []T{}
	err := (*query)(q).insertReturning(ctx, &list, rows)
	return list, err
}

// UpdateReturning is Query.Update that returns the rows as they are now; see
// InsertReturning. MySQL and MariaDB have no such UPDATE.
//
//	due, err := dbfleet.UpdateReturning(ctx, jobs.Where("state", "=", "new"), dbfleet.Row{"state": "taken"})
func UpdateReturning[T any](ctx context.Context, q *Query[T], values map[string]any) ([]T, error) {
	list := []T{}
	err := (*query)(q).updateReturning(ctx, &list, values)
	return list, err
}

// DeleteReturning is Query.Delete that returns the rows that were deleted; see
// InsertReturning. With ModelConfig.SoftDelete it is an UPDATE, which MySQL and MariaDB
// cannot do.
func DeleteReturning[T any](ctx context.Context, q *Query[T]) ([]T, error) {
	list := []T{}
	err := (*query)(q).deleteReturning(ctx, &list)
	return list, err
}

func (q *query) insertReturning(ctx context.Context, list any, rows []Row) error {
	all, err := q.inserts(ctx, rows)
	if err != nil || len(rows) == 0 {
		return err
	}
	err = all.each(ctx, func(ctx context.Context, part *inserts) error {
		v := q.returns("insert", rowmap.NewLike(list))
		v.home = &part.home
		v.text = func(q *sqlgen.Query, env *sqlgen.Env) (string, []any, error) {
			return sqlgen.InsertRows(q, &part.in, part.rows, env)
		}
		_, err := v.run(ctx, v)
		if err == nil {
			rowmap.AppendLike(list, v.into)
		}
		return err
	})
	if err != nil {
		rowmap.Clear(list)
	}
	return err
}

func (q *query) updateReturning(ctx context.Context, list any, values map[string]any) error {
	if err := q.usable(); err != nil {
		return err
	}
	sets, err := q.sets(ctx, values)
	if err != nil {
		return err
	}
	v := q.returns("update", list)
	v.text = func(q *sqlgen.Query, env *sqlgen.Env) (string, []any, error) { return sqlgen.Update(q, sets, env) }
	return v.send(ctx)
}

func (q *query) deleteReturning(ctx context.Context, list any) error {
	sets, err := q.markSets(ctx)
	if err != nil {
		return err
	}
	v := q.returns("delete", list)
	v.text = sqlgen.Delete
	if sets != nil {
		v.op = "update"
		v.text = func(q *sqlgen.Query, env *sqlgen.Env) (string, []any, error) { return sqlgen.Update(q, sets, env) }
	}
	return v.send(ctx)
}

// returningWrite is the verb of a write that returns its rows.
type returningWrite struct {
	selection
	op   string
	home *destination // of an insert
	text func(q *sqlgen.Query, env *sqlgen.Env) (string, []any, error)
}

// returns is the verb of a write whose rows go into *list, a *[]T. Their relations are
// read where they were written.
func (q *query) returns(op string, list any) *returningWrite {
	if q.usable() == nil && len(q.relations) > 0 {
		q = q.primary()
	}
	return &returningWrite{selection: selection{trip: trip{q: q}, into: list, changes: true}, op: op}
}

func (v *returningWrite) send(ctx context.Context) error {
	_, err := v.run(ctx, v)
	if err != nil {
		rowmap.Clear(v.into)
	}
	return err
}

func (v *returningWrite) writes() bool { return true }

func (v *returningWrite) changesRows() {}

func (v *returningWrite) to() (destination, error) {
	if v.home != nil {
		return *v.home, nil
	}
	return v.selection.to()
}

func (v *returningWrite) render(p *place, s *statement) error {
	if p.e.dialect == dialect.MySQL && v.op == "update" {
		return v.q.src.table.Fail("MySQL and MariaDB have no UPDATE … RETURNING; lock the rows by ForUpdate in a transaction, and update them by their keys")
	}
	q, err := v.q.withKeysOfRelations()
	if err != nil {
		return err
	}
	r := q.Returning()
	if err := v.foreseen(&r, p.e.dialect); err != nil {
		return err
	}
	s.op, s.write = v.op, true
	s.text, s.args, err = v.text(&r, v.q.env(p))
	return err
}

func (v *returningWrite) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	if !c.Returns() {
		return unknownRows, v.q.src.table.Fail("this server has no RETURNING; MariaDB has it from 10.5 on, MySQL has none")
	}
	return p.rows(ctx, c, s, v)
}
