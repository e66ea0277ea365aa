package sqlgen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Env is what rendering needs to know beside the statement.
type Env struct {
	Dialect *dialect.Dialect
	Values  Values
	// Scope is the name of the connection that the statement goes to.
	Scope string
	// Table knows the columns of the statement's own table; nil accepts any.
	Table Table
	// Untyped changes an argument that is compared with a column that no table
	// knows; nil leaves it as it is.
	Untyped func(a any, d *dialect.Dialect) any
}

// Values turns Go values into what the driver takes.
type Values interface {
	// Arg returns the argument for a value that is written.
	Arg(v any, d *dialect.Dialect) (any, error)
	// Operand returns the argument for a value that is compared with.
	Operand(v any, d *dialect.Dialect) (any, error)
	// AppendList appends the arguments for the elements of a slice. array is
	// the whole list as one argument instead, if arrays allows it and the
	// elements do, else nil. hasNull tells of nil elements, which are left out
	// of both.
	AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error)
}

// Table is what a model knows of its table.
type Table interface {
	// Columns are the columns to select when the query names none, SelectList
	// the same as SQL of the dialect.
	Columns() []string
	SelectList(d *dialect.Dialect) (string, error)
	// Known says whether the table has the column, Quoted its name as SQL of
	// the dialect, "" for one that the table does not have or cannot have.
	Known(column string) bool
	Quoted(column string, d *dialect.Dialect) string
	// Field is the number of a column, which may be named after the table; the
	// values of those that have none are taken as they are.
	Field(column string) (i int, ok bool)
	// Fit turns a value that is assigned to a column into one of the column's
	// kind, or fails.
	Fit(i int, v any) (any, error)
	// FitList does the same for a list of values that a column is compared with.
	FitList(i int, list any) (any, error)
	// Operand is Values.Operand for a value that is made to fit the column.
	Operand(i int, v any, d *dialect.Dialect) (any, error)
}

// UnknownColumnError tells of a column that the model does not have.
type UnknownColumnError struct {
	Table  string
	Column string
	Known  []string
}

func (e *UnknownColumnError) Error() string {
	return fmt.Sprintf("dbfleet: table %q has no column %q known to the model; it has %s", e.Table, e.Column, strings.Join(e.Known, ", "))
}

// StatementError tells what is wrong with a statement before it is sent.
type StatementError struct {
	Table  string
	Part   string // the clause or column
	Reason string
	Err    error
}

func (e *StatementError) Error() string {
	s := "dbfleet: "
	if e.Table != "" {
		s += "table " + strconv.Quote(e.Table) + ": "
	}
	if e.Part != "" {
		s += e.Part + ": "
	}
	if e.Reason != "" {
		s += e.Reason
		if e.Err != nil {
			s += ": "
		}
	}
	if e.Err != nil {
		s += strings.TrimPrefix(e.Err.Error(), "dbfleet: ")
	}
	return s
}

func (e *StatementError) Unwrap() error { return e.Err }

// ErrTooManyArgs tells of a statement with more arguments than the database
// takes.
var ErrTooManyArgs = errors.New("more arguments than one statement of this database takes")

// renderer collects one statement. Its buffers are reused.
type renderer struct {
	arguments
	scope string // Env.Scope
	buf   []byte
	err   error
	// root is a copy of the statement's query, so that the caller's need not
	// live on the heap.
	root Query
	// scope of the SELECT that is being written
	q *Query
	// outer are the SELECTs around it whose columns it may name, outermost first
	outer []scope
	locks bool // the statement writes or locks rows, so its subqueries may lock
}

// scope is a SELECT and what is known of its table.
type scope struct {
	q     *Query
	table Table
}

var renderers = sync.Pool{New: func() any {
	return &renderer{buf: make([]byte, 0, 1024), arguments: arguments{args: make([]any, 0, 64)}}
}}

func newRenderer(env *Env) *renderer {
	r := renderers.Get().(*renderer)
	r.of(env)
	r.scope = env.Scope
	return r
}

