//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// countRows is a read of Pool.Query.
func countRows(rows Rows) (int64, error) {
	list, err := drain(rows)
	return int64(len(list)), err
}

func TestRequest_OnEveryDatabase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		ctx := t.Context()
		_, _, err := p.Exec(ctx, time.Second, "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20), f DOUBLE PRECISION)", nil)
		require.NoError(t, err)
		insert := ph(db, "INSERT INTO t VALUES ($1, $2, $3)")
		for i := range 4 {
			res, _, err := p.Exec(ctx, time.Second, insert, []any{int64(i), "name", 1.5})
			require.NoError(t, err)
			require.EqualValues(t, 1, res.RowsAffected)
		}
		_, had, err := p.Exec(ctx, time.Second, insert, []any{int64(1), nil, nil})
		require.True(t, had)
		require.Equal(t, Unique, Classify(err).Class)
		_, had, err = p.Exec(ctx, time.Second, insert, []any{int64(1), "name"})
		require.True(t, had)
		require.Error(t, err, "too few arguments")

		query := ph(db, "SELECT id, name, f FROM t WHERE name = $1 ORDER BY id")
		for range 3 {
			n, _, err := p.Query(ctx, time.Second, query, []any{"name"}, "", ReaderFunc(countRows))
			require.NoError(t, err)
			require.EqualValues(t, 4, n)
			// What is left unread does not stay for the next statement.
			_, _, err = p.Query(ctx, time.Second, query, []any{"name"}, "", ReaderFunc(func(Rows) (int64, error) { return 0, nil }))
			require.NoError(t, err)
		}
		require.Panics(t, func() {
			_, _, _ = p.Query(ctx, time.Second, query, []any{"name"}, "", ReaderFunc(func(Rows) (int64, error) { panic("in the middle") }))
		})
		require.Zero(t, p.DB().Stats().InUse)
		n, _, err := p.Query(ctx, time.Second, query, []any{"name"}, "", ReaderFunc(countRows))
		require.NoError(t, err)
		require.EqualValues(t, 4, n)

		if db.Dialect != "mysql" {
			one, two := ph(db, "INSERT INTO t VALUES ($1, $2, $3) RETURNING id"), ph(db, "INSERT INTO t VALUES ($1, $2, $3), ($4, $5, $6) RETURNING id")
			n, _, err = p.Query(ctx, time.Second, two, []any{int64(10), "a", 1.5, int64(11), nil, nil}, one, ReaderFunc(countRows))
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
			_, stage, err := p.Query(ctx, time.Second, two, []any{int64(12), "a", 1.5, int64(10), nil, nil}, one, ReaderFunc(countRows))
			require.Equal(t, Unique, Classify(err).Class)
			if db.Dialect == "postgres" {
				require.Equal(t, StageSend, stage)
			}
		}
	})
}

func TestRequest_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_, _, err := p.Query(ctx, time.Second, sleepQuery(db, "20"), nil, "", ReaderFunc(countRows))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, time.Since(start), 10*time.Second)
			require.Zero(t, p.DB().Stats().InUse)
			_, _, err = p.Query(t.Context(), time.Second, "SELECT 1", nil, "", ReaderFunc(countRows))
			require.NoError(t, err)
		}
	})
}

func TestRequest_WithLostAnswerIsSentOnce(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		_, _, err := p.Exec(t.Context(), time.Second, "CREATE TABLE w (v VARCHAR(30))", nil)
		require.NoError(t, err)
		trigger := proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.CutReply, Times: 1})
		_, had, err := p.Exec(t.Context(), time.Second, ph(db, "INSERT INTO w VALUES ($1)"), []any{"marked"})
		require.True(t, had)
		require.Equal(t, Connection, Classify(err).Class, "%v", err)
		require.True(t, Classify(err).Unanswered, "%v", err)
		require.Equal(t, 1, trigger.Seen())
		require.Equal(t, 1, count(t, db, "w"))
		_, _, err = p.Exec(t.Context(), time.Second, ph(db, "INSERT INTO w VALUES ($1)"), []any{"marked"})
		require.NoError(t, err)
		require.Equal(t, 2, count(t, db, "w"))
	})
}
