package connections_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// longRows is how many rows of two kilobytes the table of fillLong has: more than
// what fits between a server and its client.
const longRows = 12000

func fillLong(t *testing.T, fl conformance.Fleet) {
	t.Helper()
	fl.Create(t, `CREATE TABLE long_rows (id {id}, name {long})`)
	fl.Create(t, map[string]string{
		"postgres": fmt.Sprintf(`INSERT INTO long_rows (name) SELECT repeat('x', 2000) FROM generate_series(1, %d)`, longRows),
		"mysql":    fmt.Sprintf(`INSERT INTO long_rows (name) SELECT repeat('x', 2000) FROM seq_1_to_%d`, longRows),
		"sqlite":   fmt.Sprintf(`WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) INSERT INTO long_rows (name) SELECT hex(zeroblob(1000)) FROM s`, longRows),
	}[fl.Database.Dialect])
}

// reads reads all rows of a query by every way that gives them one after the other,
// and calls after with the first. It returns how many there were.
func reads(fl conformance.Fleet, query string, after func()) map[string]func(ctx context.Context) (int, error) {
	db := fl.DB("main")
	raw := func(rows interface {
		Next() bool
		Err() error
		Close() error
	}, err error) (n int, _ error) {
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		for rows.Next() {
			if n++; n == 1 {
				after()
			}
		}
		return n, rows.Err()
	}
	return map[string]func(ctx context.Context) (int, error){
		"raw":  func(ctx context.Context) (int, error) { return raw(db.QueryContext(ctx, query)) },
		"pool": func(ctx context.Context) (int, error) { return raw(db.Pool().QueryContext(ctx, query)) },
		"iter": func(ctx context.Context) (n int, err error) {
			for _, err := range db.Table("long_rows").Select("id", "name").OrderBy("id", dbfleet.Asc).Iter(ctx) {
				if err != nil {
					return n, err
				}
				if n++; n == 1 {
					after()
				}
			}
			return n, nil
		},
		"transaction": func(ctx context.Context) (n int, err error) {
			err = db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				n, err = raw(tx.QueryContext(ctx, query))
				return err
			})
			return n, err
		},
	}
}

// truth 902
func TestCut_AKilledReadIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		fillLong(t, fl)
		const query = "SELECT id, name FROM long_rows ORDER BY id"
		for name, read := range reads(fl, query, func() {}) {
			n, err := read(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, longRows, n, name)
		}
		for name, read := range reads(fl, query, func() { db.KillConnections(t) }) {
			n, err := read(t.Context())
			require.Error(t, err, name)
			require.Less(t, n, longRows, name)
		}
	})
}

// tripped is what is done once, by the database whose rows are read, when the first text of
// its is scanned.
var tripped sync.Map

// tripwire is a text of fillTold.
type tripwire struct{ text string }

func (w *tripwire) Scan(v any) error {
	switch v := v.(type) {
	case []byte:
		w.text = string(v)
	default:
		w.text = fmt.Sprint(v)
	}
	dialect, _, _ := strings.Cut(w.text, ":")
	if trip, ok := tripped.LoadAndDelete(dialect); ok {
		trip.(func())()
	}
	return nil
}

func (w tripwire) Value() (driver.Value, error) { return w.text, nil }

type (
	toldRow struct {
		ID       int64
		ParentID int64
		Name     tripwire
	}
	toldParent struct {
		ID   int64
		Rows []toldRow `db:"-"`
	}
)

