package table

import (
	"maps"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The state of a row: whether it was deleted, and its version.

// A Change is how Saving changes the row of a record.
type Change struct {
	Only    []string       // the columns to write; nil is all
	Deleted sqlgen.Deleted // which rows may be changed, on a table that marks deleted ones
	Version int64          // the one that the row must have, on a table with versions

	Within []sqlgen.Cond // what the row must meet beside, rendered for Env
	Env    *sqlgen.Env
}

// Marks says whether a deleted row stays, with a mark.
func (t *Table) Marks() bool { return t.mark >= 0 }

// Versioned says whether rows have versions.
func (t *Table) Versioned() bool { return t.version >= 0 }

// DeletedMark implements sqlgen.Table.
func (t *Table) DeletedMark() string { return t.columnOr(t.mark) }

// VersionColumn is the column of the versions, "" without one.
func (t *Table) VersionColumn() string { return t.columnOr(t.version) }

func (t *Table) columnOr(field int) string {
	if field < 0 {
		return ""
	}
	return t.Column(field)
}

// Version is that of a record, 0 on a table without versions.
func (t *Table) Version(record any) int64 {
	if t.version < 0 {
		return 0
	}
	n, _ := t.Plan.IntKey(t.version, record)
	return n
}

// Takes says whether a row, given as column to value, is one that the change may be made
// to by its mark.
func (t *Table) Takes(row map[string]any, c Change) bool {
	if t.mark < 0 || c.Deleted == sqlgen.AnyDeleted {
		return true
	}
	return (row[t.Column(t.mark)] != nil) == (c.Deleted == sqlgen.OnlyDeleted)
}

// Has says whether a row has the version of the change.
func (t *Table) Has(row map[string]any, c Change) bool {
	return t.version < 0 || row[t.Column(t.version)] == any(c.Version)
}

// Raise gives a record the version that follows was.
func (t *Table) Raise(record any, was int64) error {
	if t.version < 0 {
		return nil
	}
	return t.Plan.SetInt(t.version, record, was+1)
}

// MarkDeleted marks a record as deleted at a time, by default now, or with deleted false as not deleted.
func (t *Table) MarkDeleted(record any, deleted bool, at time.Time) error {
	if deleted {
		return t.Plan.Set(t.mark, record, t.time(at))
	}
	return t.Plan.Set(t.mark, record, nil)
}

// Rows is the query for all rows that q asks for, those that were marked too.
func (t *Table) Rows(q sqlgen.Query) sqlgen.Query {
	if t.mark < 0 {
		return q
	}
	return q.TakingDeleted(sqlgen.AnyDeleted)
}

// MarkSets are the assignments that mark rows as deleted at a time, by default now, or take the mark away.
func (t *Table) MarkSets(deleted bool, at time.Time) []sqlgen.Set {
	set := sqlgen.Set{Column: t.Column(t.mark)}
	if deleted {
		set.Value = t.time(at)
	}
	return t.StampSets([]sqlgen.Set{set}, at)
}

// TouchSets are the assignments of an update that changes nothing else.
func (t *Table) TouchSets(at time.Time) []sqlgen.Set {
	if t.updated < 0 {
		return nil
	}
	return t.StampSets([]sqlgen.Set{{Column: t.Column(t.updated), Value: t.time(at)}}, at)
}

// UnmarkedRow is the row with its mark, NULL if it has none: an upsert leaves no row
// deleted that the caller does not say to be.
func (t *Table) UnmarkedRow(row map[string]any) map[string]any {
	if t.mark < 0 || row == nil {
		return row
	}
	if _, ok := row[t.Column(t.mark)]; ok {
		return row
	}
	row = maps.Clone(row)
	row[t.Column(t.mark)] = nil
	return row
}

// configureState takes the settings of marks and versions.
func (t *Table) configureState(c Config, fault func(key, reason string, err error), columns func(key string, names []string, each func(field int))) {
	if c.SoftDelete != "" {
		columns("SoftDelete", []string{c.SoftDelete}, func(i int) { t.mark = t.checkMark(i, fault) })
	}
	if c.Version != "" {
		columns("Version", []string{c.Version}, func(i int) { t.version = t.checkVersion(i, fault) })
	}
}

func (t *Table) checkMark(i int, fault func(key, reason string, err error)) int {
	f := t.Plan.Field(i)
	switch {
	case f.Kind != rowmap.Time || !t.Plan.Nullable(f.Column):
		fault("SoftDelete", "column "+quote(f.Column)+" is a "+f.Type+", not a time that may be NULL: *time.Time, sql.NullTime or sql.Null[time.Time]", nil)
	case t.hasRole(i):
		fault("SoftDelete", "column "+quote(f.Column)+" has another role already", nil)
	}
	return i
}

func (t *Table) checkVersion(i int, fault func(key, reason string, err error)) int {
	f := t.Plan.Field(i)
	if _, ok := t.Plan.IntKey(i, t.Plan.New()); !ok {
		fault("Version", "column "+quote(f.Column)+" is a "+f.Type+", not an int, int32 or int64", nil)
	} else if t.hasRole(i) {
		fault("Version", "column "+quote(f.Column)+" has another role already", nil)
	}
	return i
}

// hasRole says whether a field is the key's, the database's or a timestamp.
func (t *Table) hasRole(i int) bool {
	return slices.Contains(t.key, i) || t.generated[i] || t.optional[i] || i == t.shard || i == t.created || i == t.updated
}

// Fields are all fields.
func (t *Table) Fields() []int {
	all := make([]int, len(t.Plan.Columns()))
	for i := range all {
		all[i] = i
	}
	return all
}

// Kept are the fields that Save takes from the row: those that it does not write, and the
// version.
func (t *Table) Kept() []int {
	return slices.DeleteFunc(t.Fields(), func(i int) bool { return i != t.version && slices.Contains(t.saved, i) })
}
