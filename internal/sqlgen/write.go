package sqlgen

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// ErrMissingWhere tells of an UPDATE or DELETE without conditions.
var ErrMissingWhere = errors.New("dbfleet: no condition; AllRows() lets the statement change every row")

// Set is one assignment of an UPDATE.
type Set struct {
	Column string
	Value  any  // an *Expr is SQL, a Subquery is rendered
	Add    bool // column = column + value
	Ready  bool // Value is an argument that needs no more work
}

// Update renders UPDATE … SET … WHERE.
func Update(q *Query, sets []Set, env *Env) (string, []any, error) {
	r := newRenderer(env)
	r.root = *q
	q = &r.root
	r.q, r.locks = q, true
	r.writable(q, "an UPDATE")
	if len(sets) == 0 {
		r.fail(r.fault("update", "no column to set", nil))
	}
	r.str("UPDATE ")
	r.path(q.Table())
	r.str(" SET ")
	for i := range sets {
		if i > 0 {
			r.str(", ")
		}
		r.set(&sets[i])
	}
	r.where(q)
	return r.done()
}

func (r *renderer) set(s *Set) {
	if r.table != nil && !r.table.Known(s.Column) {
		r.fail(&UnknownColumnError{Table: r.q.Table(), Column: s.Column, Known: r.table.Columns()})
		return
	}
	r.ident(s.Column)
	r.str(" = ")
	if s.Add {
		r.ident(s.Column)
		r.str(" + ")
	}
	if s.Ready {
		r.ready(s.Value)
		return
	}
	switch v := s.Value.(type) {
	case *Expr:
		r.raw(v, "column "+strconv.Quote(s.Column))
		return
	case Subquery:
		r.subquery(v.Statement(r.scope))
		return
	}
	v := s.Value
	if r.table != nil && v != nil {
		if i, ok := r.table.Field(s.Column); ok {
			var err error
			if v, err = r.table.Fit(i, v); err != nil {
				r.fail(err)
				return
			}
		}
	}
	a, err := r.values.Arg(v, r.d)
	if err != nil {
		r.fail(r.fault("column "+strconv.Quote(s.Column), "", err))
		return
	}
	r.ready(a)
}

// Delete renders DELETE FROM … WHERE.
func Delete(q *Query, env *Env) (string, []any, error) {
	r := newRenderer(env)
	r.root = *q
	q = &r.root
	r.q, r.locks = q, true
	r.writable(q, "a DELETE")
	r.str("DELETE FROM ")
	r.path(q.Table())
	r.where(q)
	return r.done()
}

// writable refuses what an UPDATE or DELETE would have to ignore.
func (r *renderer) writable(q *Query, verb string) {
	part := ""
	switch {
	case q.limit != -1:
		part = "limit"
	case q.Offset() != 0:
		part = "offset"
	case q.steps.ordered():
		part = "order by"
	case q.distinct():
		part = "distinct"
	case q.Lock() != NoLock:
		part = "lock"
	case q.more != nil && len(q.more.joins) > 0:
		part = "join"
	case q.more != nil && len(q.more.groups)+len(q.more.having) > 0:
		part = "group by"
	case q.more != nil && len(q.more.unions) > 0:
		part = "union"
	case q.more != nil && q.more.from != nil:
		part = "from"
	case q.more != nil && q.more.alias != "":
		part = "alias"
	}
	if part != "" {
		r.fail(r.fault(part, verb+" does not take it; select the keys first and use WhereIn", nil))
	}
	if !q.HasConditions() && !q.AllRows() {
		r.fail(r.fault("", "", ErrMissingWhere))
	}
}

// Conflict is what an INSERT does with a row whose key exists.
type Conflict uint8

// The answers to an existing key.
const (
	Fail    Conflict = iota // the database's error
	Replace                 // the existing row is updated
	Ignore                  // the existing row stays as it is
)

// Insert describes INSERT INTO table (columns) VALUES rows.
type Insert struct {
	Table     string
	Columns   []string
	Rows      int
	Conflict  Conflict
	Keys      []string // the conflict's columns
	Sets      []string // the columns that an existing row takes from the new one
	KeepID    string   // MySQL: the key column whose value LAST_INSERT_ID() gives, also for an existing row
	Returning []string // where the dialect has it; "*" is all
}

