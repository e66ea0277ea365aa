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
type batch struct {
	records list
	shape   *shape
	args    []any
	list    *argList // what args lie in
}

// giveBack gives the lists of batches back.
func giveBack(batches []batch) {
	for i := range batches {
		batches[i].list.list = batches[i].args
		batches[i].list.give()
	}
}

// batches splits records where their shape changes or a limit is reached.
func (s *source) batches(records list, d *dialect.Dialect) ([]batch, error) {
	var (
		out         []batch
		row         rowmap.Batch
		sh          *shape
		args        []any
		list        *argList
		first       int // record of the batch at hand
		limit, size int
	)
	end := func(i int) {
		if i > first {
			out = append(out, batch{records: records.part(first, i-first), shape: sh, args: args, list: list})
		}
		first, size, args = i, 0, nil
	}
	for i := range records.n {
		r := records.at(i)
		if is := s.shapeOf(r); is != sh {
			end(i)
			sh, limit = is, batchRows(d, len(is.write))
			row = sh.args.Batch(d, records.n-i)
		} else if i-first >= limit {
			end(i)
		}
		if args == nil {
			list = takeArgs()
			args = slices.Grow(list.list, min(limit, records.n-i)*len(sh.write))
		}
		before := len(args)
		var err error
		if args, err = row.AppendArgs(args, r); err != nil {
			return nil, indexed(i, err)
		}
		added := argBytes(args[before:])
		if size > 0 && size+added > maxBatchBytes { // it begins the next one
			next := takeArgs()
			last := append(next.list, args[before:]...)
			clear(args[before:])
			args = args[:before]
			end(i)
			args, list = last, next
		}
		size += added
	}
	end(records.n)
	return out, nil
}

// argBytes is about what arguments take in a statement.
func argBytes(args []any) int {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		default:
			n += 8
		}
	}
	return n
}

func batchRows(d *dialect.Dialect, columns int) int {
	n := maxBatchRows
	if columns == 0 {
		return 1 // DEFAULT VALUES makes one row
	}
	if d.MaxParams > 0 {
		n = min(n, max(1, d.MaxParams/columns))
	}
	return n
}

func (s *source) insertBatch(ctx context.Context, t *target, b *batch) error {
	returning := len(b.shape.back) > 0 && t.e.dialect.InsertReturning
	text, err := s.insertText(b.shape, t.e.dialect, b.records.n, returning)
	if err != nil {
		return err
	}
	if returning {
		if b.records.n > 1 && b.shape.returns(t.e.dialect) {
			if t.one, err = s.insertOneText(b.shape, t.e.dialect); err != nil {
				return err
			}
			defer func() { t.one = "" }()
		}
		return s.insertReturning(ctx, t, "insert", text, b.args, b.records, b.shape.back)
	}
	if err := s.tellsKey(b.shape, t.e.dialect); err != nil {
		return err
	}
	res, err := t.exec(ctx, "insert", text, b.args)
	if err != nil {
		return err
	}
	if res.RowsAffected != int64(b.records.n) {
		return s.otherRows(res.RowsAffected, b.records.n)
	}
	if s.auto && slices.Contains(b.shape.back, s.key[0]) {
		for i := range b.records.n {
			if err := s.plan.SetInt(s.key[0], b.records.at(i), res.LastInsertID+int64(i)*max(res.IDStep, 1)); err != nil {
				return err
			}
		}
		if len(b.shape.back) == 1 {
			return nil
		}
	}
	if len(b.shape.back) == 0 {
		return nil
	}
	if len(s.key) == 1 {
		return s.reloadAll(ctx, t, b)
	}
	for i := range b.records.n {
		if err := s.reload(ctx, t, b.records.at(i), b.shape.back); err != nil {
			return err
		}
	}
	return nil
}

