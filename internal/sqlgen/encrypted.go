package sqlgen

import (
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/value"
)

// plain fails for a column of which the database has the ciphertext only, where that is
// compared, sorted or computed with: each value has another, so that nothing is found.
func (r *renderer) plain(name string) {
	if r.sealed || r.err != nil || !r.isEncrypted(name) {
		return
	}
	r.fail(r.fault("column "+strconv.Quote(name), "", fmt.Errorf("%w: it is selected and compared with NULL, and nothing else; keep what rows are found or sorted by in a column of its own", value.ErrEncrypted)))
}

// plainItems fails where a subquery whose rows are compared, or computed with, selects a
// column of which the database has the ciphertext only.
func (r *renderer) plainItems(q *Query, t Table) {
	if q.more == nil || r.err != nil {
		return
	}
	outer, table, sealed := r.q, r.table, r.sealed
	if outer != nil {
		r.outer = append(r.outer, scope{outer, table, nil})
	}
	r.q, r.table, r.sealed = q, t, false
	for i := range q.more.columns {
		if c := &q.more.columns[i]; c.Expr == nil && c.Func == "" && c.Sub == nil {
			r.plain(c.Name)
		}
	}
	if outer != nil {
		r.outer = r.outer[:len(r.outer)-1]
	}
	r.q, r.table, r.sealed = outer, table, sealed
	for _, u := range q.more.unions {
		if q, t, err := r.statement(u.q); err == nil {
			r.plainItems(&q, t)
		}
	}
}

// asSealed writes what may have a column's ciphertext.
func (r *renderer) asSealed(write func()) {
	was := r.sealed
	r.sealed = true
	write()
	r.sealed = was
}

func (r *renderer) isEncrypted(name string) bool {
	if r.table != nil && r.table.Encrypted(name) {
		return true
	}
	if r.models == nil {
		return false
	}
	table, column := splitName(name)
	if table == "" {
		for _, joined := range r.joinedTables() {
			if r.models.Encrypted(r.connection, joined, column) {
				return r.table == nil || !r.table.Known(name)
			}
		}
		return false
	}
	if of := r.q.tableCalled(table); of != "" {
		return r.models.Encrypted(r.connection, of, column)
	}
	for i := len(r.outer) - 1; i >= 0; i-- {
		if of := r.outer[i].q.tableCalled(table); of != "" {
			return r.models.Encrypted(r.connection, of, column)
		}
	}
	return false
}

// joinedTables are the tables that the current SELECT joins, by their own names.
func (r *renderer) joinedTables() (names []string) {
	if r.q.more != nil {
		for i := range r.q.more.joins {
			if j := &r.q.more.joins[i]; j.expr == nil {
				names = append(names, j.table)
			}
		}
	}
	return names
}

// tableCalled is the table that the query calls so, "" for none.
func (q *Query) tableCalled(name string) string {
	if j := q.joined(name); j != nil {
		return j.table
	}
	if q.own(name) {
		return q.Table()
	}
	return ""
}

// blind writes a comparison with an encrypted column that has a blind index: as one with
// that. It says no to every other column.
func (r *renderer) blind(c *Cond) bool {
	prefix, column := splitName(c.col)
	switch {
	case r.having:
		return false
	case prefix == "" || r.table.Encrypted(c.col):
		column = c.col
	case !r.q.isSelf(prefix):
		return false
	}
	if !r.table.Encrypted(column) || !r.table.Blinded(column) {
		return false
	}
	list := c.op == In || c.op == NotIn
	switch c.val.(type) {
	case Subquery, *Expr, *Number:
		return false
	case nil:
		if !list {
			return false
		}
	}
	if c.op != Eq && c.op != NotEq && !list {
		r.fail(r.columnFault(c, "", fmt.Errorf("%w: its blind index tells what is equal, by =, <>, IN and NOT IN, not %s", value.ErrEncrypted, opName(c.op))))
		return true
	}
	index, values, err := r.table.Blind(column, c.val, list)
	switch {
	case err != nil:
		r.fail(err)
		return true
	case index == "":
		return false
	}
	if prefix != "" {
		index = c.col[:len(c.col)-len(lastPart(c.col))] + index
	}
	found := *c
	found.col, found.val = index, values
	if _, several := values.([]any); several && !list {
		found.op = In
		if c.op == NotEq {
			found.op = NotIn
		}
	}
	r.compare(&found)
	return true
}
