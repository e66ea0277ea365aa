package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Create inserts a record and fills in what the database made: the id of an
// integer key that was zero, and the columns of Generated and Defaults.
// Timestamps are set; a created_at that is not zero is kept. The record's times
// become what was stored, the same instants in UTC and to the microsecond (see
// TimePrecision), so that the record equals the one that Find returns. A zero
// time.Time is written as NULL. On an error the record is as it was before, and its
// columns are when the transaction is undone; see Registry.Transaction.
//
// The key in the record is that of its row, whoever made it: the database's
// counter, a default, a trigger that changes even one that was given. A server
// without INSERT … RETURNING, which is Oracle's MySQL, tells only what it counts by
// itself; there the schema is asked before each insert, and another key is refused.
// If the row is there and its key could not be told, or a trigger put the row
// elsewhere, the error is ErrWritten. A trigger of PostgreSQL that changes the key
// after the insert is not noticed.
func (m *Model[T]) Create(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: createRecord})
}

// CreateFrom fills a new record and creates it.
func (m *Model[T]) CreateFrom(ctx context.Context, values map[string]any) (T, error) {
	var record T
	err := (*query)(m).createFrom(ctx, &record, values)
	return record, err
}

func (q *query) createFrom(ctx context.Context, record any, values map[string]any) error {
	if err := q.fill(record, values); err != nil {
		return err
	}
	filled := q.src.table.Plan.Clone(record)
	done := recordWrite{do: createRecord}.run(ctx, q, record) // the caller gets a copy of the record
	if done.undo {
		q.src.table.Plan.Copy(record, filled)
	}
	return told(done.err)
}

// recording is what the verbs that write records have in common.
type recording struct {
	writing
	home destination // decided before the callbacks
	at   time.Time   // of the database's clock, zero is the program's
}

func (v *recording) to() (destination, error) { return v.home, nil }

// homeOf is where a record lives.
func (q *query) homeOf(record any) (destination, error) {
	if err := q.usable(); err != nil {
		return destination{}, err
	}
	return q.src.destinationOf(q.wish(), record)
}

// stillAt refuses a record whose shard was changed by a callback.
func (q *query) stillAt(home destination, record any) error {
	if q.src.shard == nil || len(q.src.callbacks.creating.before) == 0 {
		return nil
	}
	now, err := q.homeOf(record)
	if err == nil && now.connection != home.connection {
		err = q.src.table.Fail("BeforeCreate moved the record from %q to %q by its shard key", home.connection, now.connection)
	}
	return err
}

func (q *query) create(ctx context.Context, record any) (in *Tx, err error) {
	home, err := q.homeOf(record)
	if err != nil {
		return nil, err
	}
	if q, err = q.inSchema(ctx); err != nil {
		return nil, err
	}
	v := &insertion{recording: recording{writing: writing{trip{q: q}}, home: home}, records: rowmap.One(record), record: record}
	if err := q.ownRecords(ctx, v.records); err != nil {
		return nil, err
	}
	write := func(ctx context.Context) error {
		if err := q.stillAt(home, record); err != nil {
			return err
		}
		if err := q.ownRecords(ctx, v.records); err != nil {
			return err
		}
		if v.at, err = q.clock(ctx, home); err != nil {
			return err
		}
		_, err := v.run(ctx, v)
		return err
	}
	if q.src.callbacks.none() {
		err = write(ctx)
	} else {
		err = q.around(ctx, home.connection, q.src.callbacks.creating, v.records, write)
	}
	return v.place.within, err
}

// insertion is the verb that inserts records of one plan by one statement.
type insertion struct {
	recording
	records   rowmap.Records
	record    any // the only one of them, which is not stamped yet; nil for a batch
	plan      *table.InsertPlan
	args      []any // of a batch
	settled   bool  // the records' times are what was stored
	returning bool  // the rows that came back told what the database made
	doubt     bool  // a trigger may have changed that since
	fault     error // what the database made does not fit a record
}

func (v *insertion) render(p *place, s *statement) (err error) {
	d := p.e.dialect
	s.op, s.write = "insert", true
	if v.record == nil {
		return v.renderBatch(p, s)
	}
	t := v.q.src.table
	if err := t.Stamp(v.record, true, v.at); err != nil {
		return err
	}
	v.plan = t.InsertPlan(v.record)
	if s.text, err = v.plan.OneText(d, v.plan.Returns(d) && !v.plan.AsksDriver(d)); err != nil {
		return err
	}
	s.args, v.settled, err = v.plan.Args.Args(v.record, d)
	return err
}

