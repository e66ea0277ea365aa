package table

import (
	"maps"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Key are the fields of the primary key.
func (t *Table) Key() []int { return t.key }

// KeyNames are the columns of the primary key: "id" without a model. The caller
// must not change the slice.
func (t *Table) KeyNames() []string { return t.keyNames }

// SoleKey is the primary key's column, "" when it has several.
func (t *Table) SoleKey() string {
	if len(t.key) != 1 {
		return ""
	}
	return t.Column(t.key[0])
}

// Auto says that the key is one integer that the database makes when it is zero.
func (t *Table) Auto() bool { return t.auto }

// Unsaved says whether the record's key is yet to be made by the database.
func (t *Table) Unsaved(record any) bool { return t.auto && t.Plan.IsZero(t.key[0], record) }

// CheckKey refuses a record without a key.
func (t *Table) CheckKey(record any) error {
	if len(t.key) == 1 && t.Plan.IsZero(t.key[0], record) {
		return t.Fail("the record's primary key %q is zero", t.Column(t.key[0]))
	}
	return nil
}

// NilKey is the error of a key that is nil.
func (t *Table) NilKey(column string) error {
	return t.Fail("the primary key's column %q is nil", column)
}

// NilRecord is the error of a record that is a nil pointer.
func (t *Table) NilRecord() error { return t.Fail("the record is a nil pointer") }

// Identity are the fields by which one record is found: the primary key, and
// on a sharded model the shard key too, for shards may give the same id to
// different records.
func (t *Table) Identity(record any) []int {
	if len(t.located) > len(t.key) && t.Plan.IsZero(t.located[len(t.key)], record) {
		return t.key
	}
	return t.located
}

// ByIdentity is the query for one record.
func (t *Table) ByIdentity(record any) (sqlgen.Query, error) {
	q := sqlgen.From(t.Name)
	if err := t.CheckKey(record); err != nil {
		return q, err
	}
	for _, i := range t.Identity(record) {
		q = q.WithCond(sqlgen.Compare(t.Column(i), sqlgen.Eq, t.Plan.Value(i, record)))
	}
	return q, nil
}

// ShardValue is the record's shard key, nil when it is zero.
func (t *Table) ShardValue(record any) any {
	if t.Plan.IsZero(t.shard, record) {
		return nil
	}
	return t.Plan.Value(t.shard, record)
}

// DatabaseClock says that timestamps are those of the database's clock, which is asked
// before a write.
func (t *Table) DatabaseClock() bool { return t.clock }

// time is the time for timestamps, as the table's columns keep it: UTC, and as
// precise as every database keeps it. A zero at is that of the program's clock.
func (t *Table) time(at time.Time) time.Time {
	if at.IsZero() {
		at = time.Now()
	}
	return at.UTC().Truncate(time.Microsecond).Truncate(t.precision)
}

// Stamp sets the timestamps of a record to at, by default now, and cuts its times where
// the columns keep less than the drivers send.
func (t *Table) Stamp(record any, create bool, at time.Time) error {
	t.Cut(record)
	if create && t.version >= 0 && t.Plan.IsZero(t.version, record) {
		if err := t.Plan.SetInt(t.version, record, 1); err != nil {
			return err
		}
	}
	if t.created < 0 && t.updated < 0 {
		return nil
	}
	at = t.time(at)
	if create && t.created >= 0 && t.Plan.IsZero(t.created, record) {
		if err := t.Plan.SetTime(t.created, record, at); err != nil {
			return err
		}
	}
	if t.updated >= 0 {
		return t.Plan.SetTime(t.updated, record, at)
	}
	return nil
}

// Cut cuts a record's times where the columns keep less than the drivers send.
func (t *Table) Cut(record any) {
	if t.precision > time.Microsecond {
		t.Plan.CutTimes(record, t.precision, nil)
	}
}

// Settle makes the times of a record that was written what reading them gives:
// instants in UTC, cut as they were when they were sent.
func (t *Table) Settle(record any) { t.Plan.CutTimes(record, t.precision, time.UTC) }

// SettleSaved is Settle for a record that was saved. The times by which its row was found
// were not written: of SQLite they may have nanoseconds there, and keep them.
func (t *Table) SettleSaved(record any, d *dialect.Dialect) {
	if !t.twofold[d.Index] || d != dialect.SQLite {
		t.Settle(record)
		return
	}
	kept := make([]any, len(t.located))
	for k, i := range t.located {
		if v := t.Plan.Value(i, record); rowmap.Nanos(v) != 0 {
			kept[k] = v
		}
	}
	t.Settle(record)
	for k, i := range t.located {
		if kept[k] != nil {
			_ = t.Plan.Set(i, record, kept[k]) // of the field's own type
		}
	}
}

// StampSets adds updated_at to the assignments of an update that lack it, and the next
// version.
func (t *Table) StampSets(sets []sqlgen.Set, at time.Time) []sqlgen.Set {
	if len(sets) == 0 {
		return sets
	}
	if t.version >= 0 {
		sets = append(sets, sqlgen.Set{Column: t.Column(t.version), Value: int64(1), Add: true, Sum: sqlgen.Whole})
	}
	if t.updated < 0 {
		return sets
	}
	column := t.Column(t.updated)
	if slices.ContainsFunc(sets, func(s sqlgen.Set) bool { return s.Column == column }) {
		return sets
	}
	return append(sets, sqlgen.Set{Column: column, Value: t.time(at)})
}

// StampRow is the row with the timestamps that it lacks.
func (t *Table) StampRow(row map[string]any, at time.Time) map[string]any {
	if t.created < 0 && t.updated < 0 && t.version < 0 {
		return row
	}
	row = maps.Clone(row)
	if row == nil {
		row = map[string]any{}
	}
	if t.version >= 0 && row[t.Column(t.version)] == nil {
		row[t.Column(t.version)] = int64(1)
	}
	at = t.time(at)
	for _, i := range []int{t.created, t.updated} {
		if i < 0 {
			continue
		}
		if column := t.Column(i); row[column] == nil {
			row[column] = at
		}
	}
	return row
}
