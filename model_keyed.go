package dbfleet

import (
	"cmp"
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// createKeyed inserts the records of a single batch that wants nothing back but
// their keys, by the driver's way to do that without the statements of a
// transaction. done is false, and nothing was inserted, where there is no such
// way: in a transaction, where hooks are to be told each statement, and where a
// key might not fit its field, which would be known too late.
func (m *core) createKeyed(ctx context.Context, name string, b *batch) (done bool, err error) {
	var t target
	if err := m.writeTarget(ctx, &t, name); err != nil {
		return false, err
	}
	defer t.leave()
	d := t.e.dialect
	if t.tx != nil || b.records.n < 2 || !b.shape.onlyID || !m.src.plan.HoldsInt64(m.src.key[0]) || !d.InsertReturning || b.shape.unkeyed[d.Index].Load() || t.hooked() {
		return false, nil
	}
	s := m.src
	in, err := s.keyedInsert(b, &t)
	if err != nil {
		return false, err
	}
	made, err := t.insertKeyed(ctx, in, b.args)
	var other *driver.RowsError
	switch {
	case errors.As(err, &other):
		return true, s.otherRows(other.Rows, b.records.n)
	case err != nil:
		return true, t.route.wrap("insert", cmp.Or(in.Text, in.One), b.args, !made.Undone, err)
	case !made.OK:
		if made.Never {
			b.shape.unkeyed[d.Index].Store(true)
		}
		return false, nil
	}
	if err := s.setKeys(&t, b.records, made.Keys); err != nil {
		return true, err
	}
	for i := range b.records.n {
		s.settle(b.records.at(i))
	}
	return true, nil
}

// insertKeyed is the driver's, on a connection of its own.
func (t *target) insertKeyed(ctx context.Context, in *driver.KeyedInsert, args []any) (driver.Keyed, error) {
	conn, err := t.acquire(ctx)
	if err != nil {
		return driver.Keyed{Undone: true}, err
	}
	defer conn.Release()
	return conn.InsertKeyed(ctx, in, args)
}

// hooked says whether there are hooks to tell of statements.
func (t *target) hooked() bool { return len(t.e.hooks.load()) > 0 || len(t.e.reg.hooks.load()) > 0 }

// keyedInsert is what the driver must know to insert a batch.
func (s *source) keyedInsert(b *batch, t *target) (*driver.KeyedInsert, error) {
	d := t.e.dialect
	in := &driver.KeyedInsert{Rows: b.records.n, Key: s.namesIn(d).quoted[s.key[0]]}
	var err error
	if in.Table, err = s.quotedTable(d); err != nil {
		return nil, err
	}
	if d.Numbered {
		in.One, err = s.insertOneText(b.shape, d)
	} else {
		in.Text, err = s.insertText(b.shape, d, in.Rows, false)
	}
	return in, err
}
