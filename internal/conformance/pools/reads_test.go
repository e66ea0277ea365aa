package pools

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// counter is a table of a test's own.
const (
	counter    = "CREATE TABLE counter (n INT)"
	increasing = "INSERT INTO counter VALUES (1) RETURNING n"
	counting   = "SELECT COUNT(*) FROM counter"
)

// written runs a query that writes, to its end.
func written(ctx context.Context, q queryer) error {
	rows, err := q.QueryContext(ctx, increasing)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

// A handle for reads refuses a query that writes, also where the primary answers it.
func TestReads_DoNotWriteOnThePrimary(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, r *dbfleet.Registry) {
		ctx, db := t.Context(), r.DB("main")
		var n int
		require.NoError(t, db.Read().QueryRowContext(ctx, "SELECT 1").Scan(&n), "a file is made by who comes first")
		_, err := db.ExecContext(ctx, counter)
		require.NoError(t, err)
		require.NoError(t, written(ctx, db))
		require.ErrorIs(t, written(ctx, db.Read()), dbfleet.ErrReadOnly)
		require.ErrorIs(t, db.Read().QueryRowContext(ctx, increasing).Scan(&n), dbfleet.ErrReadOnly)
		require.ErrorIs(t, written(dbfleet.ReadPrimary(ctx), db.Read()), dbfleet.ErrReadOnly)
		_, err = dbfleet.Select[int](ctx, db.Read(), increasing)
		require.Error(t, err)
		require.ErrorIs(t, db.Read().Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error { return written(ctx, c) }), dbfleet.ErrReadOnly)
		require.Error(t, written(ctx, db.ReplicaPool()))
		_, err = db.ReplicaPool().ExecContext(ctx, "INSERT INTO counter VALUES (1)")
		require.Error(t, err)
		for _, q := range []interface {
			QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
		}{db, db.Read(), db.Pool(), db.ReplicaPool()} {
			require.NoError(t, q.QueryRowContext(ctx, counting).Scan(&n))
			require.Equal(t, 1, n)
		}
		require.Contains(t, r.Stats(), "main/read-only")
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) { refused(t, fl.Registry) })
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		refused(t, conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}}))
	})
}

// Nor where replicas are configured and none of them answers.
func TestReads_DoNotWriteWhenNoReplicaAnswers(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.ReadHosts = []string{"127.0.0.1:1"}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		_, err := r.DB("main").ExecContext(t.Context(), counter)
		require.NoError(t, err)
		for range 3 {
			require.ErrorIs(t, written(t.Context(), r.DB("main").Read()), dbfleet.ErrReadOnly)
			require.Error(t, written(t.Context(), r.DB("main").ReplicaPool()))
		}
		require.Zero(t, conformance.Counted(t, db, counting))
	})
}

// What models read does not open the sessions that refuse writes.
func TestReads_OfModelsUseThePrimarysOwnPool(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		_, err := accounts.Get(t.Context())
		require.NoError(t, err)
		_, err = fl.DB("main").Read().Table("accounts").Get(t.Context())
		require.NoError(t, err)
		require.NoError(t, fl.DB("main").Read().Ping(t.Context()))
		require.NotContains(t, fl.Stats(), "main/read-only")
	})
}

// Copies of a SQLite file stand in as replicas: they take turns, refuse writes, and one
// that is replaced or missing is noticed.
func TestCopies_TakeTurnsAsReplicas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	file := func(name, body string) {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: path(name)}})
		for _, text := range []string{"CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)", "INSERT INTO notes (body) VALUES ('" + body + "')"} {
			_, err := r.DB("main").ExecContext(t.Context(), text)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close())
	}
	file("main.db", "main")
	file("one.db", "one")
	file("two.db", "two")
	file("next.db", "next")
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: path("main.db"), ReadHosts: []string{path("one.db"), path("two.db")}}
	conformance.Patient(&config)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	ctx := t.Context()
	type note struct {
		ID   int64
		Body string
	}
	notes, err := dbfleet.NewModel[note](r, dbfleet.ModelConfig{Table: "notes"})
	require.NoError(t, err)
	bodies := func(times int) map[string]int {
		got := map[string]int{}
		for range times {
			list, err := notes.Get(ctx)
			require.NoError(t, err)
			require.NotEmpty(t, list)
			got[list[0].Body]++
		}
		return got
	}
	require.Equal(t, map[string]int{"one": 2, "two": 2}, bodies(4))
	require.NoError(t, notes.Create(ctx, &note{Body: "new"}))
	n, err := notes.Primary().Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	_, err = r.DB("main").ReplicaPool().ExecContext(ctx, "DELETE FROM notes")
	require.Error(t, err)
	rows, err := r.DB("main").Read().QueryContext(ctx, "DELETE FROM notes RETURNING id")
	if err == nil {
		_ = rows.Close()
	}
	require.ErrorIs(t, err, dbfleet.ErrReadOnly)

	require.NoError(t, os.Rename(path("next.db"), path("one.db")))
	require.Equal(t, map[string]int{"next": 2, "two": 2}, bodies(4))
	require.NoError(t, os.Remove(path("two.db")))
	require.NotContains(t, bodies(4), "two")
	_, err = os.Stat(path("two.db"))
	require.ErrorIs(t, err, os.ErrNotExist, "a copy is never made")
}

// What is no database yet, or no more, is left out until it is one.
func TestCopies_ThatAreNoDatabaseAreLeftOut(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"short":   func(path string) error { return os.WriteFile(path, []byte("SQLite"), 0o600) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("no database ", 900)), 0o600) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			primary, replica := filepath.Join(dir, "primary.db"), filepath.Join(dir, "copy.db")
			require.NoError(t, spoil(replica))
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
				"main": {Driver: dbfleet.SQLite, Database: primary, ReadHosts: []string{replica}, SQLite: dbfleet.SQLiteConfig{JournalMode: "DELETE"}},
			})
			_, err := r.DB("main").ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
			require.NoError(t, err)
			accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
			status := func() dbfleet.HealthStatus {
				for range 3 {
					_, err := accounts.Get(t.Context())
					require.NoError(t, err, "the primary is there to be asked")
				}
				return r.Health(t.Context()).Status
			}
			require.Equal(t, dbfleet.Degraded, status())
			require.NoError(t, os.RemoveAll(replica))
			content, err := os.ReadFile(primary)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(replica, content, 0o600))
			require.Equal(t, dbfleet.Healthy, status())
			require.NoError(t, os.Truncate(replica, 0))
			require.Equal(t, dbfleet.Degraded, status(), "it was emptied under its connections")
		})
	}
}

// A function that writes does not tell it by its name.
func TestReads_RefuseAFunctionThatWrites(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, d dbtest.Database) {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(d)})
		ctx, db := t.Context(), r.DB("main")
		d.Exec(t, counter, map[string]string{
			"postgres": "CREATE FUNCTION count_up() RETURNS int LANGUAGE sql AS 'INSERT INTO counter VALUES (1) RETURNING n'",
			"mysql":    "CREATE FUNCTION count_up() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO counter VALUES (1); RETURN 1; END",
		}[d.Dialect])
		for _, on := range []dbfleet.Queryer{db.Read(), db.Read().Table("counter")} {
			_, err := dbfleet.Select[int](ctx, on, "SELECT count_up()")
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
		}
		n, err := dbfleet.SelectOne[int](ctx, db, counting)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
