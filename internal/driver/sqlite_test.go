//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

func sqliteAt(path string) Options {
	return optionsFor(dbtest.Database{Dialect: dialect.SQLite.Name, Name: path})
}

func TestSQLite_PathIsTakenLiterally(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"plain.db", "a b.db", "q?mode=ro.db", "h#x.db", "100%.db", "%41.db", "it's.db", `quo"te.db`, "üñï😀.db",
		"file:x.db", "file:x.db?cache=shared", "a&b=c.db", "semi;colon.db", "back\\slash.db", "new\nline.db", ":memory:x", "-dash", "a//b",
	} {
		dir := t.TempDir()
		if name == "a//b" {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
		}
		p := open(t, sqliteAt(dir+"/"+name))
		c, err := p.Acquire(t.Context(), 0)
		require.NoError(t, err, name)
		mustExec(t, c, createT)
		c.Release()
		require.NoError(t, p.Close())
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err, name)
		require.NotZero(t, info.Size(), name)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), name) // hazard 375
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, name)
	}
	_, err := Open(sqliteAt("a\x00b"))
	require.Error(t, err)
	_, err = Open(sqliteAt(""))
	require.Error(t, err)
}

// hazard 156
func TestSQLite_UnusableFilesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := open(t, sqliteAt(filepath.Join(dir, "missing", "x.db"))).Acquire(t.Context(), 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, Connection, Classify(err).Class)
	_, err = open(t, sqliteAt(dir)).Acquire(t.Context(), 0)
	require.Error(t, err)
	require.Equal(t, Connection, Classify(err).Class, "%v", err)
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("this is no database, it is only a text of some length"), 0o600))
	_, err = open(t, sqliteAt(text)).Acquire(t.Context(), 0)
	require.Error(t, err)
	require.Equal(t, Connection, Classify(err).Class, "%v", err)
	ro := sqliteAt(filepath.Join(dir, "new.db"))
	ro.ReadOnly = true
	_, err = open(t, ro).Acquire(t.Context(), 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, ro.Database)
}

// hazard 150
func TestSQLite_MemoryIsSharedByThePoolAndPrivateToIt(t *testing.T) {
	t.Parallel()
	o := sqliteAt(":memory:")
	o.MaxIdle = 0
	p, other := open(t, o), open(t, o)
	_, err := p.DB().Exec(createT)
	require.NoError(t, err)
	_, err = p.DB().Exec("INSERT INTO t VALUES (1, 'a')")
	require.NoError(t, err)
	a, b := acquire(t, p), acquire(t, p)
	require.Len(t, rowsOf(t, a, "SELECT * FROM t"), 1)
	require.Len(t, rowsOf(t, b, "SELECT * FROM t"), 1)
	_, err = acquire(t, other).Exec(t.Context(), "SELECT * FROM t", nil)
	require.Error(t, err)
}

