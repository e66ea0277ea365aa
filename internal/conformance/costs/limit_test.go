package costs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A limit that programs usually have is part of PostgreSQL's text, since it plans
// a query with an unknown one each time. When the second half fails, PostgreSQL
// has learnt, and limits may be arguments always.
func TestPostgres_PlansAKnownLimitOnce(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	config := conformance.ConnectionTo(db)
	config.Pool.MaxOpen = 1 // prepared statements belong to a connection
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
	accounts := fl.Bank(t)
	fl.Create(t, `INSERT INTO accounts (owner, balance) SELECT n, 1 FROM generate_series(1, 5000) n`, `ANALYZE accounts`)
	plannedOnce := func(limit int) (times int) {
		query := accounts.OrderBy("id", dbfleet.Asc).Limit(limit)
		for range 20 {
			list, err := query.Get(t.Context())
			require.NoError(t, err)
			require.Len(t, list, limit)
		}
		text, _, err := query.SQL(t.Context())
		require.NoError(t, err)
		row := fl.DB("main").QueryRowContext(t.Context(), "SELECT generic_plans FROM pg_prepared_statements WHERE statement = $1", text)
		require.NoError(t, row.Scan(&times))
		return times
	}
	require.GreaterOrEqual(t, plannedOnce(100), 10)
	require.Zero(t, plannedOnce(99), "executions with a plan that was kept")
}
