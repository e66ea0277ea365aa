package dbfleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// A statement of a bulk insert holds at most maxBatchRows rows and about
// maxBatchBytes of values: MariaDB's max_allowed_packet is 16 MiB.
const (
	maxBatchRows  = 1000
	maxBatchBytes = 4 << 20
)

// batch is one statement of a bulk insert.
type batch[T any] struct {
	records []*T
	first   int // index of the first record
	shape   shape
	args    []any
}

// batches splits records where their shape changes or a limit is reached.
// rows bounds the rows of a batch further; 0 does not.
func (m *Model[T]) batches(records []T, d *dialect.Dialect, rows int) ([]batch[T], error) {
	var out []batch[T]
	limit, size := 0, 0
	for i := range records {
		r := &records[i]
		sh := m.src.shapeOf(r)
		if len(out) == 0 || out[len(out)-1].shape.mask != sh.mask || len(out[len(out)-1].records) >= limit || size >= maxBatchBytes {
			limit = batchRows(d, len(sh.write), rows)
			size = 0
			out = append(out, batch[T]{first: i, shape: sh})
		}
		b := &out[len(out)-1]
		if b.args == nil {
			n := min(limit, len(records)-i)
			b.args = make([]any, 0, n*len(sh.write))
			b.records = make([]*T, 0, n)
		}
		b.records = append(b.records, r)
		before := len(b.args)
		var err error
		if b.args, err = m.src.plan.AppendArgs(b.args, sh.write, r, d); err != nil {
			return nil, indexed(i, err)
		}
		for _, a := range b.args[before:] {
			switch a := a.(type) {
			case string:
				size += len(a)
			case []byte:
				size += len(a)
			default:
				size += 8
			}
		}
	}
	return out, nil
}

func batchRows(d *dialect.Dialect, columns, bound int) int {
	n := maxBatchRows
	if bound > 0 {
		n = bound
	}
	if columns == 0 {
		return 1 // DEFAULT VALUES makes one row
	}
	if d.MaxParams > 0 {
		n = min(n, max(1, d.MaxParams/columns))
	}
	return n
}

func (m *Model[T]) insertBatch(ctx context.Context, t *target, b *batch[T]) error {
	s := m.src
	in := sqlgen.Insert{Table: s.table, Columns: s.names(b.shape.write), Rows: len(b.records)}
	if len(b.shape.back) > 0 && t.e.dialect.InsertReturning {
		in.Returning = s.names(b.shape.back)
		return m.insertReturning(ctx, t, &in, b.args, b.records, b.shape.back)
	}
	text, err := sqlgen.InsertText(&in, t.e.dialect)
	if err != nil {
		return err
	}
	res, err := t.exec(ctx, "insert", text, b.args)
	if err != nil || len(b.shape.back) == 0 {
		return err
	}
	if s.auto && slices.Contains(b.shape.back, s.key[0]) {
		if res.RowsAffected != int64(len(b.records)) {
			return errMixed
		}
		for i, r := range b.records {
			if err := s.plan.Set(s.key[0], r, res.LastInsertID+int64(i)*max(res.IDStep, 1)); err != nil {
				return err
			}
		}
		if len(b.shape.back) == 1 {
			return nil
		}
	}
	for _, r := range b.records {
		if err := m.reload(ctx, t, r, b.shape.back); err != nil {
			return err
		}
	}
	return nil
}

// Conflict says what Upsert does when a record's key exists.
type Conflict struct {
	// Key are the columns of the unique constraint that decides. MySQL decides
	// by any unique key of the table, so a table with several should be upserted
	// by PostgreSQL or SQLite only.
	//
	// Defaults to the primary key.
	Key []string
	// Update are the columns that the existing row takes from the record.
	//
	// Defaults to all columns that the insert writes, but the key, the primary
	// key, created_at and the shard key.
	Update []string
	// DoNothing leaves the existing row as it is.
	DoNothing bool
}

// Upsert inserts a record or updates the row with the same key, in one
// statement. The record's id is that of the row, new or old; its other fields
// are not read back.
func (m Model[T]) Upsert(ctx context.Context, record *T, conflict Conflict) error {
	if record == nil {
		return m.src.fail("the record is a nil pointer")
	}
	one := []T{*record}
	err := m.UpsertMany(ctx, one, conflict)
	if err == nil {
		*record = one[0]
	}
	return err
}