// done returns the text and the arguments and gives the buffers back.
func (r *renderer) done() (string, []any, error) {
	if r.err == nil && r.d.MaxParams > 0 && len(r.args) > r.d.MaxParams {
		r.err = r.fault("arguments", fmt.Sprintf("%d of them, %s takes %d", len(r.args), r.d.Name, r.d.MaxParams), ErrTooManyArgs)
	}
	if r.err != nil {
		err := r.err
		r.free()
		return "", nil, err
	}
	text := string(r.buf)
	var args []any
	if len(r.args) > 0 {
		args = make([]any, len(r.args))
		copy(args, r.args)
	}
	r.free()
	return text, args, nil
}

// free gives the buffers back.
func (r *renderer) free() {
	r.clearArgs()
	if cap(r.args) > 4096 {
		r.args = make([]any, 0, 64)
	}
	if cap(r.buf) > 64<<10 {
		r.buf = make([]byte, 0, 1024)
	}
	*r = renderer{buf: r.buf[:0], arguments: arguments{args: r.args}}
	renderers.Put(r)
}

func (r *renderer) clearArgs() {
	clear(r.args)
	r.args = r.args[:0]
}

func (r *renderer) str(s string) { r.buf = append(r.buf, s...) }

func (r *renderer) fail(err error) {
	if r.err != nil {
		return
	}
	if e, ok := err.(*StatementError); ok && e.Table == "" && r.q != nil { //nolint:errorlint // the table belongs to the error itself
		known := *e // others may have it too
		known.Table = r.q.Table()
		err = &known
	}
	r.err = err
}

func (r *renderer) fault(part, reason string, err error) error {
	e := &StatementError{Part: part, Reason: reason, Err: err}
	if r.q != nil {
		e.Table = r.q.Table()
	}
	return e
}

// ident writes a quoted identifier.
func (r *renderer) ident(name string) {
	if why := checkIdent(r.d, name); why != "" {
		r.fail(r.fault("name "+strconv.Quote(name), why, nil))
		return
	}
	r.buf = appendIdent(r.buf, r.d.Quote, name)
}

func checkIdent(d *dialect.Dialect, name string) string {
	if name == "" {
		return "is empty"
	}
	for i := 0; i < len(name); i++ {
		if name[i] == 0 {
			return "contains a NUL byte"
		}
		if name[i] >= utf8.RuneSelf {
			if !utf8.ValidString(name) {
				return "is not valid UTF-8"
			}
			if strings.IndexByte(name, 0) >= 0 {
				return "contains a NUL byte"
			}
			break
		}
	}
	if d.MaxIdentifier > 0 && len(name) > d.MaxIdentifier {
		if d.Numbered || len([]rune(name)) > d.MaxIdentifier {
			return "is longer than the " + strconv.Itoa(d.MaxIdentifier) + " that " + d.Name + " takes"
		}
	}
	return ""
}

func appendIdent(buf []byte, quote byte, name string) []byte {
	buf = append(buf, quote)
	start := 0
	for i := 0; i < len(name); i++ {
		if name[i] == quote {
			buf = append(buf, name[start:i+1]...)
			start = i // the quote itself comes once more
		}
	}
	buf = append(buf, name[start:]...)
	return append(buf, quote)
}

// QuoteIdent returns name as an identifier of the dialect; a dot is part of
// the name.
func QuoteIdent(d *dialect.Dialect, name string) (string, error) {
	if why := checkIdent(d, name); why != "" {
		return "", &StatementError{Part: "name " + strconv.Quote(name), Reason: why}
	}
	return string(appendIdent(nil, d.Quote, name)), nil
}

// path writes a name whose dots separate schema, table and column.
func (r *renderer) path(name string) {
	for {
		i := strings.IndexByte(name, '.')
		if i < 0 {
			r.ident(name)
			return
		}
		r.ident(name[:i])
		r.buf = append(r.buf, '.')
		name = name[i+1:]
	}
}

