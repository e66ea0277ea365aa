package writes

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestLoad_TakesPartInATransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := loadItems(t, fl)
		undo := errors.New("undo")
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			first := loadItemOf(9_000_000)
			require.NoError(t, m.Create(ctx, &first))
			n, err := m.Load(ctx, loadSeq(2000, loadItemOf))
			require.NoError(t, err)
			require.EqualValues(t, 2000, n)
			_, err = m.Using(tx).Load(t.Context(), loadSeq(2000, func(i int) loadItem { return loadItemOf(i%1500 + 5000) }))
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			_, err = m.Using(tx).Load(t.Context(), loadSeq(10, func(i int) loadItem { return loadItemOf(i + 8000) }))
			require.NoError(t, err, "the failed one is behind a savepoint")
			all, err := m.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 2011, all)
			return undo
		})
		require.ErrorIs(t, err, undo)
		require.Zero(t, loadCount(t, m))
	})
}

func TestLoad_RollsBackWhenTheIteratorPanics(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := loadItems(t, fl)
		for _, o := range []dbfleet.LoadOptions{{}, {BatchRows: 100_000}} {
			require.PanicsWithValue(t, "no more", func() {
				_, _ = m.Load(t.Context(), loadSeq(10_000, func(i int) loadItem {
					if i == 5000 {
						panic("no more")
					}
					return loadItemOf(i)
				}), o)
			})
			require.Zero(t, loadCount(t, m))
		}
		require.Panics(t, func() {
			_, _ = m.Load(t.Context(), loadSeq(10, loadItemOf), dbfleet.LoadOptions{ProgressEvery: 5, Progress: func(int64) { panic("progress") }})
		})
		require.Zero(t, loadCount(t, m))
		n, err := m.Load(t.Context(), loadSeq(10, loadItemOf))
		require.NoError(t, err)
		require.EqualValues(t, 10, n)
	})
}

func TestLoad_StopsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := loadItems(t, fl)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n, err := m.Load(ctx, loadSeq(1_000_000, func(i int) loadItem {
			if i == 20_000 {
				cancel()
			}
			require.Less(t, i, 21_000, "rows are asked for after the end")
			return loadItemOf(i)
		}))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.Zero(t, n)
		require.Zero(t, loadCount(t, m))
	})
}

// The iterator may read from the same database, on a connection of its own; in
// the load's transaction it is told that the connection is in use.
func TestLoad_IteratorMayReadElsewhere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := loadItems(t, fl)
		fl.Create(t, `CREATE TABLE copies (id {id}, name VARCHAR(50) NOT NULL, n {int}, created_at {time} NOT NULL, updated_at {time} NOT NULL)`)
		copies := conformance.Model[loadItem](t, fl.Registry, dbfleet.ModelConfig{Table: "copies"})
		_, err := m.Load(ctx, loadSeq(3000, loadItemOf))
		require.NoError(t, err)
		n, err := copies.Load(ctx, func(yield func(loadItem) bool) {
			for it, err := range m.Query().Iter(ctx) {
				if err != nil || !yield(it) {
					require.NoError(t, err)
					return
				}
			}
		})
		require.NoError(t, err)
		require.EqualValues(t, 3000, n)
		want, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		got, err := copies.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)

		if fl.Database.Dialect == "sqlite" {
			return
		}
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := m.Load(ctx, loadSeq(3, func(i int) loadItem {
				_, err := m.Count(ctx)
				if i > 0 {
					require.ErrorIs(t, err, dbfleet.ErrBusy)
				}
				return loadItemOf(i + 5000)
			}))
			return err
		}))
	})
}

func TestLoad_IsOneEventForHooks(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := loadItems(t, fl)
		var loads []dbfleet.QueryEvent
		defer fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op != "begin" && e.Op != "commit" && e.Op != "rollback" {
				loads = append(loads, e)
			}
		})()
		_, err := m.Load(t.Context(), loadSeq(2500, loadItemOf))
		require.NoError(t, err)
		require.Len(t, loads, 1)
		require.Equal(t, "load", loads[0].Op)
		require.EqualValues(t, 2500, loads[0].Rows)
		require.Contains(t, loads[0].SQL, "INSERT INTO")
		require.Equal(t, dbfleet.RolePrimary, loads[0].Route.Role)
		require.NoError(t, loads[0].Err)

		_, err = m.Load(t.Context(), loadSeq(2500, loadItemOf))
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		require.Len(t, loads, 2)
		require.ErrorIs(t, loads[1].Err, dbfleet.ErrUnique)
		require.EqualValues(t, -1, loads[1].Rows)
	})
}

func TestLoad_GoesToTheShardThatIsGiven(t *testing.T) {
	t.Parallel()
	connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, "sqlite")), "other": conformance.ConnectionTo(dbtest.New(t, "sqlite"))}
	r := conformance.Open(t, connections)
	for name := range connections {
		_, err := r.DB(name).ExecContext(t.Context(), `CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, created_at DATETIME, updated_at DATETIME)`)
		require.NoError(t, err)
	}
	m := conformance.Model[loadItem](t, r, dbfleet.ModelConfig{Table: "items", Shard: dbfleet.ShardBy("n", func(n int64) string {
		return map[bool]string{true: "other", false: "main"}[n >= 1000]
	})})
	even := func(i int) loadItem { return loadItem{Name: fmt.Sprint(i), N: int64(i + 1)} }
	_, err := m.Load(t.Context(), loadSeq(10, even))
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	n, err := m.Shard(1).Load(t.Context(), loadSeq(10, even))
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
	_, err = m.Shard(1).Load(t.Context(), loadSeq(2000, even))
	var at *dbfleet.RecordError
	require.ErrorAs(t, err, &at)
	require.Equal(t, 999, at.Index)
	require.EqualValues(t, 10, loadCount(t, m.DB("main")))
	n, err = m.DB("other").Load(t.Context(), loadSeq(2000, even))
	require.NoError(t, err)
	require.EqualValues(t, 2000, n)
	require.EqualValues(t, 2000, loadCount(t, m.DB("other")))
}

func TestLoad_RefusesRowsThatATriggerSkips(t *testing.T) {
	t.Parallel()
	fl := conformance.OnPostgres(t)
	m := loadItems(t, fl)
	fl.Create(t, `CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = 7 THEN RETURN NULL; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER skip BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION skip()`)
	_, err := m.Load(t.Context(), loadSeq(10, loadItemOf))
	require.ErrorContains(t, err, "9 rows were inserted for 10 records")
	require.Zero(t, loadCount(t, m))
}

// However many rows there are, the memory that they need at a time is the same.
func TestLoad_OfAMillionRowsNeedsConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		const rows = 1_000_000
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		fl.Create(t, `CREATE TABLE items (id {id}, name VARCHAR(50), n {int})`)
		type small struct {
			ID   int64
			Name string
			N    int64
		}
		m := conformance.Model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "items"})
		var start, most uint64
		n, err := m.Load(t.Context(), loadSeq(rows, func(i int) small { return small{Name: "a name of some length", N: int64(i)} }), dbfleet.LoadOptions{
			ProgressEvery: 50_000,
			Progress: func(int64) {
				runtime.GC()
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				if start == 0 {
					start = now.HeapAlloc
				}
				most = max(most, now.HeapAlloc)
			},
		})
		require.NoError(t, err)
		require.EqualValues(t, rows, n)
		require.Less(t, most, start+8<<20, "bytes on the heap, %d after the first 50000 rows", start)
		require.EqualValues(t, rows, loadCount(t, m))
	})
}
