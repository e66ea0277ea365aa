package dbfleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Create inserts a record and fills in what the database made: the id of an
// integer key that was zero, and the columns of Generated and Defaults.
// Timestamps are set; a created_at that is not zero is kept. The record's times
// become what was stored, the same instants in UTC and to the microsecond (see
// TimePrecision), so that the record equals the one that Find returns. A zero
// time.Time is written as NULL. On an error the record is as it was before.
func (m Model[T]) Create(ctx context.Context, record *T) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	old := *record
	if m.src.callbacks.none() {
		err = m.create(ctx, name, record)
	} else {
		err = m.called(ctx, name, m.src.creating(), record, m.create)
	}
	if err != nil && !isCreated(err) {
		*record = old
	}
	return err
}

// called runs a write of one record between its callbacks.
func (m Model[T]) called(ctx context.Context, name string, st step, record *T, write func(ctx context.Context, name string, record *T) error) error {
	return m.src.around(ctx, &m.at, name, st, 1, func(int) any { return record }, func(ctx context.Context) error {
		return write(ctx, name, record)
	})
}

func (m *Model[T]) create(ctx context.Context, name string, record *T) error {
	t, err := m.writeTarget(ctx, name)
	if err != nil {
		return err
	}
	defer t.leave()
	if err := m.src.stamp(record, true); err != nil {
		return err
	}
	if err := m.insertOne(ctx, &t, record); err != nil {
		return err
	}
	m.src.settle(record)
	return nil
}

// Save writes all columns of a record that was created before. A record whose
// integer key is zero is created. A record that is not in the database (any
// more) is ErrNotFound: nothing is brought back. The key itself, created_at,
// the shard key and generated columns are not written. On an error the record
// is as it was before.
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
	old := *record
	if m.src.callbacks.none() {
		err = m.update(ctx, name, record, only)
	} else {
		err = m.called(ctx, name, m.src.updating(), record, func(ctx context.Context, name string, record *T) error {
			return m.update(ctx, name, record, only)
		})
	}
	if err != nil {
		*record = old
	}
	return err
}

func (m *Model[T]) update(ctx context.Context, name string, record *T, only []string) error {
	s := m.src
	t, err := m.writeTarget(ctx, name)
	if err != nil {
		return err
	}
	defer t.leave()
	if err := s.checkKey(record); err != nil {
		return err
	}
	if err := s.stamp(record, false); err != nil {
		return err
	}
	columns, keys, text := s.saved, s.identity(record), ""
	if only != nil {
		columns = s.updateColumns(only)
	}
	if only == nil && len(keys) == len(s.located) {
		text, err = s.saveText(t.e.dialect)
	} else {
		text, err = s.updateText(columns, keys, t.e.dialect)
	}
	if err != nil {
		return err
	}
	args, err := s.plan.AppendArgs(make([]any, 0, len(columns)+len(keys)), columns, record, t.e.dialect)
	if err == nil {
		args, err = s.plan.AppendArgs(args, keys, record, t.e.dialect)
	}
	if err != nil {
		return err
	}
	res, err := t.exec(ctx, "update", text, args)
	if err == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	if err == nil {
		s.settle(record)
	}
	return err
}

// checkKey refuses a record without a key.
func (s *source) checkKey(record any) error {
	if len(s.key) == 1 && s.plan.IsZero(s.key[0], record) {
		return s.fail("the record's primary key %q is zero", s.plan.Field(s.key[0]).Column)
	}
	return nil
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
	if m.src.callbacks.none() {
		return m.remove(ctx, name, record)
	}
	return m.called(ctx, name, m.src.deleting(), record, m.remove)
}

func (m *Model[T]) remove(ctx context.Context, name string, record *T) error {
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
}

// byKey returns the query for one record.
func (m *Model[T]) byKey(record *T) (sqlgen.Query, error) {
	q := sqlgen.From(m.src.table)
	if err := m.src.checkKey(record); err != nil {
		return q, err
	}
	for _, i := range m.src.identity(record) {
		q = q.WithCond(sqlgen.Compare(m.src.plan.Field(i).Column, sqlgen.Eq, m.src.plan.Value(i, record)))
	}
	return q, nil
}

// identity are the fields by which one record is found: the primary key, and
// on a sharded model the shard key too, for shards may give the same id to
// different records.
func (s *source) identity(record any) []int {
	if len(s.located) > len(s.key) && s.plan.IsZero(s.located[len(s.key)], record) {
		return s.key
	}
	return s.located
}

// home is the connection of a record.
func (m *Model[T]) home(record *T) (string, error) {
	if m.src == nil {
		return "", errNoSource
	}
	if record == nil {
		return "", m.src.fail("the record is a nil pointer")
	}
	var key any
	if m.src.shard != nil {
		key = m.src.shardKey(record)
	}
	name, _, err := m.src.connectionFor(&m.at, key, false)
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
	case m.at.hasShard:
		reason = "the shard of the key given on the call"
	case m.src.shard != nil:
		reason = "the shard of the record"
	case m.src.connection == "":
		reason = "the default"
	}
	return m.src.reg.target(ctx, name, reason, &m.at, true)
}

