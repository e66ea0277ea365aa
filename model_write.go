package dbfleet

import (
	"context"
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
	if record == nil {
		return m.c.nilRecord()
	}
	old := *record
	err := m.c.create(ctx, record)
	if err != nil && !isCreated(err) {
		*record = old
	}
	return err
}

// stillAt refuses a record whose shard was changed by a callback.
func (m *core) stillAt(name string, record any) error {
	if m.src.shard == nil || !m.src.callbacks.beforeCreate {
		return nil
	}
	now, err := m.home(record)
	if err == nil && now != name {
		err = m.src.fail("BeforeCreate moved the record from %q to %q by its shard key", name, now)
	}
	return err
}

func (m *core) nilRecord() error {
	if m.src == nil {
		return errNoSource
	}
	return m.src.nilRecord()
}

func (m *core) create(ctx context.Context, record any) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	if m.src.callbacks.none() {
		return m.insert(ctx, name, record)
	}
	return m.called(ctx, name, m.src.creating(), record, m.insert)
}

// called runs a write of one record between its callbacks.
func (m *core) called(ctx context.Context, name string, st step, record any, write func(ctx context.Context, name string, record any) error) error {
	return m.src.around(ctx, m.place(), name, st, 1, func(int) any { return record }, func(ctx context.Context) error {
		return write(ctx, name, record)
	})
}

func (m *core) insert(ctx context.Context, name string, record any) error {
	if err := m.stillAt(name, record); err != nil {
		return err
	}
	var t target
	err := m.writeTarget(ctx, &t, name)
	if err != nil {
		return err
	}
	defer t.leave()
	if err := m.src.stamp(record, true); err != nil {
		return err
	}
	return m.src.insertOne(ctx, &t, record)
}

// Save writes all columns of a record that was created before. A record whose
// integer key is zero is created. A record that is not in the database (any
// more) is ErrNotFound: nothing is brought back. The key itself, created_at,
// the shard key and generated columns are not written. On an error the record
// is as it was before.
func (m Model[T]) Save(ctx context.Context, record *T) error {
	if record != nil && m.c.unsaved(record) {
		return m.Create(ctx, record)
	}
	return m.save(ctx, record, nil)
}

// unsaved says whether the record's key is yet to be made by the database.
func (m *core) unsaved(record any) bool {
	return m.src != nil && m.src.auto && m.src.plan.IsZero(m.src.key[0], record)
}

// SaveColumns writes only these columns of a record (and updated_at), also
// when they are zero.
func (m Model[T]) SaveColumns(ctx context.Context, record *T, columns ...string) error {
	if err := m.c.checkColumns(columns); err != nil {
		return err
	}
	return m.save(ctx, record, columns)
}

func (m Model[T]) save(ctx context.Context, record *T, only []string) error {
	if record == nil {
		return m.c.nilRecord()
	}
	old := *record
	err := m.c.save(ctx, record, only)
	if err != nil {
		*record = old
	}
	return err
}

func (m *core) checkColumns(columns []string) error {
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
	return nil
}

func (m *core) save(ctx context.Context, record any, only []string) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	if m.src.callbacks.none() {
		return m.updateOne(ctx, name, record, only)
	}
	return m.called(ctx, name, m.src.updating(), record, func(ctx context.Context, name string, record any) error {
		return m.updateOne(ctx, name, record, only)
	})
}

func (m *core) updateOne(ctx context.Context, name string, record any, only []string) error {
	s := m.src
	var t target
	err := m.writeTarget(ctx, &t, name)
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
	text, columns, err := s.saving(record, only, t.e.dialect)
	if err != nil {
		return err
	}
	args, cut, err := columns.Args(record, t.e.dialect)
	if err != nil {
		return err
	}
	res, err := t.exec(ctx, "update", text, args)
	if err != nil {
		return err
	}
	if res.RowsAffected == 0 {
		return ErrNotFound
	}
	if !cut {
		s.settle(record)
	}
	return nil
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
	if record == nil {
		return m.c.nilRecord()
	}
	return m.c.delete(ctx, record)
}

