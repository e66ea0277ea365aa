package sqlgen

import (
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// field is the number of a column that the current SELECT's table knows, -1 for
// others.
func (r *renderer) field(column string) int {
	if r.table == nil {
		return -1
	}
	if r.having {
		meant, alias, _ := r.havingMeans(column)
		if alias != nil {
			if meant = alias.path(); meant == "" {
				return -1
			}
		}
		column = meant
	}
	if i, ok := r.table.Field(column); ok {
		return i
	}
	if r.q.more != nil { // a name that the query gives its table
		if table, name := splitName(column); table != "" && r.q.isSelf(table) {
			if i, ok := r.table.Field(name); ok {
				return i
			}
		}
	}
	return -1
}

// operand is the argument that the column of a comparison, the table's field i
// or -1, is compared with.
func (r *renderer) operand(c *Cond, i int) (arg any, err error) {
	pattern := isPattern(c.op)
	if i >= 0 && c.val != nil && !pattern {
		if arg, err = r.table.Operand(i, c.val, r.d); err != nil {
			return nil, err
		}
	} else if arg, err = r.values.Arg(c.val, r.d); err != nil {
		return nil, r.columnFault(c, "", err)
	}
	if i < 0 && arg != nil && r.untyped != nil {
		arg = r.untyped(arg, r.d)
	}
	if !pattern && r.d == dialect.MySQL {
		arg = mysqlExact(arg)
	}
	if _, text := arg.(string); pattern && !text && arg != nil {
		return nil, r.columnFault(c, fmt.Sprintf("%s takes text, not a %T", opName(c.op), c.val), nil)
	}
	return arg, nil
}

// list appends the elements of a comparison's list to the arguments, or returns
// them as one array where that is allowed; see Values. The column is the
// table's field i, or -1.
func (r *renderer) list(c *Cond, i int, arrays bool) (array any, hasNull bool, err error) {
	v := c.val
	if i >= 0 {
		if v, err = r.table.FitList(i, v); err != nil {
			return nil, false, err
		}
	}
	first := len(r.args)
	args, array, hasNull, err := r.values.AppendList(r.args, v, r.d, arrays)
	if err != nil {
		return nil, false, r.columnFault(c, "", err)
	}
	r.args = args
	if i < 0 && r.untyped != nil {
		for k := first; k < len(args); k++ {
			args[k] = r.untyped(args[k], r.d)
		}
	}
	if r.d == dialect.MySQL {
		for k := first; k < len(args); k++ {
			args[k] = mysqlExact(args[k])
		}
	}
	return array, hasNull, nil
}

// pair appends the two bounds of BETWEEN to the arguments.
func (r *renderer) pair(c *Cond, i int) error {
	first := len(r.args)
	_, hasNull, err := r.list(c, i, false)
	if err != nil {
		return err
	}
	if n := len(r.args) - first; n != 2 || hasNull {
		return r.columnFault(c, fmt.Sprintf("%s takes a list of two values that are not nil, not %d", opName(c.op), n), nil)
	}
	return nil
}

// columnFault is what is wrong with a comparison.
func (r *renderer) columnFault(c *Cond, reason string, err error) error {
	return r.fault("column "+strconv.Quote(c.col), reason, err)
}
