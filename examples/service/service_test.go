package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// The test program is also the service itself, for tests that start and end it.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_SERVICE") != "" {
		main()
		return
	}
	dbtest.Main(m)
}

// connectionNames are all connections but the replica.
var connectionNames = []string{usersDB, analytics, "orders_shard_1", "orders_shard_2", "orders_shard_3", "orders_shard_4"}

func connectionTo(db dbtest.Database) dbfleet.ConnectionConfig {
	return dbfleet.ConnectionConfig{
		Driver: dbfleet.Driver(db.Dialect), Host: db.Host, Port: db.Port,
		Database: db.Name, Username: db.Username, Password: dbfleet.Secret(db.Password),
	}
}

// fleetOf makes a fresh database for every connection, but those given.
func fleetOf(t *testing.T, dialect string, given map[string]dbfleet.ConnectionConfig) dbfleet.Config {
	config := dbfleet.Config{Default: usersDB, Connections: given}
	for _, name := range connectionNames {
		if _, ok := given[name]; !ok {
			config.Connections[name] = connectionTo(dbtest.New(t, dialect))
		}
	}
	return config
}

// service is a running service and its client.
type service struct {
	t        *testing.T
	url      string
	registry *dbfleet.Registry
	logs     *logs
}

func start(t *testing.T, config dbfleet.Config) *service {
	t.Helper()
	registry, err := dbfleet.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, registry.Close()) })
	logs := &logs{}
	logger := slog.New(slog.NewTextHandler(logs, nil))
	createTables(t.Context(), registry, logger)
	store, err := newStore(registry, logger)
	require.NoError(t, err)
	server := httptest.NewServer(newHandler(store, logger))
	t.Cleanup(server.Close)
	return &service{t: t, url: server.URL, registry: registry, logs: logs}
}

// ask sends a request and returns the status and the decoded JSON answer.
func (s *service) ask(method, path, body string) (int, map[string]any, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	answer := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(s.t, d.Decode(&answer), "%s %s: %s", method, path, text)
	return resp.StatusCode, answer, resp.Header
}

// want is ask for an answer of that status.
func (s *service) want(status int, method, path, body string) map[string]any {
	s.t.Helper()
	got, answer, _ := s.ask(method, path, body)
	require.Equal(s.t, status, got, "%s %s: %v; log: %s", method, path, answer, s.logs)
	return answer
}

// at walks into nested objects and lists.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

// each runs f on SQLite, PostgreSQL and MariaDB.
func each(t *testing.T, f func(t *testing.T, dialect string)) {
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, dialect)
		})
	}
}