// InsertText renders an INSERT whose arguments, row by row and column by
// column, the caller gives.
func InsertText(in *Insert, d *dialect.Dialect) (string, error) {
	if n := len(in.Columns) * in.Rows; d.MaxParams > 0 && n > d.MaxParams {
		return "", &StatementError{Table: in.Table, Part: "arguments", Reason: fmt.Sprintf("%d of them, %s takes %d", n, d.Name, d.MaxParams), Err: ErrTooManyArgs}
	}
	q := From(in.Table)
	r := newRenderer(&Env{Dialect: d})
	r.q = &q
	r.str("INSERT ")
	r.str("INTO ")
	r.path(in.Table)
	r.str(" ")
	if len(in.Columns) == 0 {
		if in.Rows != 1 {
			r.fail(r.fault("insert", "several rows without columns", nil))
		}
		r.str(d.DefaultValues)
	} else {
		r.insertValues(in)
	}
	r.conflict(in)
	for i, c := range in.Returning {
		r.str([2]string{" RETURNING ", ", "}[min(i, 1)])
		if c == "*" {
			r.str("*")
		} else {
			r.ident(c)
		}
	}
	text, _, err := r.done()
	return text, err
}

func (r *renderer) insertValues(in *Insert) {
	for i, c := range in.Columns {
		r.str([2]string{"(", ", "}[min(i, 1)])
		r.ident(c)
	}
	r.str(") VALUES ")
	n := 0
	for row := 0; row < in.Rows; row++ {
		if row > 0 {
			r.str(", ")
		}
		r.buf = append(r.buf, '(')
		for i := range in.Columns {
			if i > 0 {
				r.str(", ")
			}
			if !r.d.Numbered {
				r.buf = append(r.buf, '?')
				continue
			}
			n++
			r.buf = append(r.buf, '$')
			r.buf = strconv.AppendInt(r.buf, int64(n), 10)
		}
		r.buf = append(r.buf, ')')
	}
}

func (r *renderer) conflict(in *Insert) {
	if in.Conflict == Fail {
		return
	}
	if !r.d.UpsertConflict {
		r.duplicateKey(in)
		return
	}
	for i, k := range in.Keys {
		r.str([2]string{" ON CONFLICT (", ", "}[min(i, 1)])
		r.ident(k)
	}
	if len(in.Keys) == 0 {
		r.str(" ON CONFLICT")
	} else {
		r.str(")")
	}
	if in.Conflict == Ignore {
		r.str(" DO NOTHING")
		return
	}
	for i, c := range in.Sets {
		r.str([2]string{" DO UPDATE SET ", ", "}[min(i, 1)])
		r.ident(c)
		r.str(" = excluded.")
		r.ident(c)
	}
}

// duplicateKey writes MySQL's clause. INSERT IGNORE would hide other faults
// too, so an existing row is left alone by setting a column to itself.
func (r *renderer) duplicateKey(in *Insert) {
	if in.Conflict == Ignore && in.KeepID == "" {
		keep := in.Columns[0]
		if len(in.Keys) > 0 {
			keep = in.Keys[0]
		}
		r.str(" ON DUPLICATE KEY UPDATE ")
		r.ident(keep)
		r.str(" = ")
		r.ident(keep)
		return
	}
	n := 0
	for _, c := range in.Sets {
		r.str([2]string{" ON DUPLICATE KEY UPDATE ", ", "}[min(n, 1)])
		r.ident(c)
		r.str(" = VALUES(")
		r.ident(c)
		r.str(")")
		n++
	}
	if in.KeepID != "" {
		r.str([2]string{" ON DUPLICATE KEY UPDATE ", ", "}[min(n, 1)])
		r.ident(in.KeepID)
		r.str(" = LAST_INSERT_ID(")
		r.ident(in.KeepID)
		r.str(")")
	}
}

// Text renders a whole statement that the caller wrote, or that squirrel
// built, with ? for each argument.
func Text(e *Expr, env *Env) (string, []any, error) {
	r := newRenderer(env)
	r.raw(e, "statement")
	return r.done()
}
