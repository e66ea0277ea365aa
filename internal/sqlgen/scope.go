package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/lex"
)

// What a name means, as SQL resolves it: a name behind that of a table is a column
// of the nearest SELECT that reads a table by that name; a name alone is a column
// of the query's own table, or of a joined one that is known to have it. Where SQL
// looks at the select list, in ORDER BY, HAVING and GROUP BY, clauses.go does.

// column writes a column of the current SELECT, which must be known where a model
// knows its columns.
func (r *renderer) column(name string) {
	r.plain(name)
	if r.alone {
		r.ident(name)
		return
	}
	if r.having && r.havingColumn(name) {
		return
	}
	r.folds.reads(name)
	if r.table == nil {
		r.loose(name)
		return
	}
	quoted := r.table.Quoted(name, r.d)
	if quoted != "" && r.lacks(name) && !r.calls(name) {
		r.unknown(r.table, name)
		return
	}
	switch {
	case quoted != "" && !r.q.Joined():
		r.str(quoted)
	case quoted != "" && r.isOwn(name):
		r.path(r.q.refName())
		r.buf = append(r.buf, '.')
		r.str(quoted)
	default:
		r.otherColumn(name, quoted)
	}
}

// loose writes a column of a table that nothing is known of, but what a model of
// the same table tells of a name that a joined table may have, too.
func (r *renderer) loose(name string) {
	if r.q.Joined() && strings.IndexByte(name, '.') < 0 {
		if has, _ := r.modelHas(r.q.Table(), name); has {
			r.path(r.q.refName())
			r.buf = append(r.buf, '.')
		}
	}
	if table, column := splitName(name); table != "" && len(r.outer) > 0 && !r.q.reads(table) {
		r.readsOuter(table, column)
	}
	r.path(name)
}

// calls says whether the select list calls something by that name, which stands in ORDER BY.
func (r *renderer) calls(name string) bool {
	o, n, _ := r.q.named(r.d, name, r.table)
	return r.q.Selects() && n > 0 && o.kind == aliased
}

// columnOf writes a column behind the name of its table.
func (r *renderer) columnOf(table, column string) {
	r.path(table)
	r.buf = append(r.buf, '.')
	r.ident(column)
}

// isOwn says whether a name alone, which the table knows, is a column of its. All
// that a model knows are; a struct without a model that is read by a select list
// may have fields from joined tables, too.
func (r *renderer) isOwn(name string) bool {
	if r.table.Modelled() || !r.q.Selects() {
		return true
	}
	if has, known := r.modelHas(r.q.Table(), name); known {
		return has
	}
	o, n, _ := r.q.named(r.d, name, nil)
	return n == 1 && o.kind == plain && o.table != "" && r.q.own(o.table)
}

// otherColumn writes a column that is not known to be one of q's own table. quoted
// is its name, "" when the table does not know it.
func (r *renderer) otherColumn(name, quoted string) {
	q := r.q
	if quoted == "" && r.table.Modelled() && r.table.Known(name) {
		r.ident(name) // which says what is wrong with it
		return
	}
	table, column := splitName(name)
	if table != "" && quoted == "" {
		if !r.qualified(table, column) && !r.aliasAlone(name) {
			r.unknown(r.table, name)
		}
		return
	}
	has, _ := r.modelHas(q.Table(), name)
	joined := r.joinedWith(name)
	switch {
	case has && r.table.Modelled():
		r.unknown(r.table, name) // another model's column of this table
	case has && q.Joined():
		r.columnOf(q.refName(), name)
	case len(joined) > 1:
		r.ambiguous(name, joined)
	case len(joined) == 1:
		r.columnOf(joined[0], name)
	case quoted != "" || r.table.Known(name):
		r.ident(name)
	case !r.aliasAlone(name):
		r.unknown(r.table, name)
	}
}

// aliasAlone writes a name that nothing but the select list has, as far as is known.
// WHERE does not see that, so there it must be that of a joined table.
func (r *renderer) aliasAlone(name string) (ok bool) {
	if !r.q.Selects() || !r.grouping && !r.joinsUnknown() {
		return false
	}
	o, n, _ := r.q.named(r.d, name, r.table)
	if n == 0 || o.kind != aliased || o.of == name {
		return false
	}
	r.ident(o.nameIn(r.d))
	return true
}

// joinedWith are the joined tables whose models have the column, as the query
// calls them.
func (r *renderer) joinedWith(column string) (names []string) {
	if r.q.more == nil {
		return nil
	}
	for i := range r.q.more.joins {
		if j := &r.q.more.joins[i]; j.expr == nil {
			if has, _ := r.modelHas(j.table, column); has {
				names = append(names, j.ref())
			}
		}
	}
	return names
}

// joinsUnknown says whether the query joins a table that no model is known of.
func (r *renderer) joinsUnknown() bool {
	return r.q.more != nil && slices.ContainsFunc(r.q.more.joins, func(j join) bool {
		if j.expr != nil {
			return true
		}
		_, known := r.modelHas(j.table, "")
		return !known
	})
}

// modelHas says whether a model of the table has the column, and whether there is
// such a model; of a CTE of that name, what its select list says.
func (r *renderer) modelHas(table, column string) (has, known bool) {
	if has, known, is := r.cteHas(table, column); is {
		return has, known
	}
	if r.models == nil {
		return false, false
	}
	return r.models.Have(r.connection, table, column)
}

// ambiguous fails for a name that several things have.
func (r *renderer) ambiguous(name string, have []string) {
	r.fail(r.fault("column "+strconv.Quote(name), "is ambiguous: "+strings.Join(have, " and ")+" have it; write the table before it, or give one an alias", nil))
}