// UpsertMany upserts records, all of them or none. Two records with the same
// key are refused, on every database.
func (m Model[T]) UpsertMany(ctx context.Context, records []T, conflict Conflict) error {
	name, err := m.homeOfAll(records)
	if err != nil || len(records) == 0 {
		return err
	}
	key, err := m.conflictKey(records, conflict)
	if err != nil {
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
		rows := 0
		if m.src.auto && m.wantsIDs(records) && (!e.dialect.UpsertConflict || conflict.DoNothing) {
			rows = 1 // a statement for each id that must be known
		}
		batches, err := m.batches(records, e.dialect, rows)
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
				if err := m.upsertBatch(ctx, &t, &batches[i], key, conflict); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (m *Model[T]) wantsIDs(records []T) bool {
	return slices.ContainsFunc(records, func(r T) bool { return m.src.plan.IsZero(m.src.key[0], &r) })
}

// conflictKey checks the key's columns and that no two records share a key.
func (m *Model[T]) conflictKey(records []T, conflict Conflict) ([]int, error) {
	s := m.src
	var key []int
	for _, name := range conflict.Key {
		i, err := s.columnIndex(name)
		if err != nil {
			return nil, err
		}
		key = append(key, i)
	}
	if len(key) == 0 {
		key = s.key
	}
	for _, name := range conflict.Update {
		if _, err := s.columnIndex(name); err != nil {
			return nil, err
		}
		if err := s.settable(name); err != nil {
			return nil, err
		}
	}
	seen := make(map[string]int, len(records))
	for i := range records {
		k := ""
		for _, f := range key {
			v, ok := s.plan.FieldKey(f, &records[i])
			if !ok {
				k = ""
				break // NULLs conflict with nothing
			}
			k += fmt.Sprintf("%T:%v\x00", v, v)
		}
		if k == "" || s.auto && len(key) == 1 && key[0] == s.key[0] && s.plan.IsZero(key[0], &records[i]) {
			continue
		}
		if before, ok := seen[k]; ok {
			return nil, s.fail("records %d and %d have the same key", before, i)
		}
		seen[k] = i
	}
	return key, nil
}

func (m *Model[T]) upsertBatch(ctx context.Context, t *target, b *batch[T], key []int, conflict Conflict) error {
	s, d := m.src, t.e.dialect
	in := sqlgen.Insert{
		Table: s.table, Columns: s.names(b.shape.write), Rows: len(b.records),
		Conflict: sqlgen.Replace, Keys: s.names(key), Sets: conflict.Update,
	}
	if in.Sets == nil {
		in.Sets = s.names(slices.DeleteFunc(slices.Clone(b.shape.write), func(i int) bool {
			return slices.Contains(key, i) || slices.Contains(s.key, i) || i == s.created || s.shard != nil && s.plan.Field(i).Column == s.shard.column()
		}))
	}
	if conflict.DoNothing || len(in.Sets) == 0 {
		in.Conflict, in.Sets = sqlgen.Ignore, nil
	}
	wantID := s.auto && slices.Contains(b.shape.back, s.key[0])
	idColumn := ""
	if wantID {
		idColumn = s.plan.Field(s.key[0]).Column
	}
	switch {
	case wantID && d.UpsertConflict:
		in.Returning = []string{idColumn}
	case wantID:
		in.KeepID = idColumn
	}
	if in.Returning == nil {
		text, err := sqlgen.InsertText(&in, d)
		if err != nil {
			return err
		}
		res, err := t.exec(ctx, "upsert", text, b.args)
		if err == nil && wantID {
			err = s.plan.Set(s.key[0], b.records[0], res.LastInsertID)
		}
		return err
	}
	if in.Conflict != sqlgen.Ignore {
		return m.insertReturning(ctx, t, &in, b.args, b.records, s.key)
	}
	return m.insertOrFind(ctx, t, &in, b, key)
}

// insertOrFind inserts one record, or finds the id of the row that is there.
func (m *Model[T]) insertOrFind(ctx context.Context, t *target, in *sqlgen.Insert, b *batch[T], key []int) error {
	text, err := sqlgen.InsertText(in, t.e.dialect)
	if err != nil {
		return err
	}
	record := b.records[0]
	var made []T
	err = t.query(ctx, "upsert", text, b.args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadAll[T](m.src.plan, rows, 1)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) == 1 {
		return m.copyFields(record, &made[0], m.src.key)
	}
	q := sqlgen.From(m.src.table).OnlyColumns(sqlgen.Column{Name: in.Returning[0]})
	for _, i := range key {
		q = q.WithCond(sqlgen.Compare(m.src.plan.Field(i).Column, sqlgen.Eq, m.src.plan.Value(i, record)))
	}
	text, args, err := sqlgen.Select(&q, m.src.env(t))
	if err != nil {
		return err
	}
	err = t.query(ctx, "select", text, args, false, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadAll[T](m.src.plan, rows, 1)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) != 1 {
		return ErrNotFound // deleted by another in between
	}
	return m.copyFields(record, &made[0], m.src.key)
}
