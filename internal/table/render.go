package table

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Env is what sqlgen needs to know to render a statement on this table for a
// connection.
func (t *Table) Env(d *dialect.Dialect, connection string) *sqlgen.Env {
	env := &sqlgen.Env{Dialect: d, Values: values{}, Connection: connection, Table: t.ForSQL(), Key: t.modelKey}
	if d == dialect.MySQL {
		env.Untyped = untyped
	}
	return env
}

// ForSQL is the table as sqlgen knows it: nil when its columns are not known.
func (t *Table) ForSQL() sqlgen.Table {
	if t.Plan == nil {
		return nil
	}
	return t
}

// untyped makes text of a number that MySQL compares with a column that no
// model knows. Bound as a number, 0 would be equal to every text that is none,
// 1 to '1abc', and a large one to whatever has its double; bound as text, a text
// column compares text, and a column of numbers exactly the number, since MySQL makes
// a number of the column's type of a text that is constant. (A float becomes text for
// every column.)
func untyped(a any, _ *dialect.Dialect) any {
	switch n := a.(type) {
	case int64:
		return strconv.FormatInt(n, 10)
	case uint64:
		return strconv.FormatUint(n, 10)
	}
	return a
}

// values connects sqlgen with rowmap.
type values struct{}

func (values) Arg(v any, d *dialect.Dialect) (any, error) { return rowmap.Arg(v, d) }

func (values) Other(v, arg any, d *dialect.Dialect) any { return rowmap.Other(v, arg, d) }

func (values) Others(list any, args []any, d *dialect.Dialect) []any {
	return rowmap.Others(list, args, d)
}

func (values) IsList(v any) bool { return rowmap.IsList(v) }

func (values) AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error) {
	if arrays {
		slice, hasNull, ok, err := rowmap.Slice(v)
		if err != nil {
			return args, nil, false, err
		}
		if ok {
			if emptySlice(slice) {
				slice = nil
			}
			return args, slice, hasNull, nil
		}
	} else if all, ok := rowmap.AppendList(args, v); ok {
		return all, nil, false, nil
	}
	list, hasNull, err := rowmap.List(v, d)
	return append(args, list...), nil, hasNull, err
}

func emptySlice(slice any) bool {
	switch s := slice.(type) {
	case []int64:
		return len(s) == 0
	case []string:
		return len(s) == 0
	}
	return false // Slice gives other types only when there are elements
}

// RowArgs are the arguments of an insert of one row given as column to value; SQL and
// queries among them stay what they are.
func (t *Table) RowArgs(columns []string, row map[string]any, d *dialect.Dialect) ([]any, error) {
	args := make([]any, len(columns))
	for i, c := range columns {
		v := row[c]
		switch v.(type) {
		case *sqlgen.Expr, sqlgen.Subquery:
			args[i] = v
			continue
		}
		f, known := 0, false
		var err error
		if t.Plan != nil && v != nil {
			if f, known = t.Field(c); known {
				if v, err = t.Fit(f, v); err != nil {
					return nil, err
				}
			}
		}
		if args[i], err = rowmap.Arg(v, d); err != nil {
			return nil, &rowmap.ColumnError{Table: t.Name, Column: c, Err: err}
		}
		if known {
			if args[i], err = t.Stored(f, args[i]); err != nil {
				return nil, err
			}
		}
	}
	return args, nil
}
