package connections

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// recorder keeps the events of hooks.
type recorder struct {
	mu            sync.Mutex
	before, after []dbfleet.QueryEvent
}

func record(t *testing.T, r *dbfleet.Registry) *recorder {
	t.Helper()
	rec := &recorder{}
	t.Cleanup(r.OnQuery(dbfleet.QueryHook{
		Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			rec.mu.Lock()
			defer rec.mu.Unlock()
			rec.before = append(rec.before, e)
			return ctx
		},
		After: func(_ context.Context, e dbfleet.QueryEvent) {
			rec.mu.Lock()
			defer rec.mu.Unlock()
			rec.after = append(rec.after, e)
		},
	}))
	return rec
}

// took returns what has happened since, checked for what holds always: each statement
// has one event before and one after it.
func (rec *recorder) took(t *testing.T) []dbfleet.QueryEvent {
	t.Helper()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	require.Len(t, rec.before, len(rec.after))
	for i, b := range rec.before {
		a := rec.after[i]
		require.Equal(t, a.Op, b.Op)
		if a.Op != "insert" { // which may be sent in another way than was planned
			require.Equal(t, a.SQL, b.SQL)
		}
		require.Equal(t, a.Err == nil, a.Class == "")
		require.Empty(t, b.Class)
		require.Equal(t, a.Args, b.Args)
		require.Equal(t, a.Start, b.Start)
		require.NoError(t, b.Err)
		require.Zero(t, b.Duration)
		require.EqualValues(t, -1, b.Rows)
		require.Positive(t, a.Duration)
		require.Equal(t, "main", a.Route.Connection)
		require.NotEmpty(t, a.Route.Reason)
	}
	out := rec.after
	rec.before, rec.after = nil, nil
	return out
}

func (rec *recorder) one(t *testing.T) dbfleet.QueryEvent {
	t.Helper()
	events := rec.took(t)
	require.Len(t, events, 1)
	return events[0]
}

func ops(events []dbfleet.QueryEvent) (out []string) {
	for _, e := range events {
		out = append(out, e.Op)
	}
	return out
}

// explosive panics when it is read or sent.
type explosive struct{}

func (*explosive) Scan(any) error { panic("scan") }

func (explosive) Value() (driver.Value, error) { panic("value") }

