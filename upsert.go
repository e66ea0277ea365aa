package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Conflict says what Upsert does when a record's key exists.
type Conflict struct {
	// Key are the columns of the unique constraint that decides. MySQL decides
	// by any unique key of the table, so a table with several should be upserted
	// by PostgreSQL or SQLite only.
	//
	// Defaults to the primary key.
	Key []string
	// Update are the columns that the existing row takes from the record, and
	// updated_at on a model with Timestamps.
	//
	// Defaults to all columns that the insert writes, but the key, the primary
	// key, created_at and the shard key.
	Update []string
	// DoNothing leaves the existing row as it is.
	DoNothing bool
}

// Upsert inserts a record or updates the row with the same key, in one
// statement. The record's primary key is then that of the row, new or old; its
// other fields are not read back. On an error the record is as it was before.
func (m *Model[T]) Upsert(ctx context.Context, record *T, conflict Conflict) error {
	return writeRecord(ctx, m, record, recordWrite{do: upsertRecord, conflict: conflict})
}

// UpsertMany upserts records, all of them or none. Two records with the same
// key are refused, on every database.
func (m *Model[T]) UpsertMany(ctx context.Context, records []T, conflict Conflict) error {
	return (*query)(m).upsertAll(ctx, &records, conflict)
}

//go:noinline
func (q *query) upsertAll(ctx context.Context, list any, conflict Conflict) error {
	return q.restoring(list, func(records rowmap.Records) error { return q.upsertMany(ctx, records, conflict) })
}

func (q *query) upsertMany(ctx context.Context, records rowmap.Records, conflict Conflict) error {
	if err := q.usable(); err != nil {
		return err
	}
	c := table.Conflict(conflict)
	t := q.src.table
	key, err := t.ConflictKey(&c)
	if err != nil {
		return err
	}
	return q.writeMany(ctx, records, false, func(ctx context.Context, home destination) error {
		if err := t.Distinct(records, key); err != nil {
			return err
		}
		e, err := q.src.reg.lookup(home.connection)
		if err != nil {
			return err
		}
		batches, err := q.batches(records, e.dialect)
		if err != nil {
			return err
		}
		defer giveBack(batches)
		return q.atomic(ctx, home.connection, records.N > 1, func(ctx context.Context) error {
			for i := range batches {
				if err := q.upsertBatch(ctx, home, &batches[i], key, &c); err != nil {
					return err
				}
			}
			for i := range records.N {
				t.Settle(records.At(i))
			}
			return nil
		})
	})
}

// upsertBatch upserts records of one plan: by one statement, or by one for each
// record where only that tells the primary key of its row.
func (q *query) upsertBatch(ctx context.Context, home destination, b *batch, key []int, c *table.Conflict) error {
	t := q.src.table
	in, back := t.UpsertInsert(b.plan, b.records.N, key, c)
	v := upsertion{recording: recording{writing{trip{q: q}}, home}, in: in, records: b.records, args: b.args, key: key, back: back}
	e, err := q.src.reg.lookup(home.connection)
	if err != nil {
		return err
	}
	if len(back) == 0 || e.dialect.UpsertConflict && in.Conflict == sqlgen.Replace {
		_, err := v.run(ctx, &v)
		return err
	}
	n := len(in.Columns)
	for i := range b.records.N {
		one := v
		one.in.Rows, one.records, one.args, one.alone = 1, rowmap.One(b.records.At(i)), b.args[i*n:(i+1)*n], true
		if _, err := one.run(ctx, &one); err != nil {
			return err
		}
	}
	return nil
}

// upsertion is the verb that upserts records by one statement.
type upsertion struct {
	recording
	in        sqlgen.Insert
	records   rowmap.Records
	args      []any
	key, back []int // the conflict's key; the fields of the primary key that it does not tell
	alone     bool  // there is one record, whose row may be an old one that is not returned
	fault     error
}

func (v *upsertion) render(p *place, s *statement) (err error) {
	s.op, s.write, s.args = "upsert", true, v.args
	t, d := v.q.src.table, p.e.dialect
	switch {
	case len(v.back) == 0:
	case d.UpsertConflict:
		v.in.Returning = t.ColumnsOf(v.back)
	case t.Auto():
		v.in.KeepID = t.Column(t.Key()[0])
	}
	s.text, err = sqlgen.InsertText(&v.in, d)
	return err
}

func (v *upsertion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if v.in.Returning != nil {
		return p.rows(ctx, s, v)
	}
	return execution{}.exchange(ctx, p, s)
}

func (v *upsertion) read(rows driver.Rows) (int64, error) {
	n, fault, err := readBack(v.q.src.table, rows, v.back, v.records)
	v.fault = fault
	return n, err
}

func (v *upsertion) finish(ctx context.Context, p *place, res driver.Result) error {
	t := v.q.src.table
	switch {
	case v.fault != nil:
		return written(p, nil, v.fault)
	case v.in.Conflict == sqlgen.Replace && p.e.dialect.UpsertConflict && res.RowsAffected != int64(v.records.N):
		return written(p, nil, otherRows(t, res.RowsAffected, v.records.N))
	case len(v.back) == 0:
		return nil
	case v.in.Returning != nil && res.RowsAffected == int64(v.records.N):
		return nil
	case !v.alone:
		return written(p, nil, otherRows(t, res.RowsAffected, v.records.N))
	case v.in.KeepID == "":
		return v.findKey(ctx, p)
	case res.LastInsertID == 0: // a new row with an id of the program's
		return nil
	}
	return t.Plan.SetInt(t.Key()[0], v.records.At(0), res.LastInsertID)
}

// findKey reads the primary key of the row that an upsert found.
func (v *upsertion) findKey(ctx context.Context, p *place) error {
	t, record := v.q.src.table, v.records.At(0)
	q := sqlgen.From(t.Name).OnlyColumns(columnsOf(t, v.back)...)
	for _, i := range v.key {
		q = q.WithCond(sqlgen.Compare(t.Column(i), sqlgen.Eq, t.Plan.Value(i, record)))
	}
	if p.tx != nil && p.e.dialect.RowLocks {
		q = q.WithLock(sqlgen.ForShare) // the row may be younger than the transaction's snapshot
	}
	n := int64(0)
	err := v.q.made(ctx, p, &q, true, func(rows driver.Rows) (_ int64, err error) {
		var fault error
		if n, fault, err = readBack(t, rows, v.back, v.records); err == nil {
			err = fault
		}
		return n, err
	})
	if err == nil && n != 1 {
		err = ErrNotFound // deleted by another in between
	}
	return err
}