func TestService_ServesEveryControllerOnSeparateDatabases(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		s := start(t, fleetOf(t, dialect, map[string]dbfleet.ConnectionConfig{}))

		// Create users: in users_db, with an event in analytics.
		for i, name := range []string{"Ada Lovelace", "Grace_Hopper", "100% Edsger", "Barbara", `Back\slash`} {
			answer := s.want(http.StatusCreated, "POST", "/users", fmt.Sprintf(`{"name":%q,"email":"User%d@Example.com"}`, name, i+1))
			require.Equal(t, name, at(answer, "data", "name"))
			require.Equal(t, fmt.Sprintf("user%d@example.com", i+1), at(answer, "data", "email"))
			require.Equal(t, json.Number(fmt.Sprint(i+1)), at(answer, "data", "id"))
			require.Equal(t, true, answer["event_logged"])
		}
		require.Equal(t, "Ada Lovelace", at(s.want(http.StatusOK, "GET", "/users/1", ""), "data", "name"))
		answer := s.want(http.StatusOK, "GET", "/users/1?resilient", "")
		require.Equal(t, "primary", answer["source"])
		require.Equal(t, "Ada Lovelace", at(answer, "data", "name"))

		// Orders: on the shard of their user.
		for user := 1; user <= 5; user++ {
			for n := range user {
				answer := s.want(http.StatusCreated, "POST", "/orders", fmt.Sprintf(`{"user_id":%d,"total_amount":%d.5}`, user, 10*(n+1)))
				require.Equal(t, json.Number(fmt.Sprintf("%d.50", 10*(n+1))), at(answer, "data", "total_amount"))
				path := fmt.Sprintf("/orders/%d/%v", user, at(answer, "data", "id"))
				require.Equal(t, at(answer, "data"), at(s.want(http.StatusOK, "GET", path, ""), "data"))
			}
		}
		for shard, want := range map[string]int64{"orders_shard_1": 4, "orders_shard_2": 6, "orders_shard_3": 2, "orders_shard_4": 3} {
			n, err := s.registry.DB(shard).Table("orders").Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, n, shard)
		}

		// Order statistics: from another database than the user.
		stats := at(s.want(http.StatusOK, "GET", "/users/3/stats", ""), "data", "order_stats")
		require.Equal(t, json.Number("3"), at(stats, "total_orders"))
		require.Equal(t, json.Number("61.50"), at(stats, "total_spent"))
		require.Equal(t, json.Number("20.50"), at(stats, "avg_order_value"))
		require.NotNil(t, at(stats, "last_order_date"))
		s.want(http.StatusCreated, "POST", "/users", `{"name":"Nobody","email":"nobody@example.com"}`)
		stats = at(s.want(http.StatusOK, "GET", "/users/6/stats", ""), "data", "order_stats")
		require.Equal(t, json.Number("0"), at(stats, "total_orders"))
		require.Equal(t, json.Number("0.00"), at(stats, "total_spent"))
		require.Nil(t, at(stats, "last_order_date"))

		// The dashboard: three queries in parallel.
		board := at(s.want(http.StatusOK, "GET", "/dashboard", ""), "dashboard")
		require.Equal(t, json.Number("5"), at(board, "purchase_metrics", "unique_buyers"))
		require.Equal(t, json.Number("357.50"), at(board, "purchase_metrics", "total_revenue"))
		require.Equal(t, map[string]any{"event_type": "purchase", "n": json.Number("15")}, at(board, "top_events", 0))
		require.Equal(t, map[string]any{"event_type": "user_created", "n": json.Number("6")}, at(board, "top_events", 1))
		var grown int64
		for _, day := range at(board, "user_growth").([]any) {
			n, err := at(day, "new_users").(json.Number).Int64()
			require.NoError(t, err)
			grown += n
		}
		require.EqualValues(t, 6, grown)

		// The search: across users, orders on all shards, and events.
		found := func(q, kind string) int {
			return len(at(s.want(http.StatusOK, "GET", "/search?q="+url.QueryEscape(q), ""), "results", kind).([]any))
		}
		require.Equal(t, 1, found("lovelace", "users"), "letter case does not matter")
		require.Equal(t, 1, found("100%", "users"))
		require.Equal(t, 0, found("%%%", "users"), "% is a percent sign")
		require.Equal(t, 1, found("e_H", "users"))
		require.Equal(t, 0, found("___", "users"))
		require.Equal(t, 1, found(`k\s`, "users"))
		require.Equal(t, 0, found("' OR 1=1 --", "users"))
		require.Equal(t, 0, found("___", "orders"))
		require.Equal(t, 0, found("!%!", "orders"))
		require.Equal(t, 10, found("created", "events")+found("purchase", "events")-6, "at most ten of a kind")
		require.Equal(t, 1, found("2-3", "orders"), "the second order of user 3")

		health := s.want(http.StatusOK, "GET", "/health", "")
		require.Equal(t, "healthy", health["status"])
		require.Len(t, health["connections"], len(connectionNames))
	})
}