// promise 28: hooks are called on every outcome, with SQL, args, duration, rows, error and
// route.
func TestHooks_AreCalledOnEveryOutcome(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE things (id {id}, name VARCHAR(20) UNIQUE)`)
		rec := record(t, fl.Registry)
		m := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
		db := fl.DB("main")
		mark := map[string]string{"postgres": "$1"}[fl.Database.Dialect]
		if mark == "" {
			mark = "?"
		}

		require.NoError(t, m.CreateMany(ctx, []thing{{Name: "a"}, {Name: "b"}, {Name: "c"}}))
		events := rec.took(t)
		insert := events[len(events)/2]
		require.Equal(t, "insert", insert.Op)
		require.EqualValues(t, 3, insert.Rows)
		require.Equal(t, fl.Database.Dialect == "postgres", strings.Contains(insert.SQL, "unnest"), "as it was sent: %s", insert.SQL)
		require.Equal(t, dbfleet.Args{"a", "b", "c"}, insert.Args)
		_, err := m.WhereIn("name", []string{"a", "b"}).Get(ctx)
		require.NoError(t, err)
		e := rec.one(t)
		require.Equal(t, "select", e.Op)
		require.EqualValues(t, 2, e.Rows)
		require.NoError(t, e.Err)
		require.Contains(t, e.SQL, "SELECT")
		require.Equal(t, dbfleet.RolePrimary, e.Route.Role)
		require.WithinDuration(t, time.Now(), e.Start, time.Minute)
		_, err = m.Where("name", "=", "zz").First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		e = rec.one(t)
		require.Zero(t, e.Rows)
		require.NoError(t, e.Err)
		n, err := m.Where("name", "!=", "a").Update(ctx, map[string]any{"id": dbfleet.Raw("id + 10")})
		require.NoError(t, err)
		require.Equal(t, n, rec.one(t).Rows)
		for _, err := range m.Query().Iter(ctx) {
			require.NoError(t, err)
			break
		}
		require.EqualValues(t, 1, rec.one(t).Rows)

		require.ErrorIs(t, m.Create(ctx, &thing{Name: "a"}), dbfleet.ErrUnique)
		e = rec.one(t)
		require.ErrorIs(t, e.Err, dbfleet.ErrUnique)
		require.EqualValues(t, -1, e.Rows)
		_, err = db.ExecContext(ctx, "DELETE FROM things WHERE name = "+mark, "b")
		require.NoError(t, err)
		e = rec.one(t)
		require.Equal(t, "exec", e.Op)
		require.EqualValues(t, 1, e.Rows)
		require.Equal(t, dbfleet.Args{"b"}, e.Args)
		rows, err := db.QueryContext(ctx, "SELECT id FROM things")
		require.NoError(t, err)
		require.NoError(t, rows.Close())
		require.Equal(t, "query", rec.one(t).Op)
		var id int64
		require.NoError(t, db.QueryRowContext(ctx, "SELECT id FROM things").Scan(&id))
		require.Equal(t, "query", rec.one(t).Op)
		_, err = db.QueryContext(ctx, "SELECT nothing FROM nowhere") //nolint:rowserrcheck // there are none
		require.Error(t, err)
		require.Error(t, rec.one(t).Err)
		stmt, err := db.PrepareContext(ctx, "SELECT 1")
		require.NoError(t, err)
		require.NoError(t, stmt.Close())
		require.Equal(t, "prepare", rec.one(t).Op)

		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, err = m.Get(canceled)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, rec.one(t).Err, context.Canceled)
		_, err = db.ExecContext(canceled, "SELECT 1")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, rec.one(t).Err, context.Canceled)

		type bad struct {
			ID   int64
			Name int
		}
		_, err = dbfleet.Table[bad](db, "things").Get(ctx)
		var column *dbfleet.ColumnError
		require.ErrorAs(t, err, &column)
		require.ErrorAs(t, rec.one(t).Err, &column, "a fault of the mapping too")
		type exploding struct {
			ID   int64
			Name explosive
		}
		calls := map[string]func(){
			"get":   func() { _, _ = dbfleet.Table[exploding](db, "things").Get(ctx) },
			"first": func() { _, _ = dbfleet.Table[exploding](db, "things").First(ctx) },
			"iterate": func() {
				for range m.Query().Iter(ctx) {
					panic("loop")
				}
			},
			"exec":  func() { _, _ = db.ExecContext(ctx, "DELETE FROM things WHERE name = "+mark, explosive{}) },
			"query": func() { _, _ = db.QueryContext(ctx, "SELECT id FROM things WHERE name = "+mark, explosive{}) }, //nolint:rowserrcheck,sqlclosecheck // it panics
			"row":   func() { _ = db.QueryRowContext(ctx, "SELECT id FROM things WHERE name = "+mark, explosive{}) },
		}
		for name, call := range calls {
			func() {
				defer func() { _ = recover() }()
				call()
			}()
			require.Error(t, rec.one(t).Err, name)
		}
		require.Eventually(t, func() bool { return fl.Stats()["main"].InUse == 0 }, 20*time.Second, time.Millisecond)

		boom := errors.New("boom")
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, m.Create(ctx, &thing{Name: "t"}))
			require.NoError(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }))
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return boom }), boom)
			return nil
		}))
		events = rec.took(t)
		require.Equal(t, []string{"begin", "insert", "savepoint", "release", "savepoint", "rollback to", "release", "commit"}, ops(events))
		for _, e := range events {
			require.True(t, e.Route.Tx, e.Op)
			require.NoError(t, e.Err)
		}
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error { return boom }), boom)
		require.Equal(t, []string{"begin", "rollback"}, ops(rec.took(t)))
		require.Panics(t, func() { _ = fl.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error { panic("x") }) })
		require.Equal(t, []string{"begin", "rollback"}, ops(rec.took(t)))
		require.ErrorIs(t, fl.Transaction(canceled, "main", func(context.Context, *dbfleet.Tx) error { return nil }), context.Canceled)
		require.ErrorIs(t, rec.one(t).Err, context.Canceled)

		// What is refused before there is a statement is no event.
		_, err = m.Delete(ctx, &thing{ID: 1}), error(nil)
		require.NoError(t, err)
		rec.took(t)
		_, err = m.Query().Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		require.Empty(t, rec.took(t))
	})
}

// No connection to be had is an outcome too.
func TestHooks_TellOfMissingConnections(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		config := conformance.ConnectionTo(fl.Database)
		config.Pool.MaxOpen, config.Pool.AcquireTimeout = 1, 30*time.Millisecond
		tight := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		rec := record(t, tight)
		require.NoError(t, tight.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error {
			rec.took(t)
			outside := t.Context() // who is somebody else waits
			var full *dbfleet.AcquireTimeoutError
			for _, call := range []func() error{
				func() error { _, err := tight.DB("main").ExecContext(outside, "SELECT 1"); return err },
				func() error { _, err := tight.DB("main").Table("x").Get(outside); return err },
				func() error { _, err := tight.DB("main").QueryContext(outside, "SELECT 1"); return err }, //nolint:rowserrcheck // there are none
				func() error {
					return tight.Transaction(outside, "main", func(context.Context, *dbfleet.Tx) error { return nil })
				},
			} {
				err := call()
				require.ErrorIs(t, err, dbfleet.ErrAcquireTimeout)
				require.ErrorAs(t, err, &full)
				require.Equal(t, 1, full.Stats.MaxOpenConnections)
				require.ErrorIs(t, rec.one(t).Err, dbfleet.ErrAcquireTimeout)
			}
			return nil
		}))

		if fl.Database.Dialect == "sqlite" {
			config.Database = filepath.Join(t.TempDir(), "missing", "x.db")
		} else {
			config.Port = closedPort(t)
		}
		gone := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		rec = record(t, gone)
		_, err := gone.DB("main").Table("x").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
		require.ErrorIs(t, rec.one(t).Err, dbfleet.ErrConnection)
		require.ErrorIs(t, gone.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrConnection)
		require.Equal(t, "begin", rec.one(t).Op)
	})
}

// hazard 270: what a hook does to its event reaches nobody else.
func TestHooks_HaveArgumentsOfTheirOwn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE files (id {id}, name {text}, body {bytes})`)
		type file struct {
			ID   int64
			Name string
			Body []byte
		}
		m := conformance.Model[file](t, fl.Registry, dbfleet.ModelConfig{Table: "files"})
		spoil := func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			for i, a := range e.Args {
				switch a := a.(type) {
				case []byte:
					clear(a)
				case []int64:
					clear(a)
				}
				e.Args[i] = "spoilt"
			}
			e.SQL = "DROP TABLE files"
			return ctx
		}
		defer fl.OnBeforeQuery(spoil)()
		rec := record(t, fl.Registry)
		body := []byte("body")
		f := file{Name: "a", Body: body}
		require.NoError(t, m.Create(ctx, &f))
		require.Equal(t, dbfleet.Args{"a", []byte("body")}, rec.one(t).Args)
		require.Equal(t, "body", string(body))
		ids := []int64{f.ID, 77}
		for range 3 { // the cached statement too
			got, err := m.WhereIn("id", ids).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []file{f}, got)
		}
		require.Equal(t, []int64{f.ID, 77}, ids)
	})
}