func TestSQLite_ReadersAndWritersWaitForEachOther(t *testing.T) {
	t.Parallel()
	for _, path := range []string{":memory:", "file"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := sqliteAt(path)
			if path == "file" {
				o.Database = filepath.Join(t.TempDir(), "x.db")
			}
			o.SQLite.BusyTimeout = 10 * time.Second
			p := open(t, o)
			_, err := p.DB().Exec(createT)
			require.NoError(t, err)
			var wg sync.WaitGroup
			errs := make(chan error, 1000)
			for w := range 4 {
				wg.Go(func() {
					for i := range 25 {
						c, err := p.Acquire(t.Context(), 20*time.Second)
						if err != nil {
							errs <- err
							return
						}
						if w%2 == 0 {
							if err = c.Begin(t.Context(), TxOptions{}); err == nil {
								if _, err = c.Exec(t.Context(), "INSERT INTO t VALUES (?, 'a')", []any{int64(w*1000 + i)}); err == nil {
									runtime.Gosched()
									err = c.Commit(t.Context())
								}
							}
						} else {
							var rows Rows
							if rows, err = c.Query(t.Context(), "SELECT * FROM t", nil); err == nil {
								_, err = drain(rows)
							}
						}
						c.Release()
						if err != nil {
							errs <- fmt.Errorf("%d: %w", w, err)
						}
					}
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			require.Equal(t, [][]any{{int64(50)}}, rowsOf(t, acquire(t, p), "SELECT count(*) FROM t"))
		})
	}
}

// hazard 148: neither bound is exceeded by the other, however slow the machine is.
func TestSQLite_BusyEndsWithTheTimeoutOrTheContext(t *testing.T) {
	t.Parallel()
	o := sqliteAt(filepath.Join(t.TempDir(), "x.db"))
	o.SQLite.BusyTimeout = 300 * time.Millisecond
	soon := open(t, o)
	o.SQLite.BusyTimeout = time.Hour
	late := open(t, o)
	a := acquire(t, soon)
	mustExec(t, a, createT)
	require.NoError(t, a.Begin(t.Context(), TxOptions{}))
	start := time.Now()
	err := acquire(t, soon).Begin(t.Context(), TxOptions{})
	require.Equal(t, LockTimeout, Classify(err).Class, "%v", err)
	require.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	b := acquire(t, late)
	require.ErrorIs(t, b.Begin(ctx, TxOptions{}), context.DeadlineExceeded)
	require.NoError(t, a.Commit(t.Context()))
	require.NoError(t, b.Begin(t.Context(), TxOptions{}))
	mustExec(t, b, "INSERT INTO t VALUES (1, 'a')")
	require.NoError(t, b.Commit(t.Context()))
}

func TestSQLite_SessionIsPinned(t *testing.T) {
	t.Parallel()
	p := open(t, sqliteAt(filepath.Join(t.TempDir(), "x.db")))
	for range 2 {
		c := acquire(t, p)
		for pragma, want := range map[string]any{"journal_mode": "wal", "synchronous": int64(1), "foreign_keys": int64(1), "busy_timeout": int64(2000)} {
			require.Equal(t, [][]any{{want}}, rowsOf(t, c, "PRAGMA "+pragma), pragma)
		}
		_, err := c.Exec(t.Context(), `SELECT "no such column"`, nil)
		require.Error(t, err)
	}
}

// hazard 355
func TestSQLite_OnlyKnownPragmasWithKnownValues(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"foreign_keys": "ON; ATTACH 'x' AS x", "writable_schema": "ON", "busy_timeout": "1;", "journal_mode": "wal'", "a b": "1", "": "1",
	} {
		o := sqliteAt(":memory:")
		o.Params = map[string]string{name: value}
		_, err := Open(o)
		var bad *OptionError
		require.ErrorAs(t, err, &bad, name)
	}
	o := sqliteAt(":memory:")
	o.Params = map[string]string{"cache_size": "-2000", "TEMP_STORE": "memory"}
	require.Equal(t, [][]any{{int64(-2000)}}, rowsOf(t, acquire(t, open(t, o)), "PRAGMA cache_size"))
}

