package sqlgen

import (
	"cmp"
	"iter"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// An output is a column of a query's result, as an item of its select list names
// it.
type output struct {
	kind  outputKind
	name  string // "" when only the database knows it
	fold  bool   // name stands without quotes in SQL: its case is the database's affair
	table string // what stands before the name of a column or a star, "" for nothing
	of    string // the column that it is, "" for anything else
	loose bool   // of stands without quotes in SQL
	item  *Column
	raw   Expr // an item of raw SQL, without its alias
}

type outputKind uint8

const (
	nameless outputKind = iota // an expression without an alias
	aliased                    // anything with an alias
	plain                      // a column under its own name
	star                       // all columns of table, or of all tables
	unread                     // raw SQL that cannot be read: any columns
)

// called says whether the output has that name.
func (o *output) called(name string) bool {
	return o.name != "" && (o.name == name || o.fold && strings.EqualFold(o.name, name))
}

// nameIn is the output's name as the dialect has it.
func (o *output) nameIn(d *dialect.Dialect) string {
	if o.fold && d == dialect.Postgres {
		return strings.ToLower(o.name)
	}
	return o.name
}

// path is the column's name behind that of its table.
func (o *output) path() string {
	if o.table == "" {
		return o.of
	}
	return o.table + "." + o.of
}

// outputs are the items of the select list; none when the query has no list of
// its own. Without a dialect raw SQL is read only where all read it alike.
func (q *Query) outputs(d *dialect.Dialect) iter.Seq[output] {
	return func(yield func(output) bool) {
		if q.more == nil {
			return
		}
		for i := range q.more.columns {
			c := &q.more.columns[i]
			if c.Expr != nil && c.As == "" {
				if !c.rawOutputs(d, yield) {
					return
				}
				continue
			}
			o := output{kind: aliased, name: c.As, item: c}
			if c.Expr == nil && c.Func == "" && c.Sub == nil {
				o.table, o.of = splitName(c.Name)
				switch {
				case o.of == "*":
					o.kind, o.of = star, ""
				case c.As == "":
					o.kind, o.name = plain, o.of
				}
			} else if c.As == "" {
				o.kind = nameless
			}
			if !yield(o) {
				return
			}
		}
	}
}

// splitName splits a column's name from that of its table.
func splitName(name string) (table, column string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// rawOutputs yields the items of raw SQL, which a comma outside of brackets
// separates. It gives false when yield did.
func (c *Column) rawOutputs(d *dialect.Dialect, yield func(output) bool) bool {
	text, args, err := c.Expr.resolve()
	if err != nil || d == nil && isParticular(text) {
		return yield(output{kind: unread, item: c})
	}
	var item rawItem
	depth, start, used := 0, 0, 0
	end := func(at int) bool {
		o := item.output(text[start:at], start)
		o.item, o.raw.Args = c, args[min(used, len(args)):min(used+item.args, len(args))]
		used += item.args
		return yield(o)
	}
	scanner := lex.New(text, d)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		if t.Kind == lex.Symbol {
			switch t.Text {
			case "(", "[":
				depth++
			case ")", "]":
				depth--
			case ",":
				if depth == 0 {
					if !end(t.At) {
						return false
					}
					item, start = rawItem{}, t.At+1
					continue
				}
			}
		}
		item.add(t)
	}
	if scanner.Open() || depth != 0 {
		return yield(output{kind: unread, item: c})
	}
	return end(len(text))
}

// isParticular says whether the databases may split SQL into words in different
// ways.
func isParticular(text string) bool {
	return strings.ContainsAny(text, `\$#`) || strings.Contains(text, "--") || strings.Contains(text, "/*")
}

// rawItem is what was read of one item: whether it is a path of names, and its
// last three tokens.
type rawItem struct {
	n      int
	args   int
	path   []string // of a path of names, its parts; a star is "*"
	folded bool     // the path's last part has no quotes
	good   int      // how many tokens from the first on are a path
	last   [3]lex.Token
	paired bool // the last token was a ?? that stands for an operator
}

func (i *rawItem) add(t lex.Token) {
	switch {
	case t.Kind != lex.Placeholder:
	case i.last[2].Kind == lex.Placeholder && i.last[2].At == t.At-1 && !i.paired:
		i.args--
		i.paired = true
	default:
		i.args++
		i.paired = false
	}
	if i.n == 0 && (t.Is("DISTINCT") || t.Is("ALL")) {
		return
	}
	i.n++
	i.last[0], i.last[1], i.last[2] = i.last[1], i.last[2], t
	if i.good < i.n-1 {
		return
	}
	switch name, quoted := tokenName(t); {
	case i.n%2 == 0:
		if t.Text != "." {
			return
		}
	case name != "":
		i.path, i.folded = append(i.path, name), !quoted
	case t.Text == "*":
		i.path, i.folded = append(i.path, "*"), false
	default:
		return
	}
	i.good = i.n
}

// output is the item whose SQL begins at start of the whole.
func (i *rawItem) output(text string, start int) output {
	o := output{raw: Expr{SQL: strings.TrimSpace(text)}}
	if i.n == 0 {
		return o
	}
	if i.isPath(i.n) && !valueWords[strings.ToUpper(i.last[2].Text)] {
		if o.table, o.of = i.column(); o.of == "*" {
			o.kind, o.of = star, ""
			return o
		}
		o.kind, o.name, o.fold, o.loose = plain, o.of, i.folded, i.folded
		return o
	}
	name, quoted := tokenName(i.last[2])
	before := i.last[1]
	as := before.Is("AS") && before.Kind == lex.Word
	if as && name == "" && i.last[2].Kind == lex.Quoted { // MySQL's AS 'name'
		name, quoted = unquoted(i.last[2].Text), true
	}
	if name == "" || !as && !i.bareAlias() {
		return o
	}
	o.kind, o.name, o.fold = aliased, name, !quoted
	cut, expr := i.last[2].At, i.n-1
	if as {
		cut, expr = before.At, i.n-2
	}
	o.raw.SQL = strings.TrimSpace(text[:cut-start])
	if i.isPath(expr) {
		o.loose = i.folded
		o.table, o.of = i.column()
	}
	return o
}

// isPath says whether the first n tokens, and no more, are a path of names.
func (i *rawItem) isPath(n int) bool { return i.good == n && n%2 == 1 }

// column is the path's last name, and those before it.
func (i *rawItem) column() (table, column string) {
	last := len(i.path) - 1
	return strings.Join(i.path[:last], "."), i.path[last]
}

// bareAlias says whether the last token is an alias without AS: it follows what
// ends an expression.
func (i *rawItem) bareAlias() bool {
	before, t := i.last[1], i.last[2]
	if valueWords[strings.ToUpper(t.Text)] {
		return false
	}
	switch before.Kind {
	case lex.Word:
		return !openWords[strings.ToUpper(before.Text)]
	case lex.Quoted, lex.Placeholder:
		return true
	case lex.Symbol:
		digit := before.Text[0] >= '0' && before.Text[0] <= '9'
		return before.Text == ")" || before.Text == "]" || digit && t.At > before.At+1
	}
	return false
}

// valueWords end an expression and are no names; openWords cannot end one.
var (
	valueWords = wordSet("END NULL TRUE FALSE UNKNOWN ISNULL NOTNULL CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP CURRENT_USER SESSION_USER USER")
	openWords  = wordSet("AND OR XOR NOT IN LIKE ILIKE IS BETWEEN DIV MOD REGEXP RLIKE GLOB MATCH COLLATE DISTINCT ALL ESCAPE ZONE FROM INTERVAL CASE WHEN THEN ELSE",
		"ANY SOME OVER BINARY SIMILAR TO OPERATOR AS SELECT WHERE BY")
)

func wordSet(lists ...string) map[string]bool {
	set := map[string]bool{}
	for _, list := range lists {
		for w := range strings.FieldsSeq(list) {
			set[w] = true
		}
	}
	return set
}

// tokenName is the name that a token is, "" for none.
func tokenName(t lex.Token) (name string, quoted bool) {
	switch {
	case t.Kind == lex.Word:
		return t.Text, false
	case t.Kind == lex.Quoted && strings.IndexByte("\"`[", t.Text[0]) >= 0:
		return unquoted(t.Text), true
	}
	return "", false
}

// unquoted is what a token in quotes says.
func unquoted(text string) string {
	if len(text) < 2 {
		return ""
	}
	quote := text[:1]
	return strings.ReplaceAll(text[1:len(text)-1], quote+quote, quote)
}

// named finds the outputs of that name. n is how many there are that differ; o is
// the first. any says that there may be more, which only the database knows: from
// the star of another table, or in raw SQL that cannot be read. t knows q's table.
func (q *Query) named(d *dialect.Dialect, name string, t Table) (o output, n int, any bool) {
	add := func(next output) {
		if n == 0 || !(next.of != "" && next.of == o.of && q.sameTable(next.table, o.table)) {
			if n++; n == 1 {
				o = next
			}
		}
	}
	for next := range q.outputs(d) {
		switch {
		case next.called(name):
			add(next)
		case next.kind == plain && next.item.Name == name && (t != nil && t.Known(name) || !q.reads(next.table)): // the dot is part of the column's name
			next.table, next.of, next.name = "", name, name
			add(next)
		case next.kind == unread, next.kind == star && !q.ownStar(&next):
			any = true
		case next.kind == star && t != nil && t.Known(name):
			add(output{kind: plain, name: name, of: name, item: next.item})
		}
	}
	return o, n, any
}

// ownStar says whether a star stands for the columns of q's own table only.
func (q *Query) ownStar(o *output) bool {
	if o.table == "" {
		return o.item.Expr == nil || !q.Joined()
	}
	return q.own(o.table)
}

// given tells what a column is called in the result of q: by its name there, or by
// the column that is read under another one. ok says that there is, or may be, such
// a column; sure that there is.
func (q *Query) given(d *dialect.Dialect, name string, t Table) (called string, ok, sure bool) {
	table, column := splitName(name)
	if !q.Selects() {
		switch {
		case t != nil && t.Known(name):
			return name, true, true
		case table == "" || !q.reads(table):
			return name, t == nil, false
		case t == nil:
			return column, true, false
		}
		known := q.own(table) && t.Known(column)
		return column, known, known
	}
	o, n, any := q.named(d, name, t)
	if n > 0 {
		return o.name, true, true
	}
	under, all := "", false
	for o := range q.outputs(d) {
		switch same := o.of != "" && o.of == column && q.sameTable(o.table, table); {
		case same && o.kind == plain:
			return o.name, true, true
		case same && under == "" && !q.Unites(): // whose other rows have another column there
			under = o.name
		case o.kind == star && table != "" && q.sameTable(o.table, table) && (t == nil || !q.own(table) || t.Known(column)):
			return column, true, t != nil && q.own(table)
		case o.kind == star && t == nil && q.ownStar(&o):
			all = true
		}
	}
	if under != "" {
		return under, true, true
	}
	return name, (any || all) && table == "", false
}

// sameTable says whether two names before a column are those of one table of q;
// none stands for its own.
func (q *Query) sameTable(a, b string) bool {
	a, b = cmp.Or(a, q.refName()), cmp.Or(b, q.refName())
	return a == b || q.own(a) && q.own(b) || !q.own(a) && !q.own(b) && lastPart(a) == lastPart(b) && q.joins(a) && q.joins(b)
}

// outputNames are the names of the select list, as far as they are known.
func (q *Query) outputNames(d *dialect.Dialect) (names []string) {
	for o := range q.outputs(d) {
		switch {
		case o.name != "":
			names = append(names, o.name)
		case o.kind == star:
			names = append(names, strings.TrimPrefix(o.table+".*", "."))
		}
	}
	return names
}