func (m *core) delete(ctx context.Context, record any) error {
	name, err := m.home(record)
	if err != nil {
		return err
	}
	if m.src.callbacks.none() {
		return m.remove(ctx, name, record)
	}
	return m.called(ctx, name, m.src.deleting(), record, m.remove)
}

func (m *core) remove(ctx context.Context, name string, record any) error {
	var t target
	err := m.writeTarget(ctx, &t, name)
	if err != nil {
		return err
	}
	defer t.leave()
	q, err := m.src.byKey(record)
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
func (s *source) byKey(record any) (sqlgen.Query, error) {
	q := sqlgen.From(s.table)
	if err := s.checkKey(record); err != nil {
		return q, err
	}
	for _, i := range s.identity(record) {
		q = q.WithCond(sqlgen.Compare(s.plan.Field(i).Column, sqlgen.Eq, s.plan.Value(i, record)))
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
func (m *core) home(record any) (string, error) {
	if m.src == nil {
		return "", errNoSource
	}
	return m.src.homeOf(m.place(), record)
}

func (s *source) homeOf(at *place, record any) (string, error) {
	var key any
	if s.shard != nil {
		key = s.shardKey(record)
	}
	name, _, err := s.connectionFor(at, key, false)
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

func (m *core) writeTarget(ctx context.Context, t *target, name string) error {
	return m.src.writeTarget(ctx, t, m.place(), name)
}

func (s *source) writeTarget(ctx context.Context, t *target, at *place, name string) error {
	reason := "the model's"
	switch {
	case at.db != "":
		reason = "named on the call"
	case at.hasShard:
		reason = "the shard of the key given on the call"
	case s.shard != nil:
		reason = "the shard of the record"
	case s.connection == "":
		reason = "the default"
	}
	return s.reg.target(ctx, t, name, reason, at, true)
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
		if err := s.plan.SetTime(s.created, record, at); err != nil {
			return err
		}
	}
	if s.updated >= 0 {
		return s.plan.SetTime(s.updated, record, at)
	}
	return nil
}

// insertOne inserts a record and reads back what the database made.
func (s *source) insertOne(ctx context.Context, t *target, record any) error {
	sh := s.shapeOf(record)
	text, err := s.insertOneText(sh, t.e.dialect)
	if err != nil {
		return err
	}
	args, cut, err := sh.args.Args(record, t.e.dialect)
	if err != nil {
		return err
	}
	if sh.returns(t.e.dialect) {
		err = s.insertReturning(ctx, t, "insert", text, args, oneOf(record), sh.back)
	} else {
		err = s.insertTelling(ctx, t, sh, text, args, record)
	}
	if err == nil && !cut {
		s.settle(record)
	}
	return err
}

// insertTelling runs an INSERT that returns nothing but the generated key, by
// the driver.
func (s *source) insertTelling(ctx context.Context, t *target, sh *shape, text string, args []any, record any) error {
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
		if err := s.plan.SetInt(s.key[0], record, res.LastInsertID); err != nil {
			return afterInsert(t, err)
		}
	}
	if sh.onlyID {
		return nil
	}
	return s.reload(ctx, t, record, sh.back)
}

// insertReturning runs an INSERT … RETURNING whose rows belong to records, in
// their order.
func (s *source) insertReturning(ctx context.Context, t *target, op, text string, args []any, records list, back []int) error {
	t.quick = true
	if s.auto && len(back) == 1 && back[0] == s.key[0] {
		return s.insertReturningIDs(ctx, t, op, text, args, records)
	}
	var made []map[string]any
	d := t.e.dialect // a read that held t would put it on the heap
	err := t.query(ctx, op, text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadRows(rows, d)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) != records.n {
		return s.otherRows(int64(len(made)), records.n)
	}
	for i, row := range made {
		if err := s.setFields(records.at(i), row, back); err != nil {
			return afterInsert(t, err)
		}
	}
	return nil
}

// insertReturningIDs is insertReturning for generated keys alone.
func (s *source) insertReturningIDs(ctx context.Context, t *target, op, text string, args []any, records list) error {
	var made []int64
	err := t.query(ctx, op, text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadColumn[int64](rows)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	return s.setKeys(t, records, made)
}

// setKeys stores the keys that the database made.
func (s *source) setKeys(t *target, records list, made []int64) error {
	if len(made) != records.n {
		return s.otherRows(int64(len(made)), records.n)
	}
	for i, key := range made {
		if err := s.plan.SetInt(s.key[0], records.at(i), key); err != nil {
			return afterInsert(t, err)
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

// setFields stores what the database made of a record.
func (s *source) setFields(record any, row map[string]any, fields []int) error {
	for _, f := range fields {
		if err := s.plan.Set(f, record, row[s.plan.Field(f).Column]); err != nil {
			return err
		}
	}
	return nil
}

// reload reads fields of a record that the database made, where INSERT cannot
// return them, from the node that has just written them.
func (s *source) reload(ctx context.Context, t *target, record any, fields []int) error {
	q, err := s.byKey(record)
	if err != nil {
		return afterInsert(t, err)
	}
	var cols []sqlgen.Column
	for _, name := range s.names(fields) {
		cols = append(cols, sqlgen.Column{Name: name})
	}
	q = q.OnlyColumns(cols...)
	made, err := s.rows(ctx, t, q, false)
	if err == nil && len(made) == 0 {
		err = ErrNotFound
	}
	if err == nil {
		err = s.setFields(record, made[0], fields)
	}
	return afterInsert(t, err)
}

// rows runs a query for what the database made of records.
func (s *source) rows(ctx context.Context, t *target, q sqlgen.Query, write bool) (made []map[string]any, err error) {
	text, args, err := sqlgen.Select(&q, s.env(t))
	if err != nil {
		return nil, err
	}
	d := t.e.dialect // a read that held t would put it on the heap
	err = t.query(ctx, "select", text, args, write, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadRows(rows, d)
		return int64(len(made)), err
	})
	return made, err
}

// createdError says that a record was created and could not be read back.
type createdError struct{ err error }

func (e *createdError) Error() string {
	return "dbfleet: the record was created, what the database made of it could not be read: " + strings.TrimPrefix(e.err.Error(), "dbfleet: ")
}

func (e *createdError) Unwrap() error { return e.err }

func isCreated(err error) bool {
	_, ok := err.(*createdError) //nolint:errorlint // of this record, not of one that a callback created
	return ok
}

// afterInsert marks what went wrong once the record was in the database: in a
// transaction it is undone, on its own it stays.
func afterInsert(t *target, err error) error {
	if err == nil || t.tx != nil {
		return err
	}
	return &createdError{err}
}

// CreateMany inserts records with as few statements as the database's limits
// allow, all of them or none: several statements share a transaction (a
// savepoint inside one). Ids and other values that the database made are
// filled in, as by Create. No records are no statement. On a sharded model all
// records must live on one shard. An error of a callback, or of a value, is a
// *RecordError with the record's index. On an error the records are as they
// were before. PostgreSQL may be sent, in place of the INSERT that hooks are
// told, an equal one whose text is the same for any number of records. Where one
// statement suffices and no hook is to see it, it may be sent without a
// transaction around it: if its answer is lost, the error is ErrOutcomeUnknown,
// as Create's. Load is faster for many records whose ids need not be known.
func (m Model[T]) CreateMany(ctx context.Context, records []T) error {
	old := slices.Clone(records)
	err := m.c.createMany(ctx, listOf(records))
	if err != nil {
		copy(records, old)
	}
	return err
}

// list is a slice of records without their type.
type list struct {
	n  int
	at func(i int) any // a pointer to record i
}

func listOf[T any](records []T) list {
	return list{n: len(records), at: func(i int) any { return &records[i] }}
}

func oneOf(record any) list { return list{n: 1, at: func(int) any { return record }} }

// part is n of the records, from the first-th on.
func (l list) part(first, n int) list {
	if first == 0 {
		return list{n: n, at: l.at}
	}
	return list{n: n, at: func(i int) any { return l.at(first + i) }}
}

func (m *core) createMany(ctx context.Context, records list) error {
	name, err := m.homeOfAll(records)
	if err != nil || records.n == 0 {
		return err
	}
	st := m.src.creating()
	st.indexed = true
	return m.src.around(ctx, m.place(), name, st, records.n, records.at, func(ctx context.Context) error {
		for i := range records.n {
			if err := m.stillAt(name, records.at(i)); err != nil {
				return indexed(i, err)
			}
			if err := m.src.stamp(records.at(i), true); err != nil {
				return indexed(i, err)
			}
		}
		e, err := m.src.reg.lookup(name)
		if err != nil {
			return err
		}
		batches, err := m.src.batches(records, e.dialect)
		if err != nil {
			return err
		}
		defer giveBack(batches)
		if len(batches) == 1 {
			if created, err := m.createKeyed(ctx, name, &batches[0]); created || err != nil {
				return err
			}
		}
		return m.atomic(ctx, name, m.src.severalSteps(batches, e.dialect), func(ctx context.Context) error {
			var t target
			err := m.writeTarget(ctx, &t, name)
			if err != nil {
				return err
			}
			defer t.leave()
			for i := range batches {
				if err := m.src.insertBatch(ctx, &t, &batches[i]); err != nil {
					return err
				}
			}
			for i := range records.n {
				m.src.settle(records.at(i))
			}
			return nil
		})
	})
}

// severalSteps says whether batches need a transaction to be all or nothing:
// several do, one whose rows a trigger may skip (not on MySQL), and one after
// which rows are read again.
func (s *source) severalSteps(batches []batch, d *dialect.Dialect) bool {
	if len(batches) != 1 {
		return true
	}
	b := &batches[0]
	if d.InsertReturning {
		return b.records.n > 1
	}
	// They are read again, or their keys may not fit.
	return len(b.shape.back) > 0 && (!b.shape.onlyID || !s.plan.HoldsInt64(s.key[0]))
}

func indexed(i int, err error) error { return &RecordError{Index: i, Err: err} }

// homeOfAll is the one connection of all records.
func (m *core) homeOfAll(records list) (string, error) {
	if m.src == nil {
		return "", errNoSource
	}
	name := ""
	for i := range records.n {
		n, err := m.home(records.at(i))
		if err != nil {
			return "", indexed(i, err)
		}
		if i > 0 && n != name {
			return "", m.src.fail("record %d lives on shard %q, those before it on %q; create the records of each shard by themselves", i, n, name)
		}
		name = n
		if m.src.shard == nil || m.place().db != "" {
			break // all alike
		}
	}
	return name, nil
}

// atomic runs fn in a transaction if several statements need one.
func (m *core) atomic(ctx context.Context, name string, several bool, fn func(ctx context.Context) error) error {
	return m.src.atomic(ctx, m.place(), name, several, fn)
}

// atomic runs fn in a transaction if several statements need one.
func (s *source) atomic(ctx context.Context, at *place, name string, several bool, fn func(ctx context.Context) error) error {
	if !several {
		return fn(ctx)
	}
	inTx := func(ctx context.Context, _ *Tx) error { return fn(ctx) }
	if tx := at.tx; tx != nil {
		if inner := txOf(ctx, s.reg, name); inner != nil && inner.st == tx.st {
			tx = inner // a callback's savepoint is open in it
		}
		return tx.Transaction(ctx, inTx)
	}
	return s.reg.Transaction(ctx, name, inTx)
}