func (v *insertion) renderBatch(p *place, s *statement) (err error) {
	d := p.e.dialect
	s.args = v.args
	if s.text, err = v.plan.ManyText(d, v.records.N, v.plan.Returns(d)); err != nil {
		return err
	}
	if v.records.N > 1 && d.Numbered {
		s.oneRow, err = v.plan.OneText(d, true)
	}
	return err
}

func (v *insertion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if !v.plan.Returns(p.e.dialect) {
		return execution{}.exchange(ctx, p, s)
	}
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	switch {
	case !c.Returns():
		return v.withoutReturning(ctx, p, c, s)
	case v.records.N == 1 && v.plan.AsksDriver(p.e.dialect):
		if res, told, err := v.told(ctx, p, c, s); told || err != nil {
			return res, err
		}
		if s.text, err = v.plan.OneText(p.e.dialect, true); err != nil {
			return unknownRows, err
		}
	}
	v.returning = true
	res, doubt, err := p.returned(ctx, c, s, v)
	v.doubt = doubt
	return res, err
}

// returned runs an INSERT with RETURNING. doubt says that triggers have changed rows
// too, perhaps these, which SQLite returns as they were before.
func (p *place) returned(ctx context.Context, c *driver.Conn, s *statement, r reader) (res driver.Result, doubt bool, err error) {
	before := c.Changes()
	if res, err = p.rows(ctx, c, s, r); err != nil {
		return unknownRows, false, err
	}
	return res, before < 0 || c.Changes()-before > res.RowsAffected, nil
}

// withoutReturning inserts where the server knows no RETURNING.
func (v *insertion) withoutReturning(ctx context.Context, p *place, c *driver.Conn, s *statement) (driver.Result, error) {
	if v.plan.MakesKey() {
		res, told, err := v.told(ctx, p, c, s)
		if err == nil && !told {
			err = v.plan.NeedsReturning()
		}
		return res, err
	}
	if err := v.plan.NeedsReturning(); err != nil {
		return unknownRows, err
	}
	text, err := v.plan.ManyText(p.e.dialect, v.records.N, false)
	if err != nil {
		return unknownRows, err
	}
	s.text = text
	return c.Exec(ctx, s.text, s.args)
}

// told inserts if the driver tells the key for certain.
func (v *insertion) told(ctx context.Context, p *place, c *driver.Conn, s *statement) (driver.Result, bool, error) {
	in, err := v.plan.Told(p.e.dialect, v.records.N)
	if err != nil {
		return unknownRows, false, err
	}
	s.text = in.Text
	res, told, err := c.InsertTold(ctx, (*driver.ToldInsert)(in), s.args)
	if err != nil {
		return v.untold(told, err)
	}
	return res, told, nil
}

// untold takes an error that says that the row is there for what is wrong with it.
func (v *insertion) untold(told bool, err error) (driver.Result, bool, error) {
	var untold *driver.UntoldError
	if !errors.As(err, &untold) {
		return unknownRows, told, err
	}
	v.fault = v.q.src.table.Fail("%s", untold)
	return driver.Result{RowsAffected: int64(v.records.N)}, true, nil
}

// read takes what came back. The rows belong to the records in their
// order.
func (v *insertion) read(rows driver.Rows) (int64, error) {
	n, fault, err := readBack(v.q.src.table, rows, v.plan.Returned(v.place.e.dialect), v.records)
	v.fault = fault
	return n, err
}

// readBack reads rows into fields of records. fault is a value that does not fit:
// the statement itself has succeeded.
func readBack(t *table.Table, rows driver.Rows, fields []int, records rowmap.Records) (n int64, fault, err error) {
	n, err = t.Plan.ReadInto(rows, fields, records.N, records.At)
	var column *rowmap.ColumnError
	if errors.As(err, &column) {
		return int64(records.N), err, nil
	}
	return n, nil, err
}

