package dbfleet

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// QueryEvent describes one statement, also BEGIN, COMMIT and savepoints. A read
// that is asked again elsewhere because a node did not answer is one event for
// each attempt, and so is a transaction that is run again.
type QueryEvent struct {
	// Driver is the kind of database.
	Driver Driver
	// Database is the database's name as it is configured; of SQLite the file's
	// name without its folder, or ":memory:".
	Database string
	// Address is where the node is: "host:port", the path of a unix socket, or ""
	// for SQLite.
	Address string
	// Table is the table of a model's or a table's query, "" for SQL of the
	// caller's own and for transactions.
	Table string
	// Op is the kind of statement: "select", "insert", "upsert", "update",
	// "delete", "load" of the query builder; "exec", "query", "prepare" of the
	// methods that take SQL; "begin", "commit", "rollback", "savepoint",
	// "release", "rollback to" of transactions.
	Op string
	// SQL is the statement with its placeholders; after the query it is what was
	// sent, which may be another way to insert than the one that was planned.
	SQL string
	// Args are a copy of the arguments, which the hooks of one statement share.
	// They may be secret: printing an Args tells their number only. Those of many
	// records are told record by record, in whatever way they were sent.
	Args Args
	// Route tells where the statement goes and why, and for which tenant.
	Route Route
	// Start is when it began.
	Start time.Time
	// Duration is the time from Start until the last row was read, waiting for
	// a connection included; 0 before the query. Of "query" and "prepare", whose
	// rows the caller reads, it is the time until there was an answer.
	Duration time.Duration
	// Rows is how many rows were read, or affected by a write; -1 is not known, as
	// of "query", before the query, and after an error.
	Rows int64
	// Err is nil before the query, and after a success. That no row was found is
	// a success of the statement.
	Err error
	// Class is the kind of Err, "" for none.
	Class ErrorClass
}

// Sanitized is SQL for who keeps it: there is ? in the place of every literal, which
// the caller's own SQL and raw parts may have, and no comment.
func (e QueryEvent) Sanitized() string {
	if d, ok := config.Dialect(string(e.Driver)); ok {
		return lex.WithoutLiterals(e.SQL, d)
	}
	return ""
}

// Args are the arguments of a statement. Every way of printing them tells
// their number and shows no value.
type Args []any

// String tells the number of arguments.
func (a Args) String() string {
	if len(a) == 1 {
		return "[1 argument]"
	}
	return fmt.Sprintf("[%d arguments]", len(a))
}

// GoString is String.
func (a Args) GoString() string { return a.String() }

// Format writes String for every verb.
func (a Args) Format(f fmt.State, _ rune) { fmt.Fprint(f, a.String()) }

// LogValue is String.
func (a Args) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON is String.
func (a Args) MarshalJSON() ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }

// QueryHook is what is called around each statement, on the goroutine that runs
// it: Before as it starts, After with what came of it. One of the two may be nil.
//
// Before returns the context that the hooks behind it and the statement get: the
// one that it was given, or one with a span, a value or a deadline more. That
// context decides over the statement as the caller's would have: one that is
// cancelled already, or by another goroutine, ends it. After gets the context that
// its own Before returned; without a Before, that of the statement, which the After
// of a hook behind it may have cancelled. Befores run in the order in which the hooks
// were added, those of the registry first, Afters in the reverse order.
//
// A tracer starts its span before, and ends it after:
//
//	registry.OnQuery(dbfleet.QueryHook{
//		Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
//			ctx, _ = tracer.Start(ctx, e.Op+" "+e.Table)
//			return ctx
//		},
//		After: func(ctx context.Context, e dbfleet.QueryEvent) { trace.SpanFromContext(ctx).End() },
//	})
//
// Whatever Before returns, the statement stays in its transaction, and the hooks'
// contexts carry that: even a context that has nothing to do with the one given
// does; but it hides the caller's deadline and values. A Before that returns nil
// panics with the place where it was added, and nothing is sent.
//
// Rows of DB.QueryContext and QueryRowContext are read by the caller when the
// hooks have been called, and they hold their connection until then. They keep the
// context's values and its deadline; that After, or anybody, cancels it does not
// reach them.
//
// Hooks are called by several goroutines at once: those of several callers, and of one
// whose relations are read from several connections by With.
//
// A hook holds none of the library's locks: it may block (the statement waits),
// and it may run statements of its own with its context, which take part in the
// transaction and call no hooks.
//
// A hook that panics takes its caller with it, as does one that ends the goroutine.
// Before the statement nothing is sent, and a transaction is rolled back; the Afters of
// hooks whose Before has returned are called all the same. After the statement what was
// written outside of a transaction stays: the records are then what their rows are, with
// their keys and times. Otherwise they are what they were before.
type QueryHook struct {
	Before func(ctx context.Context, e QueryEvent) context.Context
	After  func(ctx context.Context, e QueryEvent)
}