// column writes a column of the current scope, which must be known where a
// model knows its columns.
func (r *renderer) column(name string) {
	if r.table == nil {
		r.path(name)
		return
	}
	q := r.q
	if quoted := r.table.Quoted(name, r.d); quoted != "" {
		if q.Joined() {
			r.path(q.refName())
			r.buf = append(r.buf, '.')
		}
		r.str(quoted)
		return
	}
	if r.table.Known(name) {
		r.ident(name) // which says what is wrong with it
		return
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 && r.qualified(name[:i], name[i+1:]) {
		return
	}
	if q.aliases(name) {
		r.ident(name)
		return
	}
	r.unknown(q, r.table, name)
}

func (r *renderer) unknown(q *Query, t Table, column string) {
	e := &UnknownColumnError{Table: q.Table(), Column: column}
	if t != nil {
		e.Known = t.Columns()
	}
	r.fail(e)
}

// qualified writes table.col as SQL resolves it: the nearest SELECT that reads
// a table by that name. ok is false when none does.
func (r *renderer) qualified(table, col string) (ok bool) {
	q := r.q
	if table == q.refName() {
		r.own(scope{q, r.table}, table, col)
		return true
	}
	if q.joins(table) {
		r.path(table)
		r.buf = append(r.buf, '.')
		r.ident(col)
		return true
	}
	for i := len(r.outer) - 1; i >= 0; i-- {
		s := r.outer[i]
		if table == s.q.refName() || s.q.joins(table) || lastPart(s.q.refName()) == table {
			r.own(s, table, col)
			return true
		}
	}
	// The table's own name where the query calls it otherwise.
	if table == q.Table() || table == lastPart(q.Table()) {
		r.own(scope{q, r.table}, table, col)
		return true
	}
	raw := q.rawJoins()
	for _, s := range r.outer {
		raw = raw || s.q.rawJoins()
	}
	if raw {
		r.path(table)
		r.buf = append(r.buf, '.')
		r.ident(col)
	}
	return raw
}

// own writes a column of a SELECT that reads a table under that name.
func (r *renderer) own(s scope, table, col string) {
	switch {
	case table != s.q.refName() && s.q.joins(table):
		r.path(table)
	case s.table != nil && !s.table.Known(col):
		r.unknown(s.q, s.table, table+"."+col)
		return
	default:
		r.path(s.q.refName())
	}
	r.buf = append(r.buf, '.')
	r.ident(col)
}

// lastPart is a name without its schema.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// refName is how the rest of the statement calls the query's table.
func (q *Query) refName() string {
	if q.more != nil && q.more.alias != "" {
		return q.more.alias
	}
	return q.Table()
}

// joins says whether the query joins a table of that name.
func (q *Query) joins(table string) bool {
	if q.more == nil {
		return false
	}
	for i := range q.more.joins {
		if j := &q.more.joins[i]; j.expr == nil && (j.table == table || lastPart(j.table) == table) {
			return true
		}
	}
	return false
}

// rawJoins says whether the query joins what only its SQL tells.
func (q *Query) rawJoins() bool {
	return q.more != nil && slices.ContainsFunc(q.more.joins, func(j join) bool { return j.expr != nil })
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
		found = found || ok && (rest == "" || !wordByte(rest[len(rest)-1]))
	}
	scan(text, false, func(i int) int {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				item(i)
				start = i + 1
			}
		}
		return i + 1
	})
	item(len(text))
	return found
}

// arg writes a placeholder and keeps its argument.
func (r *renderer) arg(v any) {
	a, err := r.values.Arg(v, r.d)
	if err != nil {
		r.fail(err)
		return
	}
	r.ready(a)
}

// ready writes a placeholder for an argument that needs no more work.
func (r *renderer) ready(a any) {
	r.args = append(r.args, a)
	r.placeholder(len(r.args))
}

// placeholder writes the placeholder of argument n, counted from 1.
func (r *renderer) placeholder(n int) {
	if !r.d.Numbered {
		r.buf = append(r.buf, '?')
		return
	}
	r.buf = append(r.buf, '$')
	r.buf = strconv.AppendInt(r.buf, int64(n), 10)
}

// placeholders writes those of the arguments from first to last.
func (r *renderer) placeholders(first, last int) {
	r.placeholder(first)
	if !r.d.Numbered {
		for n := first; n < last; n++ {
			r.buf = append(r.buf, ", ?"...)
		}
		return
	}
	for n := first + 1; n <= last; n++ {
		r.str(", ")
		r.placeholder(n)
	}
}

