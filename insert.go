package dbfleet

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Rows that are given as column to value, without a record.

// Result tells what an insert into a table did.
type Result struct {
	// LastInsertID is the integer key of the row: on PostgreSQL the model's
	// primary key, or the column "id" of a table without a model; on MySQL the
	// auto-increment column's, on SQLite the rowid. It is 0 where the row has none,
	// or one that no int64 holds, and never that of another insert. Of several rows
	// it is 0: InsertReturning tells their keys.
	LastInsertID int64
	RowsAffected int64
}

// Insert inserts rows given as column to value (a Row or a map[string]any), all of them or
// none. All have the same columns, else the error is a *RecordError that names one which
// a row has or lacks: no NULL is made up. A column that is not named has its default; a row without columns is
// one of defaults. A value may be SQL (Raw, Expr), an expression, or a query for one value;
// InsertFrom inserts the rows of a query. On a model
// the columns and values are checked, and with Timestamps created_at and updated_at are
// set unless the row has them.
//
// Up to 1000 rows are one statement; several statements share a transaction (a savepoint
// inside one). No rows are no statement. On a sharded model all rows must live on one
// shard. A query with conditions is refused.
func (q *Query[T]) Insert(ctx context.Context, rows ...Row) (Result, error) {
	return (*query)(q).insert(ctx, rows)
}

// Upsert inserts a row given as column to value, or updates the one with the same key,
// as conflict says; by default that of the primary key, which is "id" without a model,
// and all columns but created_at and the shard key. The key's columns must be in the
// row, and under a unique constraint. In one statement, so it does not race. MySQL
// decides by any unique key of the table.
//
//	err := users.Query().Upsert(ctx, dbfleet.Row{"email": "a@b.c", "name": "Ada"}, dbfleet.Conflict{Key: []string{"email"}})
func (q *Query[T]) Upsert(ctx context.Context, row map[string]any, conflict ...Conflict) error {
	return (*query)(q).upsertRow(ctx, row, conflict)
}

func (q *query) insert(ctx context.Context, rows []Row) (Result, error) {
	res, err := q.insertRows(ctx, rows, nil)
	return res, told(err)
}

func (q *query) upsertRow(ctx context.Context, row map[string]any, conflict []Conflict) error {
	c, err := q.conflict(conflict)
	if err != nil {
		return told(err)
	}
	_, err = q.insertRows(ctx, []Row{row}, &c)
	return told(err)
}

// insertRows inserts rows, or with a conflict upserts them.
func (q *query) insertRows(ctx context.Context, rows []Row, conflict *Conflict) (Result, error) {
	if conflict != nil && q.usable() == nil {
		rows = []Row{q.src.table.UnmarkedRow(rows[0])}
	}
	list, err := q.inserts(ctx, rows)
	if err != nil || len(rows) == 0 {
		return Result{}, err
	}
	if conflict != nil {
		c := table.Conflict(*conflict)
		if err := q.src.table.UpsertRow(&list.in, &c); err != nil {
			return Result{}, err
		}
	}
	var all Result
	err = list.each(ctx, func(ctx context.Context, part *inserts) error {
		v := &rowInsert{recording: recording{writing: writing{trip{q: q}}, home: part.home}, part: part}
		_, err := v.run(ctx, v)
		if err = q.theirRow(part.in.Owner, err); len(part.rows) == len(rows) { // else a transaction undoes them
			err = partly(err)
		}
		all.RowsAffected += v.result.RowsAffected
		all.LastInsertID = v.result.LastInsertID
		return err
	})
	switch {
	case err != nil:
		return Result{}, err
	case len(rows) > 1:
		all.LastInsertID = 0
	}
	return all, nil
}

// inserts are rows of the same columns on their way into one table.
type inserts struct {
	q    *query
	home destination
	d    *dialect.Dialect
	in   sqlgen.Insert
	rows [][]any // row by row the values of in's columns
}

