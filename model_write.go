package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Create inserts a record and fills in what the database made: the id of an
// integer key that was zero, and the columns of Generated and Defaults.
// Timestamps are set; a created_at that is not zero is kept.
func (m Model[T]) Create(ctx context.Context, record *T) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	return m.src.around(ctx, &m.at, name, m.src.creating(), 1, func(int) any { return record }, func(ctx context.Context) error {
		t, err := m.writeTarget(ctx, name)
		if err != nil {
			return err
		}
		defer t.leave()
		if err := m.src.stamp(record, true); err != nil {
			return err
		}
		return m.insertOne(ctx, &t, record)
	})
}

// Save writes all columns of a record that was created before. A record whose
// integer key is zero is created. A record that is not in the database (any
// more) is ErrNotFound: nothing is brought back. The key itself, created_at,
// the shard key and generated columns are not written.
func (m Model[T]) Save(ctx context.Context, record *T) error {
	if m.src != nil && record != nil && m.src.auto && m.src.plan.IsZero(m.src.key[0], record) {
		return m.Create(ctx, record)
	}
	return m.save(ctx, record, nil)
}

// SaveColumns writes only these columns of a record (and updated_at), also
// when they are zero.
func (m Model[T]) SaveColumns(ctx context.Context, record *T, columns ...string) error {
	if m.src == nil {
		return errNoSource
	}
	if len(columns) == 0 {
		return m.src.fail("SaveColumns names no column")
	}
	for _, c := range columns {
		if _, err := m.src.columnIndex(c); err != nil {
			return err
		}
		if err := m.src.settable(c); err != nil {
			return err
		}
	}
	return m.save(ctx, record, columns)
}

func (m Model[T]) save(ctx context.Context, record *T, only []string) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	return m.src.around(ctx, &m.at, name, m.src.updating(), 1, func(int) any { return record }, func(ctx context.Context) error {
		t, err := m.writeTarget(ctx, name)
		if err != nil {
			return err
		}
		defer t.leave()
		q, err := m.byKey(record)
		if err != nil {
			return err
		}
		if err := m.src.stamp(record, false); err != nil {
			return err
		}
		var sets []sqlgen.Set
		for _, i := range m.src.updateColumns(only) {
			a, err := m.src.plan.Arg(i, record, t.e.dialect)
			if err != nil {
				return err
			}
			sets = append(sets, sqlgen.Set{Column: m.src.plan.Field(i).Column, Value: a, Ready: true})
		}
		text, args, err := sqlgen.Update(&q, sets, m.src.env(&t))
		if err != nil {
			return err
		}
		res, err := t.exec(ctx, "update", text, args)
		if err == nil && res.RowsAffected == 0 {
			return ErrNotFound
		}
		return err
	})
}

// updateColumns are the fields that an update of a record writes.
func (s *source) updateColumns(only []string) []int {
	var out []int
	for i := range s.plan.Columns() {
		column := s.plan.Field(i).Column
		switch {
		case only != nil:
			if !slices.Contains(only, column) && i != s.updated {
				continue
			}
		case s.skip[i], slices.Contains(s.key, i), i == s.created, s.shard != nil && column == s.shard.column():
			continue
		}
		out = append(out, i)
	}
	return out
}

// Delete deletes a record by its primary key. One that is not there is
// ErrNotFound.
func (m Model[T]) Delete(ctx context.Context, record *T) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	return m.src.around(ctx, &m.at, name, m.src.deleting(), 1, func(int) any { return record }, func(ctx context.Context) error {
		t, err := m.writeTarget(ctx, name)
		if err != nil {
			return err
		}
		defer t.leave()
		q, err := m.byKey(record)
		if err != nil {
			return err
		}
		text, args, err := sqlgen.Delete(&q, m.src.env(&t))
		if err != nil {
			return err
		}
		res, err := t.exec(ctx, "delete", text, args)
		if err == nil && res.RowsAffected == 0 {
			return ErrNotFound
		}
		return err
	})
}

