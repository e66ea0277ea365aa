package dbfleet

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// QueryEvent describes one statement, also BEGIN, COMMIT and savepoints.
type QueryEvent struct {
	// Op is the kind of statement: "select", "insert", "update", "delete",
	// "exec", "query", "begin", "commit", "rollback", "savepoint", …
	Op  string
	SQL string
	// Args are a copy of the arguments, which the hooks of one statement share.
	// They may be secret: printing an Args tells their number only.
	Args Args
	// Route tells where the statement goes and why.
	Route Route
	// Start is when it began.
	Start time.Time
	// Duration is the time from Start until the last row was read, waiting for
	// a connection included; 0 before the query.
	Duration time.Duration
	// Rows is how many rows were read, or affected by a write; -1 is not known.
	Rows int64
	// Err is nil before the query, and after a success.
	Err error
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

// QueryHook is called before or after each statement, on the goroutine that
// runs it. It holds none of the library's locks: it may block (the statement
// waits), and it may run statements of its own with ctx, which take part in
// the transaction and call no hooks. The rows of a QueryContext still hold
// their connection when its after hooks are called.
//
// A hook that panics takes its caller with it: before the statement nothing is
// sent, and a transaction is rolled back.
type QueryHook func(ctx context.Context, e QueryEvent)

// hookList keeps hooks; a statement sees one snapshot of it.
type hookList struct {
	mu   sync.Mutex // serialises changes
	list atomic.Pointer[[]hook]
	next int
}

type hook struct {
	id     int
	before QueryHook
	after  QueryHook
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

// OnBeforeQuery calls h before every statement of every connection. The result
// removes it again; both may be called at any time.
func (r *Registry) OnBeforeQuery(h QueryHook) (remove func()) {
	must("Registry.OnBeforeQuery", r.usable())
	mustHave("Registry.OnBeforeQuery", "hook", h != nil)
	return r.hooks.add(hook{before: h})
}

// OnAfterQuery calls h after every statement of every connection, whatever
// came of it: success, an error of the database, no connection, a context that
// ended. The result removes it again.
func (r *Registry) OnAfterQuery(h QueryHook) (remove func()) {
	must("Registry.OnAfterQuery", r.usable())
	mustHave("Registry.OnAfterQuery", "hook", h != nil)
	return r.hooks.add(hook{after: h})
}

// OnBeforeQuery calls h before every statement of this connection. It stays
// when the connection is replaced. On an unknown connection it does nothing.
// What goes through the *sql.DB of Pool and ReplicaPool, or a *sql.Stmt, calls
// no hooks.
func (db *DB) OnBeforeQuery(h QueryHook) (remove func()) {
	must("DB.OnBeforeQuery", db.usable())
	mustHave("DB.OnBeforeQuery", "hook", h != nil)
	return db.addHook(hook{before: h})
}

// OnAfterQuery calls h after every statement of this connection, whatever came
// of it.
func (db *DB) OnAfterQuery(h QueryHook) (remove func()) {
	must("DB.OnAfterQuery", db.usable())
	mustHave("DB.OnAfterQuery", "hook", h != nil)
	return db.addHook(hook{after: h})
}

func (db *DB) addHook(h hook) (remove func()) {
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return func() {}
	}
	return e.hooks.add(h)
}

// LogOptions say what LogQueries writes. The zero value is sensible.
type LogOptions struct {
	// Slow is the duration from which a statement is logged as a warning.
	//
	// Defaults to 1 second; -1 is never.
	Slow time.Duration
	// OnlySlow leaves out statements that are neither slow nor failed.
	OnlySlow bool
	// ShowArgs writes the values of arguments, which may be secret.
	ShowArgs bool
}

// LogQueries returns a hook for OnAfterQuery that writes each statement to
// logger: at debug level, slow ones as a warning, failed ones as an error.
// Values of arguments are not written unless asked for.
func LogQueries(logger *slog.Logger, options LogOptions) QueryHook {
	mustHave("LogQueries", "logger", logger != nil)
	slow := options.Slow
	if slow == 0 {
		slow = time.Second
	}
	return func(ctx context.Context, e QueryEvent) {
		level, msg := slog.LevelDebug, "query"
		switch {
		case e.Err != nil:
			level, msg = slog.LevelError, "query failed"
		case slow > 0 && e.Duration >= slow:
			level, msg = slog.LevelWarn, "slow query"
		case options.OnlySlow:
			return
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("connection", e.Route.Connection), slog.String("node", e.Route.Node),
			slog.String("role", string(e.Route.Role)), slog.String("op", e.Op), slog.String("sql", e.SQL),
			slog.Duration("duration", e.Duration), slog.Int64("rows", e.Rows),
		}
		if options.ShowArgs {
			attrs = append(attrs, slog.Any("args", []any(e.Args)))
		} else {
			attrs = append(attrs, slog.Int("args", len(e.Args)))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, msg, attrs...)
	}
}
