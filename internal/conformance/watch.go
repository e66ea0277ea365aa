package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

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
	t.Cleanup(r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
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

// RequireIdleSoon is RequireIdle where the library closes what callers do not wait for.
func RequireIdleSoon(t testing.TB, r *dbfleet.Registry) {
	t.Helper()
	var busy []string
	require.Eventually(t, func() bool {
		busy = nil
		for name, s := range r.Stats() {
			if s.InUse > 0 {
				busy = append(busy, name)
			}
		}
		return len(busy) == 0
	}, 30*time.Second, time.Millisecond, "%v", &busy)
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

// WaitingTick is how often Waiting may be asked: MariaDB gives old answers to who
// asks again within a tenth of a second.
const WaitingTick = 150 * time.Millisecond

// Running is how many connections to a database of a server work on a statement that has
// a text.
func Running(t testing.TB, db dbtest.Database, text string) (n int) {
	t.Helper()
	query := "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '" + db.Name + "' AND state = 'active' AND query LIKE '%" + text + "%'"
	if db.Dialect == "mysql" {
		query = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '" + db.Name + "' AND info LIKE '%" + text + "%'"
	}
	if err := db.Server.Admin().QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// Waiting are the numbers of the connections to a database of a server whose
// statements wait for a lock. MariaDB lets one wait for a client that has gone, until it is killed.
func Waiting(t testing.TB, db dbtest.Database) (numbers []int64) {
	t.Helper()
	query := "SELECT pid FROM pg_stat_activity WHERE datname = '" + db.Name + "' AND wait_event_type = 'Lock'"
	if db.Dialect == "mysql" {
		query = `SELECT p.id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
			WHERE p.db = '` + db.Name + `' AND t.trx_state = 'LOCK WAIT'`
	}
	rows, err := db.Server.Admin().QueryContext(context.Background(), query)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			t.Error(err)
		}
		numbers = append(numbers, number)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return numbers
}