// reloadAll is reload for the records of a batch, in one statement.
func (s *source) reloadAll(ctx context.Context, t *target, b *batch) error {
	key := s.key[0]
	keys := make([]any, b.records.n)
	byKey := make(map[any]any, b.records.n)
	for i := range b.records.n {
		r := b.records.at(i)
		keys[i] = s.plan.Value(key, r)
		if k, ok := s.plan.FieldKey(key, r); ok {
			byKey[k] = r
		}
	}
	cols := []sqlgen.Column{{Name: s.plan.Field(key).Column}}
	for _, f := range b.shape.back {
		if f != key {
			cols = append(cols, sqlgen.Column{Name: s.plan.Field(f).Column})
		}
	}
	q := sqlgen.From(s.table).WithCond(sqlgen.Compare(cols[0].Name, sqlgen.In, keys))
	q = q.OnlyColumns(cols...)
	made, err := s.rows(ctx, t, q, false)
	if err != nil {
		return err
	}
	for _, row := range made {
		k, _ := rowmap.Key(row[cols[0].Name])
		r := byKey[k]
		if r == nil {
			continue
		}
		delete(byKey, k)
		if err := s.setFields(r, row, b.shape.back); err != nil {
			return err
		}
	}
	if len(byKey) > 0 {
		return s.otherRows(int64(b.records.n-len(byKey)), b.records.n)
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
func (m Model[T]) Upsert(ctx context.Context, record *T, conflict Conflict) error {
	if record == nil {
		return m.c.nilRecord()
	}
	old := *record
	err := m.c.upsertMany(ctx, list{n: 1, at: func(int) any { return record }}, conflict)
	if err != nil {
		*record = old
	}
	return err
}

// UpsertMany upserts records, all of them or none. Two records with the same
// key are refused, on every database.
func (m Model[T]) UpsertMany(ctx context.Context, records []T, conflict Conflict) error {
	old := slices.Clone(records)
	err := m.c.upsertMany(ctx, listOf(records), conflict)
	if err != nil {
		copy(records, old)
	}
	return err
}

func (m *core) upsertMany(ctx context.Context, records list, conflict Conflict) error {
	name, err := m.homeOfAll(records)
	if err != nil || records.n == 0 {
		return err
	}
	key, err := m.src.conflictKey(conflict)
	if err != nil {
		return err
	}
	return m.src.around(ctx, m.place(), name, m.src.creating(), records.n, records.at, func(ctx context.Context) error {
		for i := range records.n {
			if err := m.stillAt(name, records.at(i)); err != nil {
				return indexed(i, err)
			}
			if err := m.src.stamp(records.at(i), true); err != nil {
				return indexed(i, err)
			}
		}
		if err := m.src.distinct(records, key); err != nil {
			return err
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
		return m.atomic(ctx, name, records.n > 1, func(ctx context.Context) error {
			var t target
			err := m.writeTarget(ctx, &t, name)
			if err != nil {
				return err
			}
			defer t.leave()
			for i := range batches {
				if err := m.src.upsertBatch(ctx, &t, &batches[i], key, conflict); err != nil {
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

// conflictKey returns the fields that decide, and checks the columns.
func (s *source) conflictKey(conflict Conflict) ([]int, error) {
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
	return key, nil
}

// distinct refuses two records with the same key: PostgreSQL would refuse them,
// the others let the last one win.
func (s *source) distinct(records list, key []int) error {
	if records.n < 2 {
		return nil
	}
	seen := make(map[string]int, records.n)
	for i := range records.n {
		k := ""
		for _, f := range key {
			v, ok := s.plan.FieldKey(f, records.at(i))
			if !ok {
				k = ""
				break // NULLs conflict with nothing
			}
			k += fmt.Sprintf("%T:%#v,", v, v)
		}
		if k == "" || s.auto && len(key) == 1 && key[0] == s.key[0] && s.plan.IsZero(key[0], records.at(i)) {
			continue
		}
		if before, ok := seen[k]; ok {
			return s.fail("records %d and %d have the same key", before, i)
		}
		seen[k] = i
	}
	return nil
}

func (s *source) upsertBatch(ctx context.Context, t *target, b *batch, key []int, conflict Conflict) error {
	d := t.e.dialect
	in := sqlgen.Insert{
		Table: s.table, Columns: b.shape.columns, Rows: b.records.n,
		Conflict: sqlgen.Replace, Keys: s.names(key), Sets: s.upsertSets(b.shape, key, conflict),
	}
	if len(in.Sets) == 0 {
		in.Conflict = sqlgen.Ignore
	}
	var back []int // of the primary key, what the conflict's key does not tell
	for _, f := range s.key {
		if !slices.Contains(key, f) || slices.Contains(b.shape.back, f) {
			back = append(back, f)
		}
	}
	switch {
	case len(back) == 0:
		text, err := sqlgen.InsertText(&in, d)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "upsert", text, b.args)
		return err
	case d.UpsertConflict && in.Conflict == sqlgen.Replace:
		in.Returning = s.names(back)
		text, err := sqlgen.InsertText(&in, d)
		if err != nil {
			return err
		}
		return s.insertReturning(ctx, t, "upsert", text, b.args, b.records, back)
	}
	in.Rows = 1 // a statement for each record whose key must be known
	switch {
	case d.UpsertConflict:
		in.Returning = s.names(back)
	case s.auto:
		in.KeepID = s.plan.Field(s.key[0]).Column
	}
	text, err := sqlgen.InsertText(&in, d)
	if err != nil {
		return err
	}
	n := len(in.Columns)
	for i := range b.records.n {
		if err := s.upsertOne(ctx, t, &in, text, b.args[i*n:(i+1)*n], b.records.at(i), key, back); err != nil {
			return err
		}
	}
	return nil
}

// upsertSets are the columns that an existing row takes from a record.
func (s *source) upsertSets(sh *shape, key []int, conflict Conflict) []string {
	if conflict.DoNothing {
		return nil
	}
	if len(conflict.Update) > 0 {
		if s.updated < 0 || slices.Contains(conflict.Update, s.plan.Field(s.updated).Column) {
			return conflict.Update
		}
		return append(slices.Clip(conflict.Update), s.plan.Field(s.updated).Column)
	}
	return s.names(slices.DeleteFunc(slices.Clone(sh.write), func(i int) bool {
		return slices.Contains(key, i) || slices.Contains(s.key, i) || i == s.created ||
			s.shard != nil && s.plan.Field(i).Column == s.shard.column()
	}))
}

// upsertOne upserts one record and finds the primary key of its row.
func (s *source) upsertOne(ctx context.Context, t *target, in *sqlgen.Insert, text string, args []any, record any, key, back []int) error {
	if in.Returning == nil {
		res, err := t.exec(ctx, "upsert", text, args)
		if err != nil {
			return err
		}
		if in.KeepID == "" {
			return s.findKey(ctx, t, record, key, back)
		}
		if res.LastInsertID == 0 { // a new row with an id of the program's
			return nil
		}
		return s.plan.SetInt(s.key[0], record, res.LastInsertID)
	}
	var made []map[string]any
	d := t.e.dialect
	err := t.query(ctx, "upsert", text, args, true, func(rows driver.Rows) (n int64, err error) {
		made, err = rowmap.ReadRows(rows, d)
		return int64(len(made)), err
	})
	if err != nil {
		return err
	}
	if len(made) == 1 {
		return s.setFields(record, made[0], back)
	}
	return s.findKey(ctx, t, record, key, back)
}

// findKey reads the primary key of the row that an upsert found.
func (s *source) findKey(ctx context.Context, t *target, record any, key, back []int) error {
	cols := make([]sqlgen.Column, len(back))
	for i, name := range s.names(back) {
		cols[i] = sqlgen.Column{Name: name}
	}
	q := sqlgen.From(s.table).OnlyColumns(cols...)
	for _, i := range key {
		q = q.WithCond(sqlgen.Compare(s.plan.Field(i).Column, sqlgen.Eq, s.plan.Value(i, record)))
	}
	if t.tx != nil && t.e.dialect.RowLocks {
		q = q.WithLock(sqlgen.ForShare) // the row may be younger than the transaction's snapshot
	}
	made, err := s.rows(ctx, t, q, true)
	if err != nil {
		return err
	}
	if len(made) != 1 {
		return ErrNotFound // deleted by another in between
	}
	return s.setFields(record, made[0], back)
}