// raw writes an expression, its question marks turned into placeholders.
func (r *renderer) raw(e *Expr, where string) {
	text, args, err := e.resolve()
	if err != nil {
		r.fail(r.fault(where, "", err))
		return
	}
	if strings.IndexByte(text, 0) >= 0 {
		r.fail(r.fault(where, "the SQL contains a NUL byte", nil))
		return
	}
	if strings.TrimSpace(text) == "" {
		r.fail(r.fault(where, "the SQL is empty", nil))
		return
	}
	n, start := 0, 0
	open := scan(text, r.d == dialect.MySQL, func(i int) int {
		if text[i] != '?' {
			return i + 1
		}
		r.str(text[start:i])
		if i+1 < len(text) && text[i+1] == '?' {
			if !r.d.Numbered {
				r.fail(r.fault(where, "?? stands for an operator that only PostgreSQL has", nil))
			}
			r.buf = append(r.buf, '?')
			start = i + 2
			return start
		}
		if n < len(args) {
			before := len(r.args)
			r.rawArg(args[n])
			r.cast(text, i, where, before)
		}
		n++
		start = i + 1
		return start
	})
	r.str(text[start:])
	if open && where != "statement" {
		r.fail(r.fault(where, fmt.Sprintf("the SQL ends inside a comment or quotes: %q", text), nil))
	}
	if n != len(args) {
		r.fail(r.fault(where, fmt.Sprintf("%d placeholders for %d arguments in %q", n, len(args), text), nil))
	}
}

// isItem says whether the placeholder at i is all of an item of a select list,
// but for its alias.
func isItem(text string, i int) bool {
	before := strings.TrimRight(text[:i], " \t\r\n")
	if before != "" && (!strings.HasSuffix(before, ",") || depthOf(before) != 0) {
		return false
	}
	after := strings.TrimLeft(text[i+1:], " \t\r\n")
	return after == "" || after[0] == ',' || len(after) > 3 && strings.EqualFold(after[:2], "AS") && !wordByte(after[2])
}

// depthOf is how many parentheses are open after text.
func depthOf(text string) int {
	depth := 0
	scan(text, false, func(i int) int {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		return i + 1
	})
	return depth
}

// castOf is the cast of an argument that PostgreSQL would take for text, since
// nothing around it tells its type.
func castOf(v any) string {
	switch v.(type) {
	case int64:
		return "::bigint"
	case uint64:
		return "::numeric"
	case float64:
		return "::double precision"
	case bool:
		return "::boolean"
	case []byte:
		return "::bytea"
	case time.Time:
		return "::timestamptz"
	}
	return ""
}

// rawArg writes one argument of raw SQL: a subquery in parentheses, anything
// else as a placeholder.
func (r *renderer) rawArg(v any) {
	if sub, ok := v.(Subquery); ok {
		r.subquery(sub.Statement(r.scope))
		return
	}
	r.arg(v)
}

// Subquery is a value that stands for a query.
type Subquery interface {
	// Statement returns the query for a statement that goes to the connection
	// of that name; a query that lives elsewhere fails.
	Statement(scope string) (q Query, table Table, err error)
}

func (r *renderer) subquery(q Query, t Table, err error) {
	if err != nil {
		r.fail(err)
		return
	}
	if q.Lock() != NoLock && !r.locks {
		r.q = cmp.Or(r.q, &q)
		r.fail(r.fault("lock", "a subquery locks rows only in a write, or where the query around it locks too", nil))
		return
	}
	r.buf = append(r.buf, '(')
	r.nested(&q, t)
	r.buf = append(r.buf, ')')
}

// nested writes a query inside the current one, whose columns it may name with
// their table.
func (r *renderer) nested(q *Query, t Table) {
	outer, outerTable := r.q, r.table
	if outer != nil {
		r.outer = append(r.outer, scope{outer, outerTable})
	}
	r.selectStatement(q, t)
	if outer != nil {
		r.outer = r.outer[:len(r.outer)-1]
	}
	r.q, r.table = outer, outerTable
}

// derived writes a query in the place of a table. It sees nothing of the
// queries around it.
func (r *renderer) derived(q *Query, t Table, alias string) {
	outer, outerTable, scopes := r.q, r.table, r.outer
	r.outer = nil
	r.str("(")
	r.selectStatement(q, t)
	r.str(") AS ")
	r.ident(alias)
	r.q, r.table, r.outer = outer, outerTable, scopes
}
