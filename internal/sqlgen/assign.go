package sqlgen

import (
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// inTurn is the order of assignments in which each expression sees the row as it was.
// Every database but MySQL takes the old values anyway; MySQL assigns one column after
// the other, so what reads a column goes before the assignment of it. Columns that read
// each other are refused there.
func (r *renderer) inTurn(sets []Set) []Set {
	if r.d != dialect.MySQL || len(sets) < 2 {
		return sets
	}
	reads := make([]map[string]bool, len(sets)) // by assignment: the names in its SQL
	sql := false
	for i := range sets {
		if e, ok := sets[i].Value.(*Expr); ok {
			reads[i] = namesIn(e)
			sql = true
		} else if _, ok := sets[i].Value.(Subquery); ok {
			sql = true
		}
	}
	if !sql {
		return sets
	}
	out := make([]Set, 0, len(sets))
	left := make([]int, 0, len(sets))
	for i := range sets { // a subquery may read any column
		if readsAny(sets[i].Value) {
			out = append(out, sets[i])
		} else {
			left = append(left, i)
		}
	}
	for len(left) > 0 {
		at := -1
		for n, i := range left {
			if !readByOthers(left, i, sets[i].Column, reads) {
				at = n
				break
			}
		}
		if at < 0 {
			i, column := left[0], sets[left[0]].Column
			r.fail(r.fault("column "+strconv.Quote(column), "reads a column that is assigned as well and reads this one; MySQL assigns one after the other, so read the row first", nil))
			return append(out, sets[i])
		}
		out = append(out, sets[left[at]])
		left = append(left[:at:at], left[at+1:]...)
	}
	return out
}

// readByOthers says whether another of the assignments reads the column of i.
func readByOthers(left []int, i int, column string, reads []map[string]bool) bool {
	for _, other := range left {
		if other != i && reads[other][strings.ToLower(column)] {
			return true
		}
	}
	return false
}

// readsAny says whether the value of an assignment may read any column.
func readsAny(v any) bool {
	switch v := v.(type) {
	case Subquery:
		return true
	case *Expr:
		if v.Term != nil {
			_, whole := columnsOf(v.Term)
			return !whole
		}
	}
	return false
}

// namesIn are the words of an expression, in small letters, columns among them.
func namesIn(e *Expr) map[string]bool {
	if e.Term != nil {
		names, _ := columnsOf(e.Term)
		return names
	}
	names := map[string]bool{}
	text, _, err := e.resolve()
	if err != nil {
		return names // told when it is rendered
	}
	s := lex.New(text, dialect.MySQL)
	for t := s.Next(); t.Kind != lex.End; t = s.Next() {
		switch {
		case t.Kind == lex.Word:
			names[strings.ToLower(t.Text)] = true
		case t.Kind == lex.Quoted && t.Text[0] == '`' && len(t.Text) > 1:
			name := t.Text[1 : len(t.Text)-1]
			names[strings.ToLower(strings.ReplaceAll(name, "``", "`"))] = true
		}
	}
	return names
}
