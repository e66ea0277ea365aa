package conformance

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Statements counts what is sent, by the kind of statement. Each call of what it
// returns begins anew.
func Statements(t *testing.T, r *dbfleet.Registry) func() map[string]int {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	t.Cleanup(r.OnBeforeQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Op]++
	}))
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		out := seen
		seen = map[string]int{}
		return out
	}
}

// Counted is what a stranger to the library counts.
func Counted(t testing.TB, db dbtest.Database, query string) (n int) {
	t.Helper()
	require.NoError(t, db.SQL(t).QueryRowContext(context.Background(), query).Scan(&n), query)
	return n
}

// RequireIdle fails if a connection of the registry is in use.
func RequireIdle(t testing.TB, r *dbfleet.Registry) {
	t.Helper()
	for name, s := range r.Stats() {
		require.Zero(t, s.InUse, name)
	}
}

// Slow is a statement that runs until it is interrupted.
func Slow(dialect string) string {
	switch dialect {
	case "postgres":
		return "SELECT pg_sleep(30)"
	case "mysql":
		return "SELECT SLEEP(30)"
	}
	return "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
}
