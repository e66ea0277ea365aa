package sqlgen

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// renderer writes one statement: its text and, in the order of their
// placeholders, its arguments. It is used by one goroutine. Its buffers are
// reused, so a statement costs one string and one slice of arguments.
type renderer struct {
	d          *dialect.Dialect
	values     Values
	untyped    func(a any, d *dialect.Dialect) any // Env.Untyped
	connection string                              // Env.Connection
	models     Models                              // Env.Models
	implicit   func(Subquery) ([]Cond, error)      // Env.Implicit
	owned      func(table string) (*Owner, error)  // Env.Owned
	far        *Far                                // Env.Far, or what is missing in it
	key        []string                            // Env.Key
	byDigits   bool                                // Env.ByDigits

	buf  []byte
	args []any
	err  error // the first fault

	// root is a copy of the statement's query, so that the caller's need not
	// live on the heap.
	root Query
	// q is the SELECT that is being written, or the UPDATE or DELETE; nil in a
	// statement that the caller wrote. table knows its columns, nil accepts any.
	q     *Query
	table Table
	// outer are the SELECTs around q whose columns it may name, outermost first.
	outer  []scope
	ctes   []visible // what may be read by its name here
	inside []hiding  // SQLite: the CTEs whose queries are being written
	target bool      // the table that the statement changes is being written
	locks  bool      // the statement writes or locks rows, so its subqueries may lock

	implied  int      // how many implicit conditions the one that is being written stands in
	veil     bool     // of arguments; see veiled
	having   bool     // the conditions of HAVING are being written
	grouping bool     // a column of GROUP BY is being written
	numeral  bool     // an expression is written that is a number
	among    []Term   // whose values the value that is written may be
	alone    bool     // a column is one of the only table, and a dot a part of its name
	affinity affinity // of the columns of which one is written beside values of Go
	merges   bool     // an aggregate, or a window's function, was written
	sealed   bool     // the column that is being written may be an encrypted one
	mayWrite bool     // a raw part is not known to be a plain read

	numbers, numbered bool        // Env.Numbers, Env.Numbered
	windows           []windowsOf // of MySQL
	items             []item      // of the select lists of groups
	folds             *folds      // of the SELECT that is being written

	copies int  // how often the list that is being written is sent
	padded bool // a list was padded
	exact  bool // lists are not padded
}

// item is an expression of a select list as it was written.
type item struct {
	c      *Column
	merges bool
	// text is the SQL, where placeholders have numbers: written again it means the same
	// arguments, and only so is it the same expression to PostgreSQL.
	text string
}

// scope is a SELECT and what is known of its table.
type scope struct {
	q     *Query
	table Table
	folds *folds
}

var renderers = sync.Pool{New: func() any {
	return &renderer{buf: make([]byte, 0, 1024), args: make([]any, 0, 64)}
}}

// render returns the statement that write writes. q is its query, which write
// finds as r.root.
//
// A statement that padded lists bring above the dialect's limit of arguments is
// written once more without padding.
func render(env *Env, q *Query, write func(r *renderer)) (text string, args []any, err error) {
	r := renderers.Get().(*renderer)
	defer r.free()
	r.begin(env, q, false)
	write(r)
	if r.err == nil && r.padded && r.tooMany() {
		r.begin(env, q, true)
		write(r)
	}
	if r.err == nil && r.tooMany() {
		r.fail(r.fault("arguments", fmt.Sprintf("%d of them, %s takes %d", len(r.args), r.d.Name, r.d.MaxParams), ErrTooManyArgs))
	}
	if r.err != nil {
		return "", nil, r.err
	}
	env.MayWrite, env.Numbered = r.mayWrite, r.numbered
	if r.far != nil && r.far.unanswered != nil {
		return "", nil, &UnansweredError{r.far.unanswered}
	}
	if len(r.args) > 0 {
		args = make([]any, len(r.args))
		copy(args, r.args)
	}
	return string(r.buf), args, nil
}

// begin makes r ready to write a statement.
func (r *renderer) begin(env *Env, q *Query, exact bool) {
	clear(r.args)
	*r = renderer{
		d: env.Dialect, values: env.Values, untyped: env.Untyped, connection: env.Connection, models: env.Models, implicit: env.Implicit,
		owned: env.Owned, far: env.Far, key: env.Key, table: env.Table, numbers: env.Numbers, byDigits: env.ByDigits,
		buf: r.buf[:0], args: r.args[:0], outer: r.outer[:0], root: *q, exact: exact,
	}
	r.q = &r.root
	if r.far != nil {
		r.far.unanswered = nil
	}
}

// free gives the buffers back. It keeps none that is unusually large, and
// nothing of the statement.
func (r *renderer) free() {
	clear(r.args)
	clear(r.outer[:cap(r.outer)])
	if cap(r.args) > 4096 {
		r.args = make([]any, 0, 64)
	}
	if cap(r.buf) > 64<<10 {
		r.buf = make([]byte, 0, 1024)
	}
	*r = renderer{buf: r.buf[:0], args: r.args[:0], outer: r.outer[:0]}
	renderers.Put(r)
}

// tooMany says whether there are more arguments than the dialect takes.
func (r *renderer) tooMany() bool { return r.d.MaxParams > 0 && len(r.args) > r.d.MaxParams }

// str writes SQL. It takes constants, names that are quoted, and what the
// caller gave as SQL; never a value.
func (r *renderer) str(s string) { r.buf = append(r.buf, s...) }

// fail keeps the first fault, which names the table of the current SELECT.
func (r *renderer) fail(err error) {
	if r.err != nil {
		return
	}
	if e, ok := err.(*StatementError); ok && e.Table == "" { //nolint:errorlint // the table belongs to the error itself
		known := *e // the error may belong to several queries
		known.Table = r.q.Table()
		err = &known
	}
	r.err = err
}

// fault is what is wrong with a part of the statement.
func (r *renderer) fault(part, reason string, err error) error {
	return &StatementError{Table: r.q.Table(), Part: part, Reason: reason, Err: err}
}

// ready writes a placeholder for an argument that needs no more work.
func (r *renderer) ready(a any) {
	r.args = append(r.args, a)
	if r.veil {
		r.str("(SELECT ?)")
		return
	}
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

// placeholders writes those of the arguments from first to last, with commas
// between them.
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
