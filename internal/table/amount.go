package table

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/value"
)

// Addition is the assignment that adds by to a column, or takes it away. by is a
// number in any form: an int, a float, a decimal as text, or a Valuer of one; or SQL
// or a query. It must be of the column's kind, and it must be one: NULL would erase
// the column.
func (t *Table) Addition(column string, by any, minus bool) (set sqlgen.Set, err error) {
	set = sqlgen.Set{Column: column, Value: by, Add: true, Minus: minus}
	switch by.(type) {
	case *sqlgen.Expr, sqlgen.Subquery:
		return set, nil
	}
	kind := rowmap.Any
	if t.Plan != nil {
		if i, ok := t.Field(column); ok {
			kind = t.Plan.Field(i).Kind
		}
	}
	if set.Value, err = amount(by, kind); err == nil && minus {
		set.Value, err = opposite(set.Value)
	}
	if err != nil {
		return set, &rowmap.ColumnError{Table: t.Name, Column: column, Err: err}
	}
	set.Minus, set.Sum = false, SumOf(kind)
	return set, nil
}

// amount is a number that is added to a column of that kind: an int64, a uint64
// above, a float64, or a decimal as text.
func amount(by any, kind rowmap.Kind) (any, error) {
	switch kind {
	case rowmap.Int, rowmap.Uint, rowmap.Float, rowmap.String, rowmap.Custom, rowmap.Any:
	default:
		return nil, fmt.Errorf("%w: nothing can be added to a column of kind %s", rowmap.ErrType, kind)
	}
	a, err := rowmap.Arg(by, nil)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fmt.Errorf("%w: a number is needed, not NULL", rowmap.ErrType)
	}
	if b, ok := a.([]byte); ok {
		a = string(b)
	}
	switch x := a.(type) {
	case int64, uint64:
		return x, nil
	case float64:
		text, ok := value.DecimalFloat(x)
		mayBeFloats := kind == rowmap.Any || kind == rowmap.Custom
		if kind == rowmap.Float || mayBeFloats && (!ok || x != math.Trunc(x)) {
			return x, nil
		}
		a = text
	}
	s, ok := a.(string)
	d, number := value.ParseDecimal(s)
	switch {
	case !ok, !number:
		return nil, fmt.Errorf("%w: a %T is no decimal number", rowmap.ErrType, by)
	case d.Scale > 0 && (kind == rowmap.Int || kind == rowmap.Uint):
		return nil, fmt.Errorf("%w: a number with a fraction does not fit a column of kind %s", rowmap.ErrType, kind)
	case d.Scale == 0:
		if n, err := strconv.ParseInt(d.String(), 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(d.String(), 10, 64); err == nil {
			return n, nil
		}
	}
	return d.String(), nil
}

// Amount is a number that values of that kind are computed with; see Addition.
func Amount(v any, kind rowmap.Kind) (any, error) { return amount(v, kind) }

// SumOf says what is known of the sum of values of that kind.
func SumOf(kind rowmap.Kind) sqlgen.Sum {
	switch kind {
	case rowmap.Int:
		return sqlgen.Whole
	case rowmap.Uint:
		return sqlgen.Unsigned
	case rowmap.String:
		return sqlgen.Decimal
	case rowmap.Float:
		return sqlgen.Float
	}
	return sqlgen.Any
}

// Number is a number in any form as sqlgen takes it.
func Number(v any) *sqlgen.Number {
	a, err := amount(v, rowmap.String)
	if err != nil {
		return &sqlgen.Number{Err: err}
	}
	d, ok := value.ParseDecimal(fmt.Sprint(a))
	if !ok {
		err = fmt.Errorf("%w: a %T is no decimal number", rowmap.ErrType, v)
	}
	return &sqlgen.Number{Decimal: d, Err: err}
}

// Amount implements sqlgen.Values.
func (values) Amount(v any, floats bool, d *dialect.Dialect) (any, error) {
	a, err := rowmap.Arg(v, d)
	if err != nil {
		return nil, err
	}
	f, float := a.(float64)
	if float && d == dialect.MySQL {
		if text, ok := value.DecimalFloat(f); ok {
			a = text
		}
	}
	text, ok := a.(string)
	switch {
	case !ok:
	case d == dialect.MySQL:
		if n, _ := value.ParseDecimal(text); !sqlgen.IsDecimal(n) {
			if float {
				return f, nil
			}
			return nil, fmt.Errorf("%w: a number with more digits than a DECIMAL has", rowmap.ErrRange)
		}
	case d == dialect.SQLite && floats:
		return strconv.ParseFloat(text, 64)
	case d == dialect.SQLite:
		return nil, fmt.Errorf("%w: SQLite adds decimals as floats", rowmap.ErrRange)
	}
	return a, nil
}

// opposite is the amount that takes away what another one adds.
func opposite(a any) (any, error) {
	switch a := a.(type) {
	case int64:
		if a != math.MinInt64 {
			return -a, nil
		}
	case float64:
		return -a, nil
	case string:
		if positive, ok := strings.CutPrefix(a, "-"); ok {
			return positive, nil
		}
		return "-" + a, nil
	}
	return nil, fmt.Errorf("%w: a %T without an opposite", rowmap.ErrRange, a)
}