func TestService_RefusesBadInput(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		s := start(t, fleetOf(t, dialect, map[string]dbfleet.ConnectionConfig{}))
		s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
		s.want(http.StatusCreated, "POST", "/orders", `{"user_id":1,"total_amount":1}`)

		for body, status := range map[string]int{
			``:                                      400,
			`[]`:                                    400,
			`{"name":"x"`:                           400,
			`{"name":"Bob","email":"b@x.org"} more`: 400,
			`{"name":" ","email":"b@x.org"}`:        400,
			`{"name":7,"email":"b@x.org"}`:          400,
			`{"name":"Bob","email":"no address"}`:   400,
			`{"name":"Bob","email":"B <b@x.org>"}`:  400,
			`{"name":"a\u0000b","email":"b@x.org"}`: 400,
			`{"name":"Bob"}`:                        400,
			`{"name":"` + strings.Repeat("é", 256) + `","email":"b@x.org"}`:   400,
			`{"name":"` + strings.Repeat("x", 70000) + `","email":"b@x.org"}`: 400,
			`{"name":"Other","email":"ADA@example.com"}`:                      409,
			`{"name":"` + strings.Repeat("😀", 255) + `","email":"b@x.org"}`:   201,
		} {
			s.want(status, "POST", "/users", body)
		}
		for body, status := range map[string]int{
			`{"total_amount":1}`:                               400,
			`{"user_id":-1,"total_amount":1}`:                  400,
			`{"user_id":1.5,"total_amount":1}`:                 400,
			`{"user_id":"1 OR 1=1","total_amount":1}`:          400,
			`{"user_id":1,"total_amount":0}`:                   400,
			`{"user_id":1,"total_amount":-1}`:                  400,
			`{"user_id":1,"total_amount":1.005}`:               400,
			`{"user_id":1,"total_amount":1e5}`:                 400,
			`{"user_id":1,"total_amount":"7"}`:                 400,
			`{"user_id":1,"total_amount":1000000000.01}`:       400,
			`{"user_id":9223372036854775808,"total_amount":1}`: 400,
			`{"user_id":999,"total_amount":1}`:                 404,
		} {
			s.want(status, "POST", "/orders", body)
		}
		for path, status := range map[string]int{
			"/users/0": 400, "/users/-1": 400, "/users/abc": 400, "/users/1%20OR%201=1": 400,
			"/users/9223372036854775808": 400, "/users/999": 404, "/users/999?resilient": 404,
			"/users/abc/stats": 400, "/users/999/stats": 404, "/users/x?resilient": 400,
			"/orders/1/1": 200, "/orders/1/999": 404, "/orders/2/1": 404, "/orders/x/1": 400, "/orders/1/x": 400,
			"/search": 400, "/search?q=ab": 400, "/search?q=%20%20ab%20": 400, "/search?q=éé": 400, "/search?q=ééé": 200,
			"/search?q=a%00bc": 400, "/search?q=%ff%fe%fd": 400, "/search?q=" + strings.Repeat("x", 256): 400,
		} {
			s.want(status, "GET", path, "")
		}
		n, err := s.registry.DB(usersDB).Table("users").Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "nothing else was created")
		require.NotContains(t, s.logs.String(), "request failed", "none of this is the service's fault")
	})
}

func TestService_GoesOnWithoutADatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		// users_db and replica are a server of their own with a real replica; on
		// SQLite a folder that goes away, and a copy.
		given := map[string]dbfleet.ConnectionConfig{}
		stop, resume, copied := outage(t, dialect, given)
		s := start(t, fleetOf(t, dialect, given))
		s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
		s.want(http.StatusCreated, "POST", "/orders", `{"user_id":1,"total_amount":5}`)
		copied(s)

		stop(s)
		for _, ask := range []string{"GET /users/1", "GET /users/1/stats", "GET /search?q=ada"} {
			method, path, _ := strings.Cut(ask, " ")
			status, answer, header := s.ask(method, path, "")
			require.Equal(t, http.StatusServiceUnavailable, status, "%s: %s", ask, s.logs)
			require.Equal(t, "5", header.Get("Retry-After"), ask)
			require.Equal(t, map[string]any{"error": "service temporarily unavailable"}, answer, "nothing leaks")
		}
		status, answer, _ := s.ask("POST", "/users", `{"name":"Bob","email":"bob@example.com"}`)
		require.Equal(t, http.StatusServiceUnavailable, status, answer)

		answer = s.want(http.StatusOK, "GET", "/users/1?resilient", "")
		require.Equal(t, "replica", answer["source"])
		require.Equal(t, "Ada", at(answer, "data", "name"))
		s.want(http.StatusNotFound, "GET", "/users/2?resilient", "")

		s.want(http.StatusOK, "GET", "/orders/1/1", "")
		s.want(http.StatusOK, "GET", "/dashboard", "")
		health := s.want(http.StatusOK, "GET", "/health", "")
		require.Equal(t, "degraded", health["status"])
		require.Equal(t, "unhealthy", at(health, "connections", usersDB, "status"))
		require.Equal(t, "healthy", at(health, "connections", "orders_shard_1", "status"))

		resume(s)
		s.want(http.StatusCreated, "POST", "/users", `{"name":"Bob","email":"bob@example.com"}`)
		require.Equal(t, "healthy", s.want(http.StatusOK, "GET", "/health", "")["status"])
		require.Equal(t, "primary", s.want(http.StatusOK, "GET", "/users/1?resilient", "")["source"])
	})
}

