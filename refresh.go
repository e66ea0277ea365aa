package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Refresh reads the record's row again, at the primary or in the transaction, and sets the
// fields of all columns; relations in the record stay as they are. A row that is not there,
// or that ModelConfig.SoftDelete has marked, is ErrNotFound. On an error the record is as it
// was before, and its columns are when the transaction is undone.
func (m *Model[T]) Refresh(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: refreshRecord})
}

func refreshRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	t := q.src.table
	if err := t.CheckOwn(record); err != nil {
		return err
	}
	made, err := t.ByIdentity(record)
	if err != nil {
		return err
	}
	found, err := q.lookUp(ctx, record, made, t.Fields(), sqlgen.NoLock, w.landing)
	switch {
	case err != nil:
	case !found:
		err = q.notFound(t.KeyNames())
	default:
		err = q.foundOf(ctx, rowmap.One(record))
	}
	return err
}

// lookUp reads fields of a record from the first row of made.
func (q *query) lookUp(ctx context.Context, record any, made sqlgen.Query, fields []int, lock sqlgen.Lock, l *landing) (found bool, err error) {
	v := &rereading{trip: trip{q: q.primary()}, record: record, fields: fields, lock: lock}
	v.made = made.OnlyColumns(columnsOf(q.src.table, fields)...).WithFixedLimit(1)
	if v.home, err = v.q.homeOf(record); err != nil {
		return false, err
	}
	v.place.landing = l
	_, err = v.run(ctx, v)
	return v.found, err
}

// rereading is the verb that reads the row of a record.
type rereading struct {
	trip
	home   destination
	made   sqlgen.Query
	record any
	fields []int
	lock   sqlgen.Lock // in a transaction of a database that has row locks
	found  bool
}

func (v *rereading) to() (destination, error) { return v.home, nil }

func (v *rereading) writes() bool { return false }

func (v *rereading) render(p *place, s *statement) (err error) {
	if p.tx != nil && p.e.dialect.RowLocks {
		v.made = v.made.WithLock(v.lock) // the row may be younger than the transaction's snapshot
	}
	v.made = v.made.WithImplicit(v.q.q.Implicit()...)
	s.op = "select"
	env := v.q.env(p)
	env.ByDigits = true
	s.text, s.args, err = sqlgen.Select(&v.made, env)
	return err
}

func (v *rereading) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *rereading) read(rows driver.Rows) (int64, error) {
	n, fault, err := readBack(v.q.src.table, rows, v.fields, rowmap.One(v.record))
	if err == nil {
		err = fault
	}
	v.found = n > 0
	return n, err
}
