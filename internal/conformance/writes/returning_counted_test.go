package writes

import (
	"context"
	"database/sql"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// truth 711
//
// Whether the text is new or known, with arguments and without, in a transaction and
// outside, and where nothing is kept.
func TestExec_CountsTheRowsOfReturning(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		for name, cache := range map[string]int{"kept": 100, "not kept": -1} {
			config := conformance.ConnectionTo(db)
			config.Pool.StatementCache = cache
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			fl := conformance.Fleet{Registry: r, Database: db}
			fl.Create(t, "DROP TABLE IF EXISTS things", "CREATE TABLE things (id {bigint} PRIMARY KEY, n {bigint})")
			type thing struct{ ID, N int64 }
			m := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})
			mark := map[bool]string{true: "$1", false: "?"}[db.Dialect == "postgres"]
			counts := func(ctx context.Context, q execer, want int64, text string, args ...any) {
				t.Helper()
				res, err := q.ExecContext(ctx, text, args...)
				require.NoError(t, err, "%s, %s", name, text)
				n, err := res.RowsAffected()
				require.NoError(t, err)
				require.Equal(t, want, n, "%s, %s", name, text)
			}
			all := func(ctx context.Context, q execer) {
				for range 3 {
					counts(ctx, q, 6, "INSERT INTO things VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1) RETURNING id")
					counts(ctx, q, 1, "INSERT INTO things VALUES ("+mark+", 1) Returning id, n", 9)
					counts(ctx, q, 2, "DELETE FROM things WHERE id <= "+mark+" RETURNING id", 2)
					counts(ctx, q, 0, "DELETE FROM things WHERE id <= "+mark+" RETURNING id", 2)
					counts(ctx, q, 2, "DELETE FROM things WHERE id <= 4 /* RETURNING */ RETURNING id")
					counts(ctx, q, 0, "DELETE FROM things WHERE id <= 4 RETURNING id")
					counts(ctx, q, 3, "UPDATE things SET n = 7 /* RETURNING */")
					n, err := m.Query().ExecStatement(ctx, squirrel.Delete("things").Where("id > ?", 4).Suffix("RETURNING id"))
					require.NoError(t, err)
					require.EqualValues(t, 3, n)
				}
			}
			all(t.Context(), r.DB("main"))
			require.NoError(t, r.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				all(ctx, tx)
				return nil
			}))
			_, err := r.DB("main").ExecContext(t.Context(), "INSERT INTO things VALUES (1, 1), (1, 1) RETURNING id")
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.Zero(t, countOf(t, fl, "things"))
		}
	})
}
