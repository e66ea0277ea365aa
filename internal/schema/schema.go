// Package schema reads what a database says of its tables: columns, indexes, foreign
// keys. It changes nothing.
package schema

import (
	"cmp"
	"context"
	"database/sql"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Column is a column of a table as the database describes it; see
// dialect.SchemaColumns.
type Column struct {
	Name, Type, Full            string
	Nullable, Filled, Generated bool
	KeyAt                       int
	Length, Digits              int64
	Element, Default, Comment   string
	Viewed                      bool
}

// Index is an index of a table. Columns are its columns in their order, "" for each that is
// an expression.
type Index struct {
	Name                   string
	Unique, Partial, Whole bool
	Deferrable             bool // of a constraint; an upsert does not take it for its key
	Columns                []string
}

// ForeignKey is a foreign key of a table. RefersTo are the columns of the table that it
// refers to, "" for one of the primary key at the same place; Schema is "" for the
// schema of the table itself.
type ForeignKey struct {
	Name          string
	Columns       []string
	Schema, Table string
	RefersTo      []string
}

// Table is a table or view of a schema. Schema is "" for the one of the connection.
type Table struct {
	Schema, Name, Comment string
	Viewed                bool
	Columns               []Column
	Indexes               []Index
	ForeignKeys           []ForeignKey
}

// FullName is the table's name as ModelConfig.Table takes it.
func (t *Table) FullName() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Key are the columns of the primary key, in its order; none without one.
func Key(columns []Column) (key []string) {
	for place := 1; place <= len(columns); place++ {
		for i := range columns {
			if columns[i].KeyAt == place {
				key = append(key, columns[i].Name)
			}
		}
	}
	return key
}

// Asked is what answers questions about a database: *sql.DB, and handles that are like it.
type Asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Columns are the columns of a table or view, none if it is not there. A dot in the name
// stands behind its schema.
func Columns(ctx context.Context, db Asked, d *dialect.Dialect, table string) (columns []Column, err error) {
	return columnsAt(ctx, db, d, place(d, table))
}

func columnsAt(ctx context.Context, db Asked, d *dialect.Dialect, at []any) (columns []Column, err error) {
	err = each(ctx, db, d.SchemaColumns(), at, func(rows *sql.Rows) error {
		var c Column
		err := rows.Scan(&c.Name, &c.Type, &c.Full, &c.Nullable, &c.Filled, &c.Generated, &c.KeyAt, &c.Length, &c.Digits, &c.Element, &c.Default, &c.Comment, &c.Viewed)
		columns = append(columns, c)
		return err
	})
	return columns, err
}

// Indexes are the indexes of a table by which equal values are found, in order of name.
// The primary key of columns, which are the table's, is one of them.
func Indexes(ctx context.Context, db Asked, d *dialect.Dialect, table string, columns []Column) (list []Index, err error) {
	return indexesAt(ctx, db, d, place(d, table), columns)
}

func indexesAt(ctx context.Context, db Asked, d *dialect.Dialect, where []any, columns []Column) (list []Index, err error) {
	if key := Key(columns); len(key) > 0 && d == dialect.SQLite {
		list = append(list, Index{Name: "the primary key", Unique: true, Columns: key})
	}
	err = each(ctx, db, d.SchemaIndexes(), where, func(rows *sql.Rows) error {
		var i Index
		var at int
		var column string
		if err := rows.Scan(&i.Name, &i.Unique, &i.Partial, &i.Whole, &i.Deferrable, &at, &column); err != nil {
			return err
		}
		if at == 1 {
			list = append(list, i)
		}
		last := &list[len(list)-1]
		last.Columns = append(last.Columns, column)
		return nil
	})
	return list, err
}

// Replaces says whether a constraint of a table has the rows deleted that a write conflicts
// with: ON CONFLICT REPLACE of SQLite.
func Replaces(ctx context.Context, db Asked, d *dialect.Dialect, table string) (replaces bool, err error) {
	of, name := cutLast(table)
	if of != "" {
		of = quote(of)
	}
	text := d.SchemaDefinition(of)
	if text == "" {
		return false, nil
	}
	err = each(ctx, db, text, []any{name}, func(rows *sql.Rows) error {
		var made string
		err := rows.Scan(&made)
		replaces = lex.HasWords(made, d, "ON", "CONFLICT", "REPLACE")
		return err
	})
	return replaces, err
}

// foreignKeysAt are the foreign keys of a table.
func foreignKeysAt(ctx context.Context, db Asked, d *dialect.Dialect, where []any) (list []ForeignKey, err error) {
	err = each(ctx, db, d.SchemaForeignKeys(), where, func(rows *sql.Rows) error {
		var k ForeignKey
		var at int
		var column, refersTo string
		if err := rows.Scan(&k.Name, &at, &column, &k.Schema, &k.Table, &refersTo); err != nil {
			return err
		}
		if at == 1 {
			list = append(list, k)
		}
		last := &list[len(list)-1]
		last.Columns, last.RefersTo = append(last.Columns, column), append(last.RefersTo, refersTo)
		return nil
	})
	return list, err
}

// Tables are the tables and views of a schema, "" for that of the connection, in order of
// name, without what is in them.
func Tables(ctx context.Context, db Asked, d *dialect.Dialect, schema string) (list []Table, err error) {
	err = each(ctx, db, d.SchemaTables(), []any{schema}, func(rows *sql.Rows) error {
		t := Table{Schema: schema}
		err := rows.Scan(&t.Name, &t.Viewed, &t.Comment)
		list = append(list, t)
		return err
	})
	return list, err
}

// Fill reads what is in a table.
func (t *Table) Fill(ctx context.Context, db Asked, d *dialect.Dialect) (err error) {
	at := placeOf(d, t.Schema, t.Name)
	if t.Columns, err = columnsAt(ctx, db, d, at); err != nil || t.Viewed {
		return err
	}
	if t.Indexes, err = indexesAt(ctx, db, d, at, t.Columns); err != nil {
		return err
	}
	t.ForeignKeys, err = foreignKeysAt(ctx, db, d, at)
	return err
}

// place is where a statement about a table looks for it. A dot in the name stands behind
// its schema.
func place(d *dialect.Dialect, table string) []any {
	if d == dialect.Postgres {
		return quoted(strings.Split(table, ".")...)
	}
	of, name := cutLast(table)
	return []any{of, name}
}

// cutLast is the schema in front of a table's name, and the name.
func cutLast(table string) (schema, name string) {
	at := strings.LastIndexByte(table, '.')
	return table[:max(at, 0)], table[at+1:]
}

// placeOf is the place of a table whose name may have a dot of its own.
func placeOf(d *dialect.Dialect, schema, name string) []any {
	switch {
	case d != dialect.Postgres:
		return []any{schema, name}
	case schema == "":
		return quoted(name)
	default:
		return quoted(schema, name)
	}
}

func quoted(parts ...string) []any {
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return []any{strings.Join(parts, ".")}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func each(ctx context.Context, db Asked, text string, args []any, row func(*sql.Rows) error) (err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