// inserts checks rows and makes arguments of their values.
func (q *query) inserts(ctx context.Context, rows []Row) (*inserts, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	t := q.src.table
	if q.q.HasConditions() {
		return nil, t.Fail("an insert has no conditions; the query's would be lost")
	}
	if len(rows) == 0 {
		return nil, nil
	}
	list := &inserts{q: q}
	at, err := q.clockOfRow(ctx, rows[0])
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row == nil {
			return nil, t.Fail("the row at index %d is nil", i)
		}
		row := t.StampRow(row, at)
		err := list.add(ctx, i, row)
		if err != nil && len(rows) > 1 {
			err = recordError(i, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// add adds row i.
func (list *inserts) add(ctx context.Context, i int, row map[string]any) error {
	t := list.q.src.table
	home, err := list.q.homeOfRow(row)
	if err != nil {
		return err
	}
	if row, err = list.q.ownRow(ctx, home.connection, row); err != nil {
		return err
	}
	if i == 0 {
		e, err := list.q.entryAt(ctx, home.connection)
		if err != nil {
			return err
		}
		list.home, list.d = home, e.dialect
		list.in = sqlgen.Insert{Table: t.Name, Columns: slices.Sorted(maps.Keys(row))}
		if owned := list.q.ownedOn(home.connection); owned != nil {
			list.in.Owner = owned.column
			if owned.schemas && ctx != nil {
				list.in.Table = owned.in(txsOf(ctx).wants().tenant).Name // which the driver asks about, too
			}
		}
		for _, c := range list.in.Columns {
			if err := t.Insertable(c); err != nil {
				return err
			}
		}
		list.in.Columns = append(list.in.Columns, t.BlindColumns(list.in.Columns)...)
	}
	row = t.BlindRow(row)
	if home.connection != list.home.connection {
		return t.Fail("the row lives on shard %q, those before it on %q; insert the rows of each shard by themselves", home.connection, list.home.connection)
	}
	for _, c := range list.in.Columns {
		if _, ok := row[c]; !ok {
			return t.Fail("the row lacks the column %q, which the first row has", c)
		}
		if err := t.CheckInserted(c, row[c]); err != nil {
			return err
		}
	}
	if len(row) > len(list.in.Columns) {
		for _, c := range slices.Sorted(maps.Keys(row)) {
			if !slices.Contains(list.in.Columns, c) {
				return t.Fail("the row has the column %q, which the first row lacks", c)
			}
		}
	}
	ready := make(map[string]any, len(row))
	for c, v := range row {
		ready[c] = operand(v)
	}
	args, err := t.RowArgs(list.in.Columns, ready, list.d)
	if err == nil {
		list.rows = append(list.rows, args)
		list.in.Rows++
	}
	return err
}

// homeOfRow routes by the row's own shard key.
func (q *query) homeOfRow(row map[string]any) (destination, error) {
	var key any
	if q.src.shard != nil {
		key = row[q.src.shard.column()]
	}
	to, err := q.src.destination(q.wish(), key, false)
	if err == nil && key != nil && !q.wish().placed() {
		to.reason = "the shard of the row"
	}
	return to, err
}

// clockOfRow is clock for rows that live where this one does.
func (q *query) clockOfRow(ctx context.Context, row map[string]any) (time.Time, error) {
	if !q.src.table.DatabaseClock() {
		return time.Time{}, nil
	}
	home, err := q.homeOfRow(row)
	if err != nil {
		return time.Time{}, err
	}
	return q.clock(ctx, home)
}

// each calls f with the rows of each statement, in a transaction if they are several.
func (list *inserts) each(ctx context.Context, f func(ctx context.Context, part *inserts) error) error {
	most := batchRows(list.d, len(list.in.Columns))
	var parts []*inserts
	first, args, size := 0, 0, 0
	end := func(i int) {
		part := *list
		part.rows, part.in.Rows = list.rows[first:i], i-first
		parts = append(parts, &part)
		first, args, size = i, 0, 0
	}
	for i, row := range list.rows {
		more, bytes := argCount(row), argBytes(row)
		if i > first && (i-first >= most || list.d.MaxParams > 0 && args+more > list.d.MaxParams || size+bytes > maxBatchBytes) {
			end(i)
		}
		args, size = args+more, size+bytes
	}
	end(len(list.rows))
	return list.q.atomic(ctx, list.home.connection, len(parts) > 1, func(ctx context.Context) error {
		for _, part := range parts {
			if err := f(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// argCount is how many arguments values are, those of queries among them apart.
func argCount(row []any) int {
	n := 0
	for _, v := range row {
		if e, ok := v.(*sqlgen.Expr); ok {
			n += argCount(e.Args)
			continue
		}
		n++
	}
	return n
}

// rowInsert is the verb that inserts or upserts rows by one statement.
type rowInsert struct {
	recording
	part   *inserts
	result Result
	id     string // the column that PostgreSQL returns as the key
	tries  int    // how often it was sent before, and found its row deleted by others
}

func (v *rowInsert) render(p *place, s *statement) (err error) {
	s.op, s.write = "insert", true
	t, q := v.q.src.table, v.q.q
	if p.e.dialect.Numbered && v.part.in.Keys == nil && v.part.in.Rows == 1 {
		// PostgreSQL is asked for the generated key: the model's, or the column "id"
		// of whatever the table has, whose columns are not known.
		v.id = "id"
		columns := []sqlgen.Column{{Name: "*"}}
		if t.HasModel() {
			v.id = t.Column(t.Key()[0])
			columns = []sqlgen.Column{{Name: v.id}}
		}
		q = q.OnlyColumns(columns...).Returning()
	}
	s.text, s.args, err = sqlgen.InsertRows(&q, &v.part.in, v.part.rows, v.q.env(p))
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
	res, _, err := c.InsertTold(ctx, &driver.ToldInsert{Text: s.text, Table: v.part.in.Table}, s.args)
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
func (v *rowInsert) finish(ctx context.Context, p *place, res driver.Result) error {
	if in := &v.part.in; in.Owner != "" && in.Conflict != sqlgen.Fail && p.e.dialect.UpsertConflict && res.RowsAffected == 0 {
		return v.passedBy(ctx, p)
	}
	if v.part.in.Conflict == sqlgen.Replace && p.e.dialect.UpsertConflict && !leavesRows(&v.part.in, p.e.dialect) && res.RowsAffected != 1 {
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
