package sqlgen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Tables whose rows belong to somebody each: whoever reads or changes rows of one, in
// whatever place of a statement, sees those of one owner only.

// Owner is whose rows of a table a statement may see: those that its column says, or all
// those of the table in a schema.
type Owner struct {
	// Schema has the owner's table; "" where all owners have one.
	Schema string
	Column string
	// Args are the owner as arguments that need no more work: one for each form in which
	// the column may hold it.
	Args []any
}

// ownerOf is the owner of the rows of q's table that the statement may see, nil if it may
// see all.
func (r *renderer) ownerOf(q *Query) *Owner {
	if r.owned == nil || q.more != nil && q.more.from != nil {
		return nil
	}
	if v := r.hider(); v != nil && !v.own && r.table != nil && r.table.Modelled() {
		return r.ownerOfCTE(v)
	}
	o := r.ownerTo(q.Table())
	if o != nil && o.Schema != "" {
		return nil
	}
	return o
}

// ownerOfCTE is the owner of the rows of a CTE that a model reads in the place of its table:
// they are another table's, so that nothing has narrowed them.
func (r *renderer) ownerOfCTE(v *visible) *Owner {
	o := r.ownerHere(v.name)
	if o == nil || o.Schema == "" && (!v.all || slices.Contains(v.columns, o.Column)) {
		return o
	}
	column := "schema"
	if o.Schema == "" {
		column = "column " + strconv.Quote(o.Column)
	}
	r.fail(r.fault("CTE "+strconv.Quote(v.name), "hides the table, and has rows of another one, without a "+column+" by which those of other tenants are left out; give it another name, and read it without the model", nil))
	return nil
}

// ownerTo is the owner of a table that is read, or is the one that the statement changes.
func (r *renderer) ownerTo(table string) *Owner {
	if r.target && len(r.outer) == 0 { // which no CTE of its name hides
		return r.ownerHere(table)
	}
	return r.owner(table)
}

// tablePath writes the name of a table where a statement says which one it is.
func (r *renderer) tablePath(name string) {
	if r.owned != nil {
		r.schemaOf(r.ownerTo(name), name)
	}
	r.tableName(name)
}

// joinedPath is tablePath for a table that is joined, which a CTE may hide in a write too.
func (r *renderer) joinedPath(name string) {
	if r.owned != nil {
		r.schemaOf(r.owner(name), name)
	}
	r.tableName(name)
}

func (r *renderer) schemaOf(o *Owner, name string) {
	if o != nil && o.Schema != "" && strings.IndexByte(name, '.') < 0 {
		r.ident(o.Schema)
		r.str(".")
	}
}

func (r *renderer) owner(table string) *Owner {
	if _, _, is := r.cteHas(table, ""); is { // which was written with the condition
		return nil
	}
	return r.ownerHere(table)
}

func (r *renderer) ownerHere(table string) *Owner {
	o, err := r.owned(table)
	if err != nil {
		r.fail(err)
		return nil
	}
	return o
}

// ownedBy writes the condition that rows are an owner's. table is how the SELECT calls
// theirs, "" where it reads no other.
func (r *renderer) ownedBy(o *Owner, table string) {
	if table == "" {
		r.ident(o.Column)
	} else {
		r.columnOf(table, o.Column)
	}
	if len(o.Args) == 1 {
		r.str(" = ")
		r.ready(o.Args[0])
		return
	}
	for i, a := range o.Args {
		r.str([2]string{" IN (", ", "}[min(i, 1)])
		r.ready(a)
	}
	r.str(")")
}

// ownTable is how an implicit condition calls q's own table, "" where it need not.
func (q *Query) ownTable() string {
	if q.Joined() {
		return q.refName()
	}
	return ""
}

// owned is a table that a statement calls by a name, and whose rows of it that may see: the
// value of a condition.
type owned struct {
	owner *Owner
	ref   string
}

// joinedOwner is the owner of the rows of a joined table that the statement may see, nil if
// it may see all.
func (r *renderer) joinedOwner(j *join) *Owner {
	if r.owned == nil {
		return nil
	}
	if o := r.owner(j.table); o != nil && o.Schema == "" {
		return o
	}
	return nil
}

// joinsOwned writes what a join asks beside its own condition: rows of another owner are
// as if they were not there.
func (r *renderer) joinsOwned(j *join, o *Owner) {
	if o == nil {
		return
	}
	r.str(" AND ")
	r.ownedBy(o, j.ref())
}

// rawOwned refuses SQL of the caller's that reads a table of owners, or gets out of the
// place where it stands: nobody would add the condition there.
func (r *renderer) rawOwned(text, where string) {
	depth := 0
	scanner := lex.New(text, r.d)
	var before lex.Token
	t := scanner.Next()
	for t.Kind != lex.End {
		next := scanner.Next()
		r.hidesName(t, text, where)
		switch {
		case t.Kind == lex.Symbol && t.Text == "(":
			depth++
		case t.Kind == lex.Symbol && t.Text == ")":
			if depth--; depth < 0 {
				next.Kind = lex.End
			}
		case t.Kind == lex.Symbol && t.Text == ";":
			depth = -1
			next.Kind = lex.End
		}
		if name := r.mayName(t, before); name != "" && (next.Kind != lex.Symbol || next.Text != ".") {
			if o := r.owner(name); o != nil || r.err != nil {
				r.fail(r.fault(where, fmt.Sprintf("the SQL names the table %q, whose rows belong to tenants, and cannot be narrowed; use a query, or write the table's name before a column", name), nil))
				return
			}
		}
		before, t = t, next
	}
	if depth != 0 {
		r.fail(r.fault(where, "its parentheses do not match, or it ends the statement, and the query reads rows of tenants", nil))
	}
}

// mayName is what a token may name. A text in single quotes is a name to SQLite wherever
// no value can stand (FROM 'orders'), and is taken for one unless it is compared.
func (r *renderer) mayName(t, before lex.Token) string {
	if r.d == dialect.SQLite && t.Kind == lex.Quoted && t.Text[0] == '\'' {
		if before.Kind == lex.Symbol && strings.Contains("=<>", before.Text) {
			return ""
		}
		return unquoted(t.Text)
	}
	name, _ := tokenName(t)
	return name
}

// hidesName refuses a name of PostgreSQL's that is written by the codes of its characters
// (U&"t\006cs"): it may be that of any table.
func (r *renderer) hidesName(t lex.Token, text, where string) {
	if r.d == dialect.Postgres && t.Is("U") && strings.HasPrefix(text[t.At+1:], `&"`) {
		r.fail(r.fault(where, `a name by its codes (U&"…") may be that of a table whose rows belong to tenants; write it plainly`, nil))
	}
}

// setsOwner refuses to give rows to another owner.
func (r *renderer) setsOwner(s *Set) {
	if r.owned == nil {
		return
	}
	if o := r.ownerOf(r.q); o != nil && strings.EqualFold(o.Column, s.Column) {
		r.fail(r.fault("column "+strconv.Quote(s.Column), "says whose row it is; a row does not move to another tenant by an update", nil))
	}
}