// stamp sets the timestamps of a record, and cuts its times where the columns
// keep less than the drivers send.
func (s *source) stamp(record any, create bool) error {
	if s.precision > time.Microsecond {
		s.plan.CutTimes(record, s.precision, nil)
	}
	if s.created < 0 && s.updated < 0 {
		return nil
	}
	at := s.now()
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

// insertOne inserts a record and reads back what the database made.
func (m *Model[T]) insertOne(ctx context.Context, t *target, record *T) error {
	s := m.src
	sh := s.shapeOf(record)
	args, err := s.plan.AppendArgs(make([]any, 0, len(sh.write)), sh.write, record, t.e.dialect)
	if err != nil {
		return err
	}
	text, err := s.insertOneText(sh, t.e.dialect)
	if err != nil {
		return err
	}
	if sh.returns(t.e.dialect) {
		return m.insertReturning(ctx, t, "insert", text, args, []*T{record}, sh.back)
	}
	if err := s.tellsKey(sh, t.e.dialect); err != nil {
		return err
	}
	res, err := t.exec(ctx, "insert", text, args)
	if err != nil {
		return err
	}
	if res.RowsAffected != 1 {
		return s.otherRows(res.RowsAffected, 1)
	}
	if len(sh.back) == 0 {
		return nil
	}
	if s.auto && slices.Contains(sh.back, s.key[0]) {
		if err := s.plan.Set(s.key[0], record, res.LastInsertID); err != nil {
			return err
		}
	}
	if sh.onlyID {
		return nil
	}
	return m.reload(ctx, t, record, sh.back)
}

// insertReturning runs an INSERT … RETURNING whose rows belong to records, in
// their order.
func (m *Model[T]) insertReturning(ctx context.Context, t *target, op, text string, args []any, records []*T, back []int) error {
	if m.src.auto && len(back) == 1 && back[0] == m.src.key[0] && len(records) > 1 {
		return m.insertReturningIDs(ctx, t, op, text, args, records)
	}
	var made []T
	err := t.query(ctx, op, text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadAll[T](m.src.plan, rows, len(records))
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) != len(records) {
		return m.src.otherRows(int64(len(made)), len(records))
	}
	for i, r := range records {
		if err := m.copyFields(r, &made[i], back); err != nil {
			return err
		}
	}
	return nil
}

// insertReturningIDs is insertReturning for generated keys alone.
func (m *Model[T]) insertReturningIDs(ctx context.Context, t *target, op, text string, args []any, records []*T) error {
	var made []int64
	err := t.query(ctx, op, text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadColumn[int64](rows)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) != len(records) {
		return m.src.otherRows(int64(len(made)), len(records))
	}
	for i, r := range records {
		if err := m.src.plan.Set(m.src.key[0], r, made[i]); err != nil {
			return err
		}
	}
	return nil
}

// otherRows tells of a trigger or rule that left records out or put them
// elsewhere, so that which of them are there is not known.
func (s *source) otherRows(rows int64, records int) error {
	return s.fail("%d rows were inserted for %d records; a trigger or rule changed them", rows, records)
}

// tellsKey refuses an insert whose key the database makes and does not tell.
func (s *source) tellsKey(sh *shape, d *dialect.Dialect) error {
	if s.auto || d.InsertReturning {
		return nil
	}
	for _, i := range sh.back {
		if slices.Contains(s.key, i) {
			return s.fail("%s does not tell the key %q that it makes; set it before", d.Name, s.plan.Field(i).Column)
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
		return &createdError{err}
	}
	return m.copyFields(record, &made, fields)
}

// createdError says that a record was created and could not be read back.
type createdError struct{ err error }

func (e *createdError) Error() string {
	return "dbfleet: the record was created, what the database made of it could not be read: " + strings.TrimPrefix(e.err.Error(), "dbfleet: ")
}

func (e *createdError) Unwrap() error { return e.err }

func isCreated(err error) bool {
	var c *createdError
	return errors.As(err, &c)
}

// CreateMany inserts records with as few statements as the database's limits
// allow, all of them or none: several statements share a transaction (a
// savepoint inside one). Ids and other values that the database made are
// filled in, as by Create. No records are no statement. On a sharded model all
// records must live on one shard. An error of a callback, or of a value, is a
// *RecordError with the record's index. On an error the records are as they
// were before.
func (m Model[T]) CreateMany(ctx context.Context, records []T) error {
	name, err := m.homeOfAll(records)
	if err != nil || len(records) == 0 {
		return err
	}
	old := slices.Clone(records)
	if err = m.createMany(ctx, name, records); err != nil {
		copy(records, old)
	}
	return err
}

func (m *Model[T]) createMany(ctx context.Context, name string, records []T) error {
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
		batches, err := m.batches(records, e.dialect)
		if err != nil {
			return err
		}
		return m.atomic(ctx, name, severalSteps(batches, e.dialect), func(ctx context.Context) error {
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
			for i := range records {
				m.src.settle(&records[i])
			}
			return nil
		})
	})
}

// severalSteps says whether batches need a transaction to be all or nothing:
// several do, one whose rows a trigger may skip (not on MySQL), and one after
// which rows are read again.
func severalSteps[T any](batches []batch[T], d *dialect.Dialect) bool {
	if len(batches) != 1 {
		return true
	}
	b := &batches[0]
	return len(b.records) > 1 && (d.InsertReturning || len(b.shape.back) > 1)
}

func indexed(i int, err error) error { return &RecordError{Index: i, Err: err} }

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
		if m.src.shard == nil || m.at.db != "" {
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
