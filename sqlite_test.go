package dbfleet_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// onFile opens a SQLite database; change may be nil.
func onFile(t *testing.T, path string, change func(*dbfleet.ConnectionConfig)) *dbfleet.Registry {
	t.Helper()
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: path}
	if change != nil {
		change(&config)
	}
	return open(t, map[string]dbfleet.ConnectionConfig{"main": config})
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
	r := open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": config})
	db := r.DB("main")
	_, err := db.ExecContext(t.Context(), ddl("sqlite", accountsTable))
	require.NoError(t, err)
	var held []*sql.Conn
	for range 5 { // five connections see the same
		c, err := db.Primary().Conn(t.Context())
		require.NoError(t, err)
		held = append(held, c)
		_, err = c.ExecContext(t.Context(), inserting(fmt.Sprint(len(held))))
		require.NoError(t, err)
		var n int
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n))
		require.Equal(t, len(held), n)
	}
	for _, c := range held {
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return r.Stats()["main"].OpenConnections == 0 }, 5*time.Second, 5*time.Millisecond)
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n))
	require.Equal(t, 5, n, "it outlives its connections")
	require.Error(t, r.DB("other").QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(&n), "another pool has its own")
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
	r := onFile(t, filepath.Join(t.TempDir(), "a.db"), func(c *dbfleet.ConnectionConfig) { c.SQLite.BusyTimeout = 400 * time.Millisecond })
	db := r.DB("main")
	_, err := db.ExecContext(t.Context(), ddl("sqlite", accountsTable))
	require.NoError(t, err)
	accounts := model[account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	err = r.Transaction(t.Context(), "", func(inside context.Context, _ *dbfleet.Tx) error {
		for name, write := range map[string]func(ctx context.Context) error{
			"model": func(ctx context.Context) error { return accounts.Create(ctx, &account{Owner: "x"}) },
			"raw":   func(ctx context.Context) error { _, err := db.ExecContext(ctx, inserting("x")); return err },
			"transaction": func(ctx context.Context) error {
				return r.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error { return nil })
			},
		} {
			start := time.Now()
			err := write(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout, name)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
			require.True(t, dbfleet.IsRetryable(err), name)
			require.Greater(t, time.Since(start), 350*time.Millisecond, name)
			require.Less(t, time.Since(start), 1200*time.Millisecond, name)

			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
			start = time.Now()
			err = write(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.Less(t, time.Since(start), 300*time.Millisecond, name)
		}
		n, err := accounts.Count(dbfleet.OutsideTx(inside))
		require.NoError(t, err, "readers do not wait")
		require.Zero(t, n)
		return accounts.Create(inside, &account{Owner: "holder"})
	})
	require.NoError(t, err)
	got, err := accounts.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 1)
	requireIdle(t, r)
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

// hazard 154: two processes on one file, one of which is killed in the middle
// of its commits: what it has acknowledged is there, whole, and the file is
// sound.
func TestSQLite_KilledProcess(t *testing.T) {
	if path := os.Getenv("DBFLEET_TEST_SQLITE_WRITER"); path != "" {
		writeUntilKilled(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	r := onFile(t, path, nil)
	_, err := r.DB("main").ExecContext(t.Context(), ddl("sqlite", accountsTable))
	require.NoError(t, err)
	accounts := model[account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	for round := range 6 {
		child := exec.Command(os.Args[0], "-test.run=^TestSQLite_KilledProcess$", "-test.count=1")
		child.Env = append(os.Environ(), "DBFLEET_TEST_SQLITE_WRITER="+path, fmt.Sprintf("DBFLEET_TEST_ROUND=%d", round))
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		var acknowledged []string
		lines := bufio.NewScanner(out)
		for lines.Scan() && len(acknowledged) < 20+7*round {
			if owner, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
				acknowledged = append(acknowledged, owner)
				// This process writes meanwhile.
				require.NoError(t, accounts.Create(t.Context(), &account{Owner: "parent " + owner}))
			}
		}
		require.NoError(t, child.Process.Kill())
		for lines.Scan() { // what it had said before it died
			if owner, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
				acknowledged = append(acknowledged, owner)
			}
		}
		_ = child.Wait()
		require.NotEmpty(t, acknowledged)
		var verdict string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
		require.Equal(t, "ok", verdict)
		for _, owner := range acknowledged {
			n, err := accounts.Where("owner", "LIKE", owner+"/%").Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 3, n, "%s was acknowledged", owner)
		}
		n, err := accounts.Where("owner", "LIKE", "%/%").Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n%3, "no transaction is there in part")
	}
}

// writeUntilKilled is the other process.
func writeUntilKilled(t *testing.T, path string) {
	r := onFile(t, path, nil)
	accounts := model[account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	for i := 0; ; i++ {
		owner := fmt.Sprintf("round %s number %d", os.Getenv("DBFLEET_TEST_ROUND"), i)
		err := r.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			var errs []error
			for part := range 3 {
				errs = append(errs, accounts.Create(ctx, &account{Owner: fmt.Sprintf("%s/%d", owner, part)}))
			}
			return errors.Join(errs...)
		})
		require.NoError(t, err)
		fmt.Println("committed " + owner)
	}
}