// unknown fails for a column that the current SELECT does not have.
func (r *renderer) unknown(t Table, column string) {
	e := &UnknownColumnError{Table: r.q.Table(), Column: column}
	if t != nil {
		e.Known = t.Columns()
	}
	if v := r.hider(); v != nil && v.all {
		e.Known = v.columns
	}
	if r.q.Selects() {
		e.Selected = r.q.outputNames(r.d)
		if slices.Contains(r.q.more.columns, Column{Name: column}) { // it is the one that is unknown
			e.Selected = slices.DeleteFunc(e.Selected, func(name string) bool { return name == column })
		}
	}
	e.Tables = r.q.tables()
	for i := len(r.outer) - 1; i >= 0; i-- {
		e.Tables = append(e.Tables, r.outer[i].q.tables()...)
	}
	if len(e.Tables) == 1 && e.Tables[0] == e.Table {
		e.Tables = nil
	}
	r.fail(e)
}

// qualified writes table.col as SQL resolves it: the nearest SELECT that reads
// a table by that name. ok is false when none does.
func (r *renderer) qualified(table, col string) (ok bool) {
	here := scope{r.q, r.table, r.folds}
	if r.within(here, table, col, r.q.isItself() && r.q.own(table)) {
		return true
	}
	for i := len(r.outer) - 1; i >= 0; i-- {
		if r.within(r.outer[i], table, col, lastPart(r.outer[i].q.refName()) == table) {
			r.outer[i].folds.reads(table + "." + col)
			return true
		}
	}
	// The table's own name where the query calls it otherwise.
	if r.q.own(table) {
		return r.within(here, table, col, true)
	}
	raw := r.q.rawlyJoins(table)
	for _, s := range r.outer {
		raw = raw || s.q.rawlyJoins(table)
	}
	if raw {
		r.columnOf(table, col)
	}
	return raw
}

// within writes table.col if a SELECT reads a table by that name; own says that it
// is the SELECT's own.
func (r *renderer) within(s scope, table, col string, own bool) (ok bool) {
	j := s.q.joined(table)
	own = own || table == s.q.refName()
	if !own && j == nil {
		return false
	}
	// A table that is joined with itself has the same columns.
	if s.table != nil && !s.table.Known(col) && (own || j.table == s.q.Table()) {
		outer := r.q
		r.q = s.q
		r.unknown(s.table, table+"."+col)
		r.q = outer
		return true
	}
	if own {
		table = s.q.refName()
	}
	r.columnOf(table, col)
	return true
}

// refName is how the rest of the statement calls the query's table.
func (q *Query) refName() string {
	if q.more != nil && q.more.alias != "" {
		return q.more.alias
	}
	return q.Table()
}

// ref is how the rest of the statement calls the joined table.
func (j *join) ref() string {
	if j.alias != "" {
		return j.alias
	}
	return j.table
}

// joined is the join of a table that is called so, nil without one.
func (q *Query) joined(table string) *join {
	if q.more == nil {
		return nil
	}
	for i := range q.more.joins {
		if j := &q.more.joins[i]; j.expr == nil && (j.ref() == table || j.alias == "" && lastPart(j.table) == table) {
			return j
		}
	}
	return nil
}

// joins says whether the query joins a table that is called so.
func (q *Query) joins(table string) bool { return q.joined(table) != nil }

// rawlyJoins says whether the query has a join clause given as SQL in which that
// name occurs.
func (q *Query) rawlyJoins(table string) bool {
	if q.more == nil {
		return false
	}
	table = lastPart(table)
	return slices.ContainsFunc(q.more.joins, func(j join) bool { return j.expr != nil && mentions(j.expr, table) })
}

// mentions says whether a name may occur in SQL of the caller's.
func mentions(e *Expr, name string) bool {
	text, _, err := e.resolve()
	if err != nil {
		return true
	}
	scanner := lex.New(text, nil)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		if word, _ := tokenName(t); word != "" && strings.EqualFold(word, name) {
			return true
		}
	}
	return scanner.Open()
}

// own says whether a name before a column means the query's own table: its alias,
// or its name, if no other table is called so.
func (q *Query) own(table string) bool {
	switch {
	case table == q.refName():
		return true
	case q.joins(table), table != q.Table() && table != lastPart(q.Table()):
		return false
	}
	return !q.rawlyJoins(table)
}

// isSelf says whether a name before a column means the query's own table, or the
// same one joined with itself.
func (q *Query) isSelf(table string) bool {
	if j := q.joined(table); j != nil && table != q.refName() {
		return j.table == q.Table()
	}
	return q.own(table)
}

// means says whether a name means that column of the query's own table.
func (q *Query) means(name, column string) bool {
	n := len(name) - len(column) - 1
	return name == column || n > 0 && name[n] == '.' && name[n+1:] == column && q.own(name[:n])
}

// reads says whether q reads a table by that name.
func (q *Query) reads(table string) bool {
	return q.own(table) || q.joins(table) || q.rawlyJoins(table) || table == lastPart(q.refName())
}

// tables are the tables that the query reads, by the names that it gives them.
func (q *Query) tables() []string {
	if q.more != nil && q.more.from != nil {
		return []string{q.more.alias}
	}
	names := []string{calledAs(q.Table(), q.refName())}
	if q.more != nil {
		for i := range q.more.joins {
			if j := &q.more.joins[i]; j.expr == nil {
				names = append(names, calledAs(j.table, j.ref()))
			}
		}
	}
	return names
}

func calledAs(table, alias string) string {
	if table == alias {
		return table
	}
	return table + " AS " + alias
}
