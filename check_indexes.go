package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/schema"
	"github.com/dbfleet/dbfleet/internal/table"
)

// inspection is one run of Check: the tables that it has read, and what it has asked of
// them. It is for one goroutine.
type inspection struct {
	reg    *Registry
	tables map[tablePlace]*liveTable
	asked  map[relationKey]bool // what several relations ask of one table is asked once
}

type tablePlace struct{ connection, table string }

// liveTable is a table as its database describes it.
type liveTable struct {
	dialect *dialect.Dialect
	columns []schema.Column // none if it is not there
	indexes []schema.Index
	read    bool // indexes are read
}

// table reads the columns of a table.
func (c *inspection) table(ctx context.Context, connection, name string) (*liveTable, error) {
	at := tablePlace{connection, name}
	if known, ok := c.tables[at]; ok {
		return known, nil
	}
	e, err := c.reg.lookup(connection)
	if err != nil {
		return nil, err
	}
	if name, err = c.named(ctx, connection, name); err != nil {
		return nil, err
	}
	if _, err := table.Unmodelled(name, nil).QuotedName(e.dialect); err != nil {
		return nil, err
	}
	columns, err := schema.Columns(ctx, c.reg.DB(connection), e.dialect, name)
	if err != nil {
		return nil, err
	}
	c.tables[at] = &liveTable{dialect: e.dialect, columns: columns}
	return c.tables[at], nil
}

// indexed is table with its indexes. It is nil for a view, and for a table that is not
// there.
func (c *inspection) indexed(ctx context.Context, connection, name string) (*liveTable, error) {
	t, err := c.table(ctx, connection, name)
	if err != nil || len(t.columns) == 0 || t.columns[0].Viewed {
		return nil, err
	}
	if !t.read {
		if name, err = c.named(ctx, connection, name); err != nil {
			return nil, err
		}
		t.indexes, err = schema.Indexes(ctx, c.reg.DB(connection), t.dialect, name, t.columns)
		t.read = err == nil
	}
	return t, err
}

// has says whether the table has all these columns.
func (t *liveTable) has(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		return !slices.ContainsFunc(t.columns, func(c schema.Column) bool { return t.same(c.Name, name) })
	})
}

func (t *liveTable) same(a, b string) bool {
	return a == b || t.dialect.FoldsColumns && strings.EqualFold(a, b)
}

// seeks are what the relations and the shard key of a model ask of indexes.
func (s *source) seeks() (list []sought) {
	for _, r := range s.relations.all() {
		list = append(list, r.seeks...)
	}
	on := ""
	if s.shard == nil {
		on = s.reg.nameOr(s.connection)
	}
	s.table.SearchedBlinds(func(column string, unique bool) {
		list = append(list, sought{model: s.table.Model, table: s.table.Name, connection: on, columns: []string{column}, unique: unique, why: "a blind index", needs: "which is the Unique blind index: a value may be there twice, and Conflict.Key does not find it"})
	})
	if s.shard != nil {
		list = append(list, sought{model: s.table.Model, table: s.table.Name, columns: []string{s.shard.column()}, why: "the shard key"})
	}
	return list
}

// checkSought compares what is asked of a table's indexes with those that are there.
func (c *inspection) checkSought(ctx context.Context, w sought) (found []Finding, _ error) {
	names, errs := []string{w.connection}, []error(nil)
	if w.connection == "" {
		names = c.reg.Names()
	}
	asked := relationKey{table: w.table, connection: w.connection, columns: inOne(w.columns), types: inOne(w.types)}
	if w.unique {
		asked.kind = "unique"
	}
	if c.asked[asked] {
		return nil, nil
	}
	c.asked[asked] = true
	for _, name := range names {
		t, err := c.indexed(ctx, name, w.table)
		if err != nil {
			errs = append(errs, errorf("Check of the indexes of table %q: %w", w.table, err))
			continue
		}
		if t == nil || !t.has(w.columns) || !t.has(w.types) {
			continue // which is told of the model itself
		}
		at := Finding{Connection: name, Model: w.model, Table: w.table, Column: w.columns[0]}
		all := slices.Concat(w.columns, w.types)
		switch {
		case w.unique:
			ok, late := schema.Keys(t.indexes, all, t.same)
			at.Severity = SeverityWarning
			switch {
			case w.needs == "" && t.deferrable() != "":
				at.Problem = "the unique constraint " + quoted(t.deferrable()) + " is DEFERRABLE, with which Attach and Sync fail (" + w.why + "); make it NOT DEFERRABLE"
			case ok:
				continue
			case late != "":
				at.Problem = "the unique constraint " + quoted(late) + " is DEFERRABLE, which Conflict.Key does not take; make it NOT DEFERRABLE"
			default:
				at.Problem = "no unique index is on " + listed(all, nil) + " alone, " + cmp.Or(w.needs, "which tie the rows of "+w.why+": Attach and Sync need one")
			}
			found = append(found, at)
		case !w.unique && !schema.Finds(t.indexes, w.columns, w.types, t.same):
			at.Severity = SeverityNotice
			at.Problem = "no index begins with " + listed(all, nil) + ", by which rows are found (" + w.why + "): each time the whole table is read"
			found = append(found, at)
		}
	}
	return found, errors.Join(errs...)
}