// truth 902
// What reads all rows before it gives one is no shorter for a session that is killed.
func TestCut_AKilledReadOfRecordsIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		fl.Create(t, `CREATE TABLE told (id {id}, parent_id {bigint}, name {long})`, `CREATE TABLE tellers (id {id})`, `INSERT INTO tellers (id) VALUES (1)`, map[string]string{
			"postgres": fmt.Sprintf(`INSERT INTO told (parent_id, name) SELECT 1, 'postgres:' || repeat('x', 2000) FROM generate_series(1, %d)`, longRows),
			"mysql":    fmt.Sprintf(`INSERT INTO told (parent_id, name) SELECT 1, CONCAT('mysql:', repeat('x', 2000)) FROM seq_1_to_%d`, longRows),
		}[db.Dialect])
		rows := conformance.Model[toldRow](t, fl.Registry, dbfleet.ModelConfig{Table: "told"})
		parents := conformance.Model[toldParent](t, fl.Registry, dbfleet.ModelConfig{Table: "tellers"})
		has := dbfleet.HasMany(parents, rows, dbfleet.On("parent_id"), func(p *toldParent) *[]toldRow { return &p.Rows })
		for name, read := range map[string]func(ctx context.Context) (int, error){
			"get": func(ctx context.Context) (int, error) { list, err := rows.Get(ctx); return len(list), err },
			"table": func(ctx context.Context) (int, error) {
				list, err := dbfleet.Table[toldRow](fl.DB("main"), "told").Get(ctx)
				return len(list), err
			},
			"pluck": func(ctx context.Context) (int, error) {
				list, err := dbfleet.Pluck[tripwire](ctx, rows, "name")
				return len(list), err
			},
			"select": func(ctx context.Context) (int, error) {
				list, err := dbfleet.Select[toldRow](ctx, fl.DB("main"), "SELECT id, parent_id, name FROM told")
				return len(list), err
			},
			"for": func(ctx context.Context) (int, error) {
				list, err := has.For(&toldParent{ID: 1}).Get(ctx)
				return len(list), err
			},
			"with": func(ctx context.Context) (int, error) {
				list, err := parents.With(has).Get(ctx)
				if len(list) == 1 {
					return len(list[0].Rows), err
				}
				return 0, err
			},
			"iterate": func(ctx context.Context) (n int, err error) {
				for _, err := range rows.OrderBy("id", dbfleet.Asc).Iter(ctx) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			},
		} {
			n, err := read(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, longRows, n, name)
			tripped.Store(db.Dialect, func() { db.KillConnections(t) })
			n, err = read(t.Context())
			_, waits := tripped.LoadAndDelete(db.Dialect)
			require.False(t, waits, name)
			if err == nil { // it was asked for again
				require.Equal(t, longRows, n, name)
				continue
			}
			require.ErrorIs(t, err, dbfleet.ErrConnection, name)
			require.NotErrorIs(t, err, dbfleet.ErrNotFound, name)
		}
	})
}

// truth 903
func TestCut_AQueryThatFailsMidwayIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fillLong(t, fl)
		fl.Create(t, `CREATE TABLE twice (id {int})`, `INSERT INTO twice VALUES (9000), (9000)`)
		fails := map[string]string{
			"postgres": `1 / (id - 9000) AS n`, "mysql": `(SELECT t.id FROM twice t WHERE t.id = long_rows.id) AS n`,
			"sqlite": `abs(CASE id WHEN 9000 THEN -9223372036854775808 ELSE 1 END) AS n`,
		}[fl.Database.Dialect]
		db := fl.DB("main")
		ways := reads(fl, "SELECT id, name, "+fails+" FROM long_rows ORDER BY id", func() {})
		delete(ways, "iter")
		q := db.Table("long_rows").Select("id", "name").SelectRaw(fails).OrderBy("id", dbfleet.Asc)
		ways["maps"] = func(ctx context.Context) (int, error) { list, err := q.Get(ctx); return len(list), err }
		ways["iter of maps"] = func(ctx context.Context) (n int, err error) {
			for _, err := range q.Iter(ctx) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}
		for name, read := range ways {
			n, err := read(t.Context())
			require.Error(t, err, name)
			require.Less(t, n, longRows, name)
		}
	})
}

// truth 904
func TestCut_AnInterruptedReadIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fillLong(t, fl)
		for name := range reads(fl, "", nil) {
			ctx, cancel := context.WithCancel(t.Context())
			n, err := reads(fl, "SELECT id, name FROM long_rows ORDER BY id", cancel)[name](ctx)
			require.ErrorIs(t, err, context.Canceled, name)
			require.Less(t, n, longRows, name)
		}
	})
}

// truth 905
func TestCut_ADamagedPageIsAnError(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fillLong(t, fl)
	copied := filepath.Join(t.TempDir(), "copy.db")
	fl.Create(t, `VACUUM INTO '`+copied+`'`)
	content, err := os.ReadFile(copied)
	require.NoError(t, err)
	const page = 4096
	for i := range page {
		content[len(content)/page/2*page+i] = 0xff
	}
	require.NoError(t, os.WriteFile(copied, content, 0o600))
	fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: copied}})
	ways := reads(fl, "SELECT id, name FROM long_rows ORDER BY id", func() {})
	table := fl.DB("main").Table("long_rows")
	ways["get"] = func(ctx context.Context) (int, error) { list, err := table.Get(ctx); return len(list), err }
	ways["pluck"] = func(ctx context.Context) (int, error) { list, err := table.Pluck(ctx, "name"); return len(list), err }
	ways["max"] = func(ctx context.Context) (int, error) { _, err := table.Max(ctx, "name"); return 0, err }
	for name, read := range ways {
		n, err := read(t.Context())
		require.Error(t, err, name)
		require.Less(t, n, longRows, name)
	}
}
