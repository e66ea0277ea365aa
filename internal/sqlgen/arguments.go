package sqlgen

import (
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// arguments collects what a statement's conditions are given, as the database
// takes it.
type arguments struct {
	d      *dialect.Dialect
	values Values
	table  Table // of the SELECT that is being written
	// untyped is Env.Untyped.
	untyped func(a any, d *dialect.Dialect) any
	args    []any
}

// of sets a up for a statement of env.
func (a *arguments) of(env *Env) {
	a.d, a.values, a.table, a.untyped = env.Dialect, env.Values, env.Table, env.Untyped
}

// fault is what is wrong with a part of a statement, whose table the renderer
// knows.
func (a *arguments) fault(part, reason string, err error) error {
	return &StatementError{Part: part, Reason: reason, Err: err}
}

// field is the number of a column that the table knows, -1 for others.
func (a *arguments) field(column string) int {
	if a.table != nil {
		if i, ok := a.table.Field(column); ok {
			return i
		}
	}
	return -1
}

// operand is the argument that the column of a comparison, the table's field i
// or -1, is compared with.
func (a *arguments) operand(c *Cond, i int) (arg any, err error) {
	pattern := Like <= c.op && c.op <= NotILike
	if i >= 0 && c.val != nil && !pattern {
		if arg, err = a.table.Operand(i, c.val, a.d); err != nil {
			return nil, err
		}
	} else if arg, err = a.values.Operand(c.val, a.d); err != nil {
		return nil, a.fault("column "+strconv.Quote(c.col), "", err)
	}
	if i < 0 && arg != nil && a.untyped != nil {
		arg = a.untyped(arg, a.d)
	}
	if _, text := arg.(string); pattern && !text && arg != nil {
		return nil, a.fault("column "+strconv.Quote(c.col), fmt.Sprintf("%s takes text, not a %T", opName(c.op), c.val), nil)
	}
	return arg, nil
}

// list appends the elements of a comparison's list to the arguments, or returns
// them as one array where that is allowed; see Values. The column is the
// table's field i, or -1.
func (a *arguments) list(c *Cond, i int, arrays bool) (array any, hasNull bool, err error) {
	v := c.val
	if i >= 0 {
		if v, err = a.table.FitList(i, v); err != nil {
			return nil, false, err
		}
	}
	first := len(a.args)
	args, array, hasNull, err := a.values.AppendList(a.args, v, a.d, arrays)
	if err != nil {
		return nil, false, a.fault("column "+strconv.Quote(c.col), "", err)
	}
	a.args = args
	if i < 0 && a.untyped != nil {
		for k := first; k < len(args); k++ {
			args[k] = a.untyped(args[k], a.d)
		}
	}
	return array, hasNull, nil
}

// pair appends the two bounds of BETWEEN to the arguments.
func (a *arguments) pair(c *Cond, i int) error {
	first := len(a.args)
	_, hasNull, err := a.list(c, i, false)
	if err != nil {
		return err
	}
	if n := len(a.args) - first; n != 2 || hasNull {
		return a.fault("column "+strconv.Quote(c.col), fmt.Sprintf("%s takes a list of two values that are not nil, not %d", opName(c.op), n), nil)
	}
	return nil
}