// deferrable is the name of a unique constraint that may be looked at when a transaction ends:
// the database refuses inserts beside it that leave out what is there. "" is none.
func (t *liveTable) deferrable() string {
	for _, index := range t.indexes {
		if index.Unique && index.Deferrable {
			return index.Name
		}
	}
	return ""
}

// checkDeferrable tells of unique constraints by which an insert cannot leave out what is
// there. Other databases than PostgreSQL have none.
func (c *inspection) checkDeferrable(ctx context.Context, s *source, connection string) (found []Finding, _ error) {
	t, err := c.table(ctx, connection, s.table.Name)
	if err != nil || t.dialect != dialect.Postgres {
		return nil, err
	}
	if t, err = c.indexed(ctx, connection, s.table.Name); t == nil || err != nil {
		return nil, err
	}
	for _, index := range t.indexes {
		if index.Unique && index.Deferrable {
			found = append(found, s.finding(connection, table.Notice, index.Columns[0], "the unique constraint "+quoted(index.Name)+
				" is DEFERRABLE: an upsert by its columns (Conflict.Key) fails, also with DoNothing, and of one that is INITIALLY DEFERRED a transaction tells CreateIgnore and FirstOrCreate nothing before its end; make it NOT DEFERRABLE where they are used"))
		}
	}
	return found, nil
}

// checkReplacing tells of a constraint by which a write deletes other rows. Other databases
// than SQLite have none.
func (c *inspection) checkReplacing(ctx context.Context, s *source, connection string) (found []Finding, _ error) {
	t, err := c.table(ctx, connection, s.table.Name)
	if err != nil || t.dialect != dialect.SQLite {
		return nil, err
	}
	name, err := c.named(ctx, connection, s.table.Name)
	if err != nil {
		return nil, err
	}
	replaces, err := schema.Replaces(ctx, c.reg.DB(connection), t.dialect, name)
	if err != nil || !replaces {
		return nil, err
	}
	return []Finding{s.finding(connection, table.May, "", "a constraint is ON CONFLICT REPLACE: a write that conflicts with rows deletes them, of which SQLite says nothing, in no error, count or hook; leave it out, and take Upsert where that is meant")}, nil
}

// checkMark tells of unique indexes that mean something else where deleted rows stay.
func (c *inspection) checkMark(ctx context.Context, s *source, connection string) (found []Finding, _ error) {
	if !s.table.Marks() {
		return nil, nil
	}
	t, err := c.indexed(ctx, connection, s.table.Name)
	if t == nil || err != nil {
		return nil, err
	}
	mark := s.table.DeletedMark()
	for _, index := range t.indexes {
		if !index.Unique || index.Partial || schema.Unique([]schema.Index{index}, schema.Key(t.columns), t.same) || t.computed(index) {
			continue
		}
		marked := slices.ContainsFunc(index.Columns, func(column string) bool { return t.same(column, mark) })
		switch {
		case marked && !index.Whole:
			found = append(found, s.finding(connection, table.May, mark, "is part of the unique index "+quoted(index.Name)+
				", which keeps no rows apart that are not deleted: NULL equals no NULL"))
		case !marked:
			found = append(found, s.finding(connection, table.Notice, index.Columns[0], "the unique index "+quoted(index.Name)+
				" holds deleted rows too: what one of them has cannot be created again"))
		}
	}
	return found, nil
}

// computed says whether an index has an expression, or a column that the database makes,
// which may leave deleted rows out.
func (t *liveTable) computed(index schema.Index) bool {
	return slices.ContainsFunc(index.Columns, func(column string) bool {
		return column == "" || slices.ContainsFunc(t.columns, func(c schema.Column) bool { return c.Generated && t.same(c.Name, column) })
	})
}