func (v *insertion) finish(ctx context.Context, p *place, res driver.Result) error {
	t := v.q.src.table
	if v.fault != nil {
		return written(p, v.record, v.fault)
	}
	if res.RowsAffected != int64(v.records.N) {
		return written(p, nil, otherRows(t, res.RowsAffected, v.records.N))
	}
	if !v.returning {
		if err := v.tellKeys(ctx, p, res); err != nil {
			return written(p, v.record, err)
		}
	}
	if v.doubt || res.Elsewhere {
		if err := v.q.there(ctx, p, v.records); err != nil {
			return written(p, nil, err)
		}
	}
	if v.plan.MakesKey() {
		for i := range v.records.N {
			if t.Unsaved(v.records.At(i)) {
				return written(p, v.record, t.Fail("the key %q that the database made is 0, by which a record is new", t.Column(t.Key()[0])))
			}
		}
	}
	if !v.settled {
		for i := range v.records.N {
			t.Settle(v.records.At(i))
		}
	}
	for i := range v.records.N {
		t.RememberAll(v.records.At(i))
	}
	return nil
}

// tellKeys fills in the keys as the driver tells them, and reads the rest that the
// database made.
func (v *insertion) tellKeys(ctx context.Context, p *place, res driver.Result) error {
	t := v.q.src.table
	if v.plan.MakesKey() {
		for i := range v.records.N {
			key := res.LastInsertID + int64(i)*max(res.IDStep, 1)
			if err := t.Plan.SetInt(t.Key()[0], v.records.At(i), key); err != nil {
				return err
			}
		}
	}
	switch {
	case len(v.plan.Back) == 0 || v.plan.OnlyKey:
		return nil
	case v.records.N > 1 && len(t.Key()) == 1:
		return v.q.reloadAll(ctx, p, v.records, v.plan.Back)
	}
	for i := range v.records.N {
		if err := v.q.reload(ctx, p, v.records.At(i), v.plan.Back); err != nil {
			return err
		}
	}
	return nil
}

// otherRows tells of a trigger or rule that left records out or put them
// elsewhere, so that which of them are there is not known.
func otherRows(t *table.Table, rows int64, records int) error {
	return t.Fail("%d rows were inserted for %d records; a trigger or rule changed them", rows, records)
}

// made asks for what the database made of records, at the place that has just
// written them.
func (q *query) made(ctx context.Context, p *place, made *sqlgen.Query, write bool, read readerFunc) error {
	return q.madeIn(ctx, p, made, q.env(p), write, read)
}

// reload reads fields of a record that the database made, where INSERT cannot
// return them.
func (q *query) reload(ctx context.Context, p *place, record any, fields []int) error {
	t := q.src.table
	made, err := t.ByIdentity(record)
	if err != nil {
		return err
	}
	made = made.OnlyColumns(columnsOf(t, fields)...)
	n := int64(0)
	err = q.made(ctx, p, &made, false, func(rows driver.Rows) (_ int64, err error) {
		var fault error
		if n, fault, err = readBack(t, rows, fields, rowmap.One(record)); err == nil {
			err = fault
		}
		return n, err
	})
	if err == nil && n == 0 {
		err = q.notFound(t.KeyNames())
	}
	return err
}

func columnsOf(t *table.Table, fields []int) []sqlgen.Column {
	cols := make([]sqlgen.Column, len(fields))
	for i, f := range fields {
		cols[i] = sqlgen.Column{Name: t.Column(f)}
	}
	return cols
}

// reloadAll is reload for several records with a key of one column, in one
// statement.
func (q *query) reloadAll(ctx context.Context, p *place, records rowmap.Records, fields []int) error {
	t := q.src.table
	key := t.Key()[0]
	keys := make([]any, records.N)
	byKey := make(map[any]any, records.N)
	for i := range records.N {
		r := records.At(i)
		keys[i] = t.Plan.Value(key, r)
		if k, ok := t.Plan.FieldKey(key, r); ok {
			byKey[k] = r
		}
	}
	columns := []int{key}
	for _, f := range fields {
		if f != key {
			columns = append(columns, f)
		}
	}
	made := sqlgen.From(t.Name).WithCond(sqlgen.Compare(t.Column(key), sqlgen.In, keys)).OnlyColumns(columnsOf(t, columns)...)
	n := int64(0)
	err := q.made(ctx, p, &made, false, func(rows driver.Rows) (_ int64, err error) {
		n, err = t.Plan.ReadMatched(rows, fields, key, func(k any) any { return byKey[k] })
		return n, err
	})
	if err == nil && n != int64(len(byKey)) {
		err = otherRows(t, n, records.N)
	}
	return err
}
