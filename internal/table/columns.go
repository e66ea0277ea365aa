package table

import (
	"errors"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// What sqlgen asks of a table.

// Columns implements sqlgen.Table.
func (t *Table) Columns() []string { return t.Plan.Columns() }

// SelectList implements sqlgen.Table.
func (t *Table) SelectList(d *dialect.Dialect) (string, error) {
	q := t.quotedIn(d)
	return q.list, q.err
}

// Quoted implements sqlgen.Table.
func (t *Table) Quoted(column string, d *dialect.Dialect) string {
	if i, ok := t.Plan.Column(column); ok {
		return t.quotedIn(d).names[i]
	}
	return ""
}

// CheckOn refuses a table that the database cannot have: two of its columns differ
// only in case where that makes no difference.
func (t *Table) CheckOn(d *dialect.Dialect) error { return t.CheckRowsOn(d, t.Plan) }

// CheckRowsOn is CheckOn for the columns of a plan, which may be nil.
func (t *Table) CheckRowsOn(d *dialect.Dialect, plan *rowmap.Plan) error {
	if plan == nil || plan.IsScalar() || !d.FoldsColumns {
		return nil
	}
	if fault := plan.Folded(); fault != "" {
		return t.Fail("%s, which is one column on %s", fault, d.Name)
	}
	return nil
}

// Modelled implements sqlgen.Table.
func (t *Table) Modelled() bool { return t.HasModel() }

// Known implements sqlgen.Table.
func (t *Table) Known(column string) bool {
	_, ok := t.Plan.Column(column)
	return ok || !t.HasModel() && !strings.Contains(column, ".")
}

// Field implements sqlgen.Table: it finds a column by its name, or its name
// after the table's.
func (t *Table) Field(column string) (int, bool) {
	if i, ok := t.Plan.Column(column); ok {
		return i, true
	}
	if n := len(t.Name); len(column) > n+1 && column[n] == '.' && column[:n] == t.Name {
		return t.Plan.Column(column[n+1:])
	}
	return 0, false
}

// Fit implements sqlgen.Table: a value for a column must be of the kind of its
// field, else databases compare it as they like (MySQL finds 'abc' equal to 0).
func (t *Table) Fit(i int, v any) (any, error) { return t.Plan.Fit(i, v) }

// Document implements sqlgen.Table.
func (t *Table) Document(i int) bool { return t.Plan.Document(i) }

// Stored implements sqlgen.Table.
func (t *Table) Stored(i int, arg any) (any, error) {
	stored, err := t.Plan.Stored(i, arg)
	if in := (*rowmap.ColumnError)(nil); errors.As(err, &in) {
		in.Table = t.Name
	}
	return stored, err
}

// FitList implements sqlgen.Table.
func (t *Table) FitList(i int, list any) (any, error) { return t.Plan.FitList(i, list) }

// Other implements sqlgen.Table.
func (t *Table) Other(i int, v, arg any, d *dialect.Dialect) any {
	return t.Plan.Other(i, v, arg, d)
}

// Others implements sqlgen.Table.
func (t *Table) Others(i int, list any, args []any, d *dialect.Dialect) []any {
	return t.Plan.Others(i, list, args, d)
}

// Textual implements sqlgen.Table.
func (t *Table) Textual(i int) bool {
	k := t.Plan.Field(i).Kind
	return k == rowmap.String || k == rowmap.Any
}

// Whole implements sqlgen.Table.
func (t *Table) Whole(i int) bool {
	k := t.Plan.Field(i).Kind
	return k == rowmap.Int || k == rowmap.Uint || k == rowmap.Bool
}

// Operand implements sqlgen.Table.
func (t *Table) Operand(i int, v any, d *dialect.Dialect) (any, error) {
	return t.Plan.Operand(i, v, d)
}