// OnQuery calls h around every statement of every connection, whatever comes of
// it: success, an error of the database, no connection, a context that ended. The
// result removes it again; both may be called at any time. It panics if h has
// neither a Before nor an After.
//
// What goes through the *sql.DB of Pool and ReplicaPool, or a *sql.Stmt, calls no
// hooks, nor do Ping and Health.
func (r *Registry) OnQuery(h QueryHook) (remove func()) {
	return r.hooked("OnQuery").add(newHook("OnQuery", h))
}

// OnBeforeQuery is OnQuery for a hook that has nothing to do afterwards.
func (r *Registry) OnBeforeQuery(before func(ctx context.Context, e QueryEvent) context.Context) (remove func()) {
	return r.hooked("OnBeforeQuery").add(newHook("OnBeforeQuery", QueryHook{Before: before}))
}

// OnAfterQuery is OnQuery for a hook that has nothing to do before.
func (r *Registry) OnAfterQuery(after func(ctx context.Context, e QueryEvent)) (remove func()) {
	return r.hooked("OnAfterQuery").add(newHook("OnAfterQuery", QueryHook{After: after}))
}

// OnQuery calls h around every statement of this connection, inside of the
// registry's hooks. It stays when the connection is replaced, and goes with it
// when it is removed. It panics if h is empty, and if the registry does not know
// the connection: a hook that is never called would not be missed. Once the
// registry is closed it does nothing.
func (db *DB) OnQuery(h QueryHook) (remove func()) {
	return db.hooks("OnQuery").add(newHook("OnQuery", h))
}

// OnBeforeQuery is OnQuery for a hook that has nothing to do afterwards.
func (db *DB) OnBeforeQuery(before func(ctx context.Context, e QueryEvent) context.Context) (remove func()) {
	return db.hooks("OnBeforeQuery").add(newHook("OnBeforeQuery", QueryHook{Before: before}))
}

// OnAfterQuery is OnQuery for a hook that has nothing to do before.
func (db *DB) OnAfterQuery(after func(ctx context.Context, e QueryEvent)) (remove func()) {
	return db.hooks("OnAfterQuery").add(newHook("OnAfterQuery", QueryHook{After: after}))
}

// hooked are the hooks to which a method adds one.
func (r *Registry) hooked(method string) *hookList {
	must(method, r.usable())
	return &r.hooks
}

func (db *DB) hooks(method string) *hookList {
	must(method, db.usable())
	e, err := db.reg.lookup(db.name)
	if err == nil {
		return e.hooks
	}
	if unknown, ok := err.(*UnknownConnectionError); ok { //nolint:errorlint // lookup's own
		panic("dbfleet: " + method + ": " + unknown.told())
	}
	return &hookList{} // the registry is closed
}

// hookList keeps hooks; a statement sees one snapshot of it.
type hookList struct {
	mu   sync.Mutex // serialises changes
	list atomic.Pointer[[]hook]
	next int

	long  listeners[OpenTransaction]
	nodes listeners[NodeEvent]
}

type hook struct {
	QueryHook
	id int
	at string // where it was added
}

// newHook is called by the exported methods, so that it knows who calls them.
func newHook(method string, h QueryHook) hook {
	if h.Before == nil && h.After == nil {
		panic("dbfleet: " + method + ": the hook is nil")
	}
	_, file, line, _ := runtime.Caller(2)
	return hook{QueryHook: h, at: fmt.Sprintf("%s:%d", file, line)}
}

func (l *hookList) add(h hook) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	h.id = l.next
	var old []hook
	if p := l.list.Load(); p != nil {
		old = *p
	}
	list := append(slices.Clip(old), h)
	l.list.Store(&list)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		list := slices.DeleteFunc(slices.Clone(*l.list.Load()), func(x hook) bool { return x.id == h.id })
		l.list.Store(&list)
	}
}

func (l *hookList) load() []hook {
	if p := l.list.Load(); p != nil {
		return *p
	}
	return nil
}
