package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

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
