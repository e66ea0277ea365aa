package connections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onFile opens a SQLite database; change may be nil.
func onFile(t *testing.T, path string, change func(*dbfleet.ConnectionConfig)) *dbfleet.Registry {
	t.Helper()
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: path}
	if change != nil {
		change(&config)
	}
	return conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
}

// A file path is a file path whatever characters it has.
func TestSQLite_FileNamesAreTakenLiterally(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"plain.db", "a b.db", "a?mode=memory.db", "a#b.db", "a%20b.db", "100%.db", "a&b=c.db", "file:a.db", "a'b.db", `a"b.db`, "a;b.db", "ü日本.db",
		"a\\b.db", "a+b.db", ":memory:.db", "file::memory:", "a:b.db", "a\nb.db", "{a}[b](c).db", "~.db", "$HOME.db", "-a.db", "?", "#", "%", "a.db?cache=shared&_pragma=foreign_keys(0)",
		strings.Repeat("x", 200) + ".db",
	} {
		path := filepath.Join(dir, name)
		r := onFile(t, path, nil)
		_, err := r.DB("main").ExecContext(t.Context(), "CREATE TABLE t (v INT)")
		require.NoError(t, err, "%q", name)
		require.NoError(t, r.Close())
		info, err := os.Stat(path)
		require.NoError(t, err, "%q", name)
		require.Positive(t, info.Size(), "%q", name)
		require.Zero(t, info.Mode().Perm()&0o077, "only its owner reads it")
		require.NoError(t, os.Remove(path))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "%q left other files", name)
	}
	// A relative path is relative to the working directory.
	sub, err := os.MkdirTemp(".", "sqlite-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(sub)) })
	r := onFile(t, filepath.Join(sub, "..", sub, "rel ?.db"), nil)
	require.NoError(t, r.DB("main").Ping(t.Context()))
	require.NoError(t, r.Close())
	require.FileExists(t, filepath.Join(sub, "rel ?.db"))
}

// hazard 150: ":memory:" is one database for the whole pool, for as long as the
// pool is there, and nobody else's.
func TestSQLite_MemoryIsSharedByThePoolAndPrivateToIt(t *testing.T) {
	t.Parallel()
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:", Pool: dbfleet.PoolConfig{MaxIdle: 0, MaxIdleTime: time.Millisecond}}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": config})
	db := r.DB("main")
	_, err := db.ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
	require.NoError(t, err)
	var held []*sql.Conn
	for range 5 { // five connections see the same
		c, err := db.Pool().Conn(t.Context())
		require.NoError(t, err)
		held = append(held, c)
		_, err = c.ExecContext(t.Context(), conformance.Inserting(fmt.Sprint(len(held))))
		require.NoError(t, err)
		var n int
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n))
		require.Equal(t, len(held), n)
	}
	for _, c := range held {
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return r.Stats()["main"].OpenConnections == 0 }, 20*time.Second, 5*time.Millisecond)
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n))
	require.Equal(t, 5, n, "it outlives its connections")
	require.Error(t, r.DB("other").QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n), "another pool has its own")
}

// truth 1008
// A loop over rows can write, whether the database is a file or in memory.
func TestSQLite_ALoopOverRowsCanWrite(t *testing.T) {
	t.Parallel()
	for _, database := range []string{":memory:", t.TempDir() + "/a.db"} {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {
			Driver: dbfleet.SQLite, Database: database, SQLite: dbfleet.SQLiteConfig{BusyTimeout: time.Minute},
		}})
		fl := conformance.Fleet{Registry: r, Database: dbtest.Database{Dialect: "sqlite"}}
		accounts := fl.Bank(t)
		ctx := t.Context()
		for i := range 5 {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprint(i), Balance: 1}))
		}
		save := func(a conformance.Account) {
			a.Balance++
			short, cancel := context.WithTimeout(ctx, 20*time.Second) // less than the wait for a lock
			defer cancel()
			require.NoError(t, accounts.Save(short, &a), database)
		}
		seen := 0
		for a, err := range accounts.Query().Iter(ctx) {
			require.NoError(t, err)
			save(a)
			seen++
		}
		for _, query := range []func(context.Context, string, ...any) (*sql.Rows, error){r.DB("main").QueryContext, r.DB("main").Pool().QueryContext} {
			rows, err := query(ctx, "SELECT id, owner, balance FROM accounts")
			require.NoError(t, err)
			for rows.Next() {
				var a conformance.Account
				require.NoError(t, rows.Scan(&a.ID, &a.Owner, &a.Balance))
				save(a)
				seen++
			}
			require.NoError(t, rows.Err())
			require.NoError(t, rows.Close())
		}
		require.Equal(t, 15, seen, database)
		sum, err := accounts.Query().Sum(ctx, "balance")
		require.NoError(t, err)
		require.Equal(t, "20", fmt.Sprint(sum), database)
		row := r.DB("main").QueryRowContext(ctx, "SELECT owner FROM accounts ORDER BY id")
		var owner string
		require.NoError(t, row.Scan(&owner))
		require.Equal(t, "0", owner)
	}
}

