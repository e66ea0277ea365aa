package sqlgen

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/lex"
)

// Gives says whether the rows of q may have a column of that name.
func (q *Query) Gives(name string) bool { return q.provides(name, nil) }

// Plucked returns the query for one column of q. name tells which one of its
// result that is; empty, it is the only one. A select list that gives the
// column stays, with the aliases that an order may use.
func (q Query) Plucked(column string) (out Query, name string) {
	last := lastPart(column)
	switch {
	case q.Selects() && q.lists(column):
		return q, cmp.Or(q.nameOf(column), column)
	case q.Unites() || q.Selects() && q.lists(last):
		return q, last
	}
	return q.OnlyColumns(Column{Name: column}), ""
}

// provides says whether the rows of q may have a column of that name.
func (q *Query) provides(name string, t Table) bool {
	if !q.Selects() {
		return t == nil || t.Known(name)
	}
	for i := range q.more.columns {
		switch c := &q.more.columns[i]; {
		case c.As != "":
			if c.As == name {
				return true
			}
		case c.Name == "*" || strings.HasSuffix(c.Name, ".*"):
			return true
		case c.Name == name || lastPart(c.Name) == name:
			return true
		}
	}
	return q.aliases(name)
}

// names says whether a column of q's result surely has that name.
func (q *Query) names(name string, t Table) bool {
	if !q.Selects() {
		return t != nil && t.Known(name)
	}
	return q.lists(name)
}

// lists says whether the select list names a column, other than by a star.
func (q *Query) lists(name string) bool {
	return q.aliases(name) || slices.ContainsFunc(q.more.columns, func(c Column) bool {
		return c.As == "" && (c.Name == name || lastPart(c.Name) == name)
	})
}

// nameOf is what a qualified column of the select list is called in the
// result, "" when that is its own name.
func (q *Query) nameOf(column string) string {
	for i := range q.more.columns {
		if c := &q.more.columns[i]; c.As == "" && c.Name == column && q.reads(strings.TrimSuffix(column, "."+lastPart(column))) {
			return lastPart(column)
		}
	}
	return ""
}

// aliases says whether the select list gives something that name: as an
// alias, or at the end of raw SQL.
func (q *Query) aliases(name string) bool {
	if q.more == nil {
		return false
	}
	for i := range q.more.columns {
		c := &q.more.columns[i]
		if c.As == name {
			return true
		}
		if c.Expr != nil && c.As == "" {
			text, _, err := c.Expr.resolve()
			if err == nil && namesAlias(text, name) {
				return true
			}
		}
	}
	return false
}

// namesAlias says whether an item of a raw select list has that name: it ends
// with it, as a column or as an alias, with AS or without.
func namesAlias(text, name string) bool {
	depth, start := 0, 0
	found := false
	item := func(end int) {
		s := strings.TrimRight(text[start:end], " \t\r\n")
		if n := len(s); n > 1 && (s[n-1] == '"' || s[n-1] == '`') {
			quote := s[n-1 : n]
			s = strings.TrimSuffix(s, quote+strings.ReplaceAll(name, quote, quote+quote)+quote)
			found = found || len(s) < n
			return
		}
		rest, ok := strings.CutSuffix(s, name)
		found = found || ok && (rest == "" || !lex.InWord(rest[len(rest)-1]))
	}
	scanner := lex.New(text, nil)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		switch {
		case t.Kind != lex.Symbol:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case t.Text == "," && depth == 0:
			item(t.At)
			start = t.At + 1
		}
	}
	item(len(text))
	return found
}

// oneColumn says whether the rows of q may have a single column.
func (q *Query) oneColumn(t Table) bool {
	if q.Selects() {
		return len(q.more.columns) == 1
	}
	return t == nil || len(t.Columns()) == 1
}