// outage configures users_db and replica, and returns what stops and resumes
// the first, and what waits until the second has caught up.
func outage(t *testing.T, dialect string, given map[string]dbfleet.ConnectionConfig) (stop, resume, copied func(*service)) {
	var cluster *dbtest.Cluster
	switch dialect {
	case "sqlite":
		folder := filepath.Join(t.TempDir(), "users")
		require.NoError(t, os.Mkdir(folder, 0o700))
		there := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(folder, "users.db")}
		given[usersDB], given[replicaDB] = there, there
		return func(s *service) {
				require.NoError(t, s.registry.Replace(s.t.Context(), usersDB, dbfleet.ConnectionConfig{
					Driver: dbfleet.SQLite, Database: filepath.Join(folder, "gone", "users.db"),
				}))
			}, func(s *service) {
				require.NoError(t, s.registry.Replace(s.t.Context(), usersDB, there))
			}, func(*service) {}
	case "postgres":
		cluster = dbtest.PostgresCluster(t, 1)
	case "mysql":
		cluster = dbtest.MariaDBCluster(t, 1)
	}
	db := cluster.Database(t)
	replica := connectionTo(db.On(cluster.Replicas[0]))
	// It is meant to be read only: nobody writes to it, and its health does not ask for that.
	replica.Params = map[string]string{map[string]string{"postgres": "default_transaction_read_only", "mysql": "tx_read_only"}[dialect]: "1"}
	given[usersDB], given[replicaDB] = connectionTo(db), replica
	return func(*service) { cluster.Primary.Kill(t) },
		func(*service) { cluster.Primary.Start(t) },
		func(*service) { cluster.WaitCaughtUp(t) }
}

func TestService_ToleratesThatAnalyticsIsDown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		s := start(t, fleetOf(t, dialect, map[string]dbfleet.ConnectionConfig{}))
		require.NoError(t, s.registry.Replace(t.Context(), analytics, dbfleet.ConnectionConfig{
			Driver: dbfleet.Postgres, Host: "127.0.0.1", Port: 1, Database: "none", Username: "none",
		}))
		answer := s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
		require.Equal(t, false, answer["event_logged"])
		s.want(http.StatusServiceUnavailable, "GET", "/dashboard", "")
		require.Equal(t, "degraded", s.want(http.StatusOK, "GET", "/health", "")["status"])
	})
}

// A fault that nobody outside can mend is a 500 that tells nothing.
func TestService_HidesItsOwnFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		s := start(t, fleetOf(t, dialect, map[string]dbfleet.ConnectionConfig{}))
		_, err := s.registry.DB(usersDB).ExecContext(t.Context(), "DROP TABLE users")
		require.NoError(t, err)
		answer := s.want(http.StatusInternalServerError, "GET", "/users/1", "")
		require.Equal(t, map[string]any{"error": "internal server error"}, answer)
		require.Contains(t, s.logs.String(), "request failed")
	})
}

func TestParallel_CancelsTheOthersAtTheFirstError(t *testing.T) {
	t.Parallel()
	var other error
	err := parallel(t.Context(),
		func(ctx context.Context) error { <-ctx.Done(); other = ctx.Err(); return other },
		func(context.Context) error { return dbfleet.ErrNotFound },
	)
	require.ErrorIs(t, err, dbfleet.ErrNotFound)
	require.ErrorIs(t, other, context.Canceled)
}