// byKey returns the query for one record.
func (m *Model[T]) byKey(record *T) (sqlgen.Query, error) {
	q := sqlgen.From(m.src.table)
	for _, i := range m.src.key {
		if m.src.plan.IsZero(i, record) && len(m.src.key) == 1 {
			return q, m.src.fail("the record's primary key %q is zero", m.src.plan.Field(i).Column)
		}
		q = q.WithCond(sqlgen.Compare(m.src.plan.Field(i).Column, sqlgen.Eq, m.src.plan.Value(i, record)))
	}
	return q, nil
}

// home is the connection of a record.
func (m *Model[T]) home(record *T) (string, error) {
	if m.src == nil {
		return "", errNoSource
	}
	if record == nil {
		return "", m.src.fail("the record is a nil pointer")
	}
	name, _, err := m.src.connectionFor(&m.at, func() (any, bool, error) { return m.src.shardKey(record), false, nil })
	return name, err
}

// shardKey is the record's key, nil when it is zero.
func (s *source) shardKey(record any) any {
	i, _ := s.plan.Column(s.shard.column())
	if s.plan.IsZero(i, record) {
		return nil
	}
	return s.plan.Value(i, record)
}

func (m *Model[T]) writeTarget(ctx context.Context, name string) (target, error) {
	reason := "the model's"
	switch {
	case m.at.db != "":
		reason = "named on the call"
	case m.src.shard != nil:
		reason = "the shard of the record"
	case m.src.connection == "":
		reason = "the default"
	}
	return m.src.reg.target(ctx, name, reason, &m.at, true)
}

// stamp sets the timestamps of a record.
func (s *source) stamp(record any, create bool) error {
	if s.created < 0 && s.updated < 0 {
		return nil
	}
	at := now()
	if create && s.created >= 0 && s.plan.IsZero(s.created, record) {
		if err := s.plan.Set(s.created, record, at); err != nil {
			return err
		}
	}
	if s.updated >= 0 {
		return s.plan.Set(s.updated, record, at)
	}
	return nil
}

// shape says which fields of a record an insert writes, and which it wants
// back. Records of one shape go into one statement.
type shape struct {
	write []int
	back  []int
	mask  string // equal for equal shapes
}

func (s *source) shapeOf(record any) shape {
	n := len(s.skip)
	sh := shape{write: make([]int, 0, n)}
	mask := make([]byte, n)
	for i := range n {
		switch {
		case s.skip[i], s.optional[i] && s.plan.IsZero(i, record), s.auto && i == s.key[0] && s.plan.IsZero(i, record):
			sh.back = append(sh.back, i)
		default:
			sh.write = append(sh.write, i)
			mask[i] = 1
		}
	}
	sh.mask = string(mask)
	return sh
}

func (s *source) names(fields []int) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = s.plan.Field(f).Column
	}
	return names
}

// insertOne inserts a record and reads back what the database made.
func (m *Model[T]) insertOne(ctx context.Context, t *target, record *T) error {
	s := m.src
	sh := s.shapeOf(record)
	onlyID := len(sh.back) == 1 && s.auto && sh.back[0] == s.key[0]
	in := sqlgen.Insert{Table: s.table, Columns: s.names(sh.write), Rows: 1}
	args, err := s.plan.AppendArgs(make([]any, 0, len(sh.write)), sh.write, record, t.e.dialect)
	if err != nil {
		return err
	}
	if len(sh.back) > 0 && t.e.dialect.InsertReturning && (t.e.dialect.Numbered || !onlyID) {
		in.Returning = s.names(sh.back)
		return m.insertReturning(ctx, t, &in, args, []*T{record}, sh.back)
	}
	text, err := sqlgen.InsertText(&in, t.e.dialect)
	if err != nil {
		return err
	}
	res, err := t.exec(ctx, "insert", text, args)
	if err != nil || len(sh.back) == 0 {
		return err
	}
	if s.auto && slices.Contains(sh.back, s.key[0]) {
		if err := s.plan.Set(s.key[0], record, res.LastInsertID); err != nil {
			return err
		}
	}
	if onlyID {
		return nil
	}
	return m.reload(ctx, t, record, sh.back)
}