func TestSQLite_TimesAreReadWhateverWroteThem(t *testing.T) {
	t.Parallel()
	p := open(t, sqliteAt(":memory:"))
	c := acquire(t, p)
	mustExec(t, c, "CREATE TABLE t (a DATETIME, b TIMESTAMP, c DATE, d DATETIME(6), e TEXT)")
	at := time.Date(2024, 2, 29, 12, 0, 0, 500000000, time.UTC)
	for _, text := range []string{
		"2024-02-29 12:00:00.5", "2024-02-29T12:00:00.5Z", "2024-02-29 14:00:00.5+02:00", "2024-02-29 12:00:00.500",
		"2024-02-29 12:00:00.5 +0000 UTC", at.In(time.FixedZone("XYZ", -3600)).String(), at.String() + " m=+0.000012",
	} {
		mustExec(t, c, "DELETE FROM t")
		mustExec(t, c, "INSERT INTO t VALUES (?, ?, ?, ?, ?)", text, text, text, text, text)
		row := rowsOf(t, c, "SELECT * FROM t")[0]
		for i, v := range row[:4] {
			require.IsType(t, time.Time{}, v, "%s in column %d", text, i)
			require.True(t, at.Equal(v.(time.Time)), "%s in column %d: %v", text, i, v)
		}
		require.Equal(t, text, row[4])
		var scanned time.Time
		require.NoError(t, p.DB().QueryRow("SELECT a FROM t").Scan(&scanned))
		require.True(t, at.Equal(scanned))
	}
	for _, bad := range []string{"garbage", "2024-02-30", "2023-02-29 00:00:00", "2024-13-01", "2024-01-01 24:00:00", ""} { // hazard 45
		mustExec(t, c, "DELETE FROM t")
		mustExec(t, c, "INSERT INTO t (a) VALUES (?)", bad)
		require.Equal(t, bad, rowsOf(t, c, "SELECT a FROM t")[0][0])
	}
	_, err := p.DB().Exec("DELETE FROM t")
	require.NoError(t, err)
	_, err = p.DB().Exec("INSERT INTO t (a, e) VALUES (?, ?)", at.In(time.FixedZone("X", 7200)), at)
	require.NoError(t, err)
	require.Equal(t, [][]any{{"2024-02-29 12:00:00.5", "2024-02-29 12:00:00.5"}}, rowsOf(t, c, "SELECT a||'', e FROM t"))
}

// hazard 196
func TestSQLite_StatementsOutliveChangesOfTheSchema(t *testing.T) {
	t.Parallel()
	c := acquire(t, open(t, sqliteAt(":memory:")))
	mustExec(t, c, createT)
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	for range 3 {
		require.Equal(t, [][]any{{int64(1), "a"}}, rowsOf(t, c, "SELECT * FROM t WHERE id = ?", int64(1)))
	}
	mustExec(t, c, "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7")
	require.Equal(t, [][]any{{int64(1), "a", int64(7)}}, rowsOf(t, c, "SELECT * FROM t WHERE id = ?", int64(1)))
}

func TestSQLite_OpenRowsEndWithTheirConnection(t *testing.T) {
	t.Parallel()
	p := open(t, sqliteAt(filepath.Join(t.TempDir(), "x.db")))
	c, err := p.Acquire(t.Context(), 0)
	require.NoError(t, err)
	mustExec(t, c, createT)
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	rows, err := c.Query(t.Context(), "SELECT * FROM t WHERE id > ?", []any{int64(0)})
	require.NoError(t, err)
	c.Release()
	_, err = drain(rows)
	require.Error(t, err)
	require.NoError(t, rows.Close())
	_, err = c.Exec(t.Context(), "SELECT 1", nil)
	require.Error(t, err)
}

// A session that SQLite has taken out of a transaction that only read still refuses
// writes, so nobody else gets it.
func TestSQLite_ReadOnlyDoesNotOutliveARollbackOfSQLitesOwn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *Conn) error{
		"commit":   func(c *Conn) error { return c.Commit(context.Background()) },
		"rollback": func(c *Conn) error { return c.Rollback(context.Background()) },
		"release":  func(*Conn) error { return nil },
	} {
		o := sqliteAt(filepath.Join(t.TempDir(), "x.db"))
		o.MaxOpen, o.MaxIdle = 1, 1
		p := open(t, o)
		c := acquire(t, p)
		mustExec(t, c, createT)
		require.NoError(t, c.Begin(t.Context(), TxOptions{ReadOnly: true}))
		_, err := c.inner.s.Exec(t.Context(), "ROLLBACK", nil)
		require.NoError(t, err)
		_, err = c.Exec(t.Context(), "SELECT 1", nil)
		var lost *TxLostError
		require.ErrorAs(t, err, &lost)
		_ = end(c)
		c.Release()
		mustExec(t, acquire(t, p), "INSERT INTO t VALUES (1, 'a')")
		t.Log(name)
	}
}