// The session's defaults, each of which can be changed.
func TestSQLite_Defaults(t *testing.T) {
	t.Parallel()
	pragma := func(r *dbfleet.Registry, name string) (v string) {
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&v))
		return v
	}
	r := onFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "1", "foreign_keys": "1", "busy_timeout": "5000"} {
		require.Equal(t, want, pragma(r, name), name)
	}
	db := r.DB("main")
	for _, s := range []string{"CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p INT REFERENCES p(id))"} {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	_, err := db.ExecContext(t.Context(), "INSERT INTO c VALUES (7)")
	require.ErrorIs(t, err, dbfleet.ErrForeignKey)
	var s string
	require.Error(t, db.QueryRowContext(t.Context(), `SELECT "no_such_column"`).Scan(&s), "it is no string")

	r = onFile(t, filepath.Join(t.TempDir(), "a.db"), func(c *dbfleet.ConnectionConfig) {
		c.SQLite = dbfleet.SQLiteConfig{JournalMode: "DELETE", Synchronous: "FULL", BusyTimeout: 70 * time.Millisecond, DisableForeignKeys: true, DoubleQuotedStrings: true}
		c.Params = map[string]string{"cache_size": "777"}
	})
	for name, want := range map[string]string{"journal_mode": "delete", "synchronous": "2", "foreign_keys": "0", "busy_timeout": "70", "cache_size": "777"} {
		require.Equal(t, want, pragma(r, name), name)
	}
	require.NoError(t, r.DB("main").QueryRowContext(t.Context(), `SELECT "a string"`).Scan(&s))
	require.Equal(t, "a string", s)
}

// hazard 148: a lock that is held ends the wait after the timeout, or with the
// context, whichever is first, by errors that differ.
func TestSQLite_Busy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	r := onFile(t, path, func(c *dbfleet.ConnectionConfig) { c.SQLite.BusyTimeout = 400 * time.Millisecond })
	patient := onFile(t, path, func(c *dbfleet.ConnectionConfig) { c.SQLite.BusyTimeout = time.Minute })
	_, err := r.DB("main").ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
	require.NoError(t, err)
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	others := conformance.Model[conformance.Account](t, patient, dbfleet.ModelConfig{Table: "accounts"})
	err = r.Transaction(t.Context(), "", func(inside context.Context, _ *dbfleet.Tx) error {
		for name, write := range map[string]func(ctx context.Context, r *dbfleet.Registry, m *dbfleet.Model[conformance.Account]) error{
			"model": func(ctx context.Context, _ *dbfleet.Registry, m *dbfleet.Model[conformance.Account]) error {
				return m.Create(ctx, &conformance.Account{Owner: "x"})
			},
			"raw": func(ctx context.Context, r *dbfleet.Registry, _ *dbfleet.Model[conformance.Account]) error {
				_, err := r.DB("main").ExecContext(ctx, conformance.Inserting("x"))
				return err
			},
			"transaction": func(ctx context.Context, r *dbfleet.Registry, _ *dbfleet.Model[conformance.Account]) error {
				return r.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error { return nil })
			},
		} {
			start := time.Now()
			err := write(t.Context(), r, accounts)
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout, name)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
			require.True(t, dbfleet.IsRetryable(err), name)
			require.Greater(t, time.Since(start), 350*time.Millisecond, name)
			require.Less(t, time.Since(start), 4*time.Second, "%s: by default it waits 5 s", name)

			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
			start = time.Now()
			err = write(ctx, patient, others)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.Less(t, time.Since(start), 20*time.Second, "%s: not after the minute", name)
		}
		n, err := accounts.Count(dbfleet.OutsideTx(inside))
		require.NoError(t, err, "readers do not wait")
		require.Zero(t, n)
		return accounts.Create(inside, &conformance.Account{Owner: "holder"})
	})
	require.NoError(t, err)
	got, err := accounts.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 1)
	conformance.RequireIdle(t, r)
	require.Eventually(t, func() bool { return patient.Stats()["main"].InUse == 0 }, 20*time.Second, time.Millisecond)
}

// hazard 156: a file that cannot be used is a typed error, and no harm to the
// pool once it can.
func TestSQLite_UnusableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "a.db")
	r := onFile(t, missing, nil)
	err := r.DB("main").Ping(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrConnection)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Mkdir(filepath.Dir(missing), 0o700))
	require.NoError(t, r.DB("main").Ping(t.Context()), "it recovers by itself")

	r = onFile(t, dir, nil)
	require.ErrorIs(t, r.DB("main").Ping(t.Context()), dbfleet.ErrConnection, "a directory")

	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o600))
	r = onFile(t, garbage, nil)
	require.ErrorIs(t, r.DB("main").Ping(t.Context()), dbfleet.ErrConnection)
	content, err := os.ReadFile(garbage)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(content), "this is no database"), "it is left alone")

	if os.Getuid() != 0 { // root may do everything
		closed := filepath.Join(dir, "closed")
		require.NoError(t, os.Mkdir(closed, 0o500))
		r = onFile(t, filepath.Join(closed, "a.db"), nil)
		err = r.DB("main").Ping(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.ErrorIs(t, err, fs.ErrPermission)
	}
}

// hazard 356: SQLite loads no code.
func TestHazard_SQLiteLoadsNoExtension(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, "sqlite"))})
	_, err := r.DB("main").ExecContext(t.Context(), "SELECT load_extension('/tmp/x.so')")
	require.Error(t, err)
}

// hazard 157: a journal mode that cannot be had is an error, not another mode.
func TestHazard_SQLiteJournalModeIsHadOrRefused(t *testing.T) {
	t.Parallel()
	config := conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	other := config
	other.SQLite.JournalMode, other.SQLite.BusyTimeout = "DELETE", 50*time.Millisecond
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": other})
	_, err := r.DB("main").ExecContext(t.Context(), "CREATE TABLE t AS SELECT 1 AS n")
	require.NoError(t, err)
	rows, err := r.DB("main").QueryContext(t.Context(), "SELECT n FROM t")
	require.NoError(t, err) // the file is in use, with its write-ahead log
	_, err = r.Connect(t.Context(), "other")
	require.Error(t, err)
	require.NoError(t, rows.Close())
	require.NoError(t, r.Remove(t.Context(), "main"))

	db, err := r.Connect(t.Context(), "other")
	require.NoError(t, err)
	var mode string
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "delete", mode)
}