// insertReturning runs an INSERT … RETURNING whose rows belong to records, in
// their order.
func (m *Model[T]) insertReturning(ctx context.Context, t *target, in *sqlgen.Insert, args []any, records []*T, back []int) error {
	text, err := sqlgen.InsertText(in, t.e.dialect)
	if err != nil {
		return err
	}
	var made []T
	err = t.query(ctx, "insert", text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadAll[T](m.src.plan, rows, len(records))
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) != len(records) {
		return m.src.fail("%d rows were inserted for %d records; a trigger or rule changed them, so their ids are not known", len(made), len(records))
	}
	for i, r := range records {
		if err := m.copyFields(r, &made[i], back); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model[T]) copyFields(dst, src *T, fields []int) error {
	for _, f := range fields {
		if err := m.src.plan.Set(f, dst, m.src.plan.Value(f, src)); err != nil {
			return err
		}
	}
	return nil
}

// reload reads fields of a record that the database made, where INSERT cannot
// return them, from the node that has just written them.
func (m *Model[T]) reload(ctx context.Context, t *target, record *T, fields []int) error {
	q, err := m.byKey(record)
	if err != nil {
		return err
	}
	var cols []sqlgen.Column
	for _, name := range m.src.names(fields) {
		cols = append(cols, sqlgen.Column{Name: name})
	}
	q = q.OnlyColumns(cols...)
	text, args, err := sqlgen.Select(&q, m.src.env(t))
	if err != nil {
		return err
	}
	var made T
	found := false
	err = t.query(ctx, "select", text, args, false, func(rows driver.Rows) (int64, error) {
		var err error
		found, err = rowmap.ReadOne(m.src.plan, rows, &made)
		return 1, err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("dbfleet: the record was created, what the database made of it could not be read: %w", err)
	}
	return m.copyFields(record, &made, fields)
}

// CreateMany inserts records with as few statements as the database's limits
// allow, all of them or none: several statements share a transaction (a
// savepoint inside one). Ids and other values that the database made are
// filled in, as by Create. No records are no statement. On a sharded model all
// records must live on one shard.
func (m Model[T]) CreateMany(ctx context.Context, records []T) error {
	name, err := m.homeOfAll(records)
	if err != nil || len(records) == 0 {
		return err
	}
	record := func(i int) any { return &records[i] }
	return m.src.around(ctx, &m.at, name, m.src.creating(), len(records), record, func(ctx context.Context) error {
		for i := range records {
			if err := m.src.stamp(&records[i], true); err != nil {
				return indexed(i, err)
			}
		}
		e, err := m.src.reg.lookup(name)
		if err != nil {
			return err
		}
		batches, err := m.batches(records, e.dialect, 0)
		if err != nil {
			return err
		}
		return m.atomic(ctx, name, len(batches) > 1, func(ctx context.Context) error {
			t, err := m.writeTarget(ctx, name)
			if err != nil {
				return err
			}
			defer t.leave()
			for i := range batches {
				if err := m.insertBatch(ctx, &t, &batches[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func indexed(i int, err error) error { return fmt.Errorf("record %d: %w", i, err) }

// homeOfAll is the one connection of all records.
func (m *Model[T]) homeOfAll(records []T) (string, error) {
	if m.src == nil {
		return "", errNoSource
	}
	name := ""
	for i := range records {
		n, err := m.home(&records[i])
		if err != nil {
			return "", indexed(i, err)
		}
		if i > 0 && n != name {
			return "", m.src.fail("record %d lives on shard %q, those before it on %q; create the records of each shard by themselves", i, n, name)
		}
		name = n
		if m.src.shard == nil || m.at.db != "" || m.at.hasShard {
			break // all alike
		}
	}
	return name, nil
}

// atomic runs fn in a transaction if several statements need one.
func (m *Model[T]) atomic(ctx context.Context, name string, several bool, fn func(ctx context.Context) error) error {
	if !several {
		return fn(ctx)
	}
	inTx := func(ctx context.Context, _ *Tx) error { return fn(ctx) }
	if m.at.tx != nil {
		return m.at.tx.Transaction(ctx, inTx)
	}
	return m.src.reg.Transaction(ctx, name, inTx)
}

var errMixed = errors.New("dbfleet: the database inserted another number of rows than it was given")
