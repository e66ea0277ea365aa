package rowmap

import (
	"fmt"
	"strconv"
	"strings"
)

// A Misfit is how a result's columns and a struct's fields differ.
type Misfit struct{ b *binding }

// Misfit compares the columns of a result with the fields. It reads no row.
func (p *Plan) Misfit(src Source) (Misfit, error) {
	b, err := p.bindWhole(src)
	return Misfit{b}, err
}

// None says that each column has a field and each field a column.
func (m Misfit) None() bool { return len(m.b.unknown)+len(m.b.missing) == 0 }

// Unknown is the error for columns that no field takes, nil if there are none.
func (m Misfit) Unknown() error {
	if len(m.b.unknown) == 0 {
		return nil
	}
	return m.failure(m.b.unknown[0], "no field takes "+columnList(m.b.unknown))
}

// Missing is the error for fields that no column fills, nil if there are none.
func (m Misfit) Missing() error {
	if len(m.b.missing) == 0 {
		return nil
	}
	names := make([]string, len(m.b.missing))
	for i, f := range m.b.missing {
		names[i] = m.b.plan.columns[f]
	}
	return m.failure(names[0], "the result has no "+columnList(names))
}

// failure tells both lists, since a column and a field of almost the same name were
// often meant to be one.
func (m Misfit) failure(column, what string) error {
	return &ColumnError{Model: m.b.plan.model, Column: column, Err: fmt.Errorf("%w: %s; it has %s, the fields are %s",
		ErrColumn, what, strings.Join(m.b.columns, ", "), strings.Join(m.b.plan.columns, ", "))}
}

// columnList names columns.
func columnList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	if len(names) == 1 {
		return "column " + quoted[0]
	}
	return "columns " + strings.Join(quoted, ", ")
}