// hazard 274: hooks come and go while statements run; a hook on a connection sees its own.
func TestHooks_ComeAndGo(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": memory, "other": memory})
	ctx := t.Context()
	var seen []string
	note := func(what string) func(context.Context, dbfleet.QueryEvent) {
		return func(_ context.Context, e dbfleet.QueryEvent) { seen = append(seen, what+" "+e.Route.Connection) }
	}
	noteBefore := func(what string) func(context.Context, dbfleet.QueryEvent) context.Context {
		return func(ctx context.Context, e dbfleet.QueryEvent) context.Context { note(what)(ctx, e); return ctx }
	}
	select1 := func(name string) {
		_, err := r.DB(name).ExecContext(ctx, "SELECT 1")
		require.NoError(t, err)
	}
	removeAll := r.OnBeforeQuery(noteBefore("all"))
	removeMain := r.DB("main").OnBeforeQuery(noteBefore("main's"))
	removeAfter := r.DB("main").OnAfterQuery(note("after"))
	select1("main")
	select1("other")
	require.Equal(t, []string{"all main", "main's main", "after main", "all other"}, seen)
	require.NoError(t, r.Replace(ctx, "main", memory))
	seen = nil
	removeAll()
	removeAll() // twice is once
	select1("main")
	require.Equal(t, []string{"main's main", "after main"}, seen, "hooks stay when the connection is replaced")
	removeMain()
	removeAfter()
	seen = nil
	select1("main")
	require.Empty(t, seen)

	var wg sync.WaitGroup
	var mu sync.Mutex
	calls := 0
	for range 4 {
		wg.Go(func() {
			for range 50 {
				remove := r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
					mu.Lock()
					defer mu.Unlock()
					calls++
				})
				_, _ = r.DB("main").ExecContext(ctx, "SELECT 1")
				remove()
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, calls, 200)
}
