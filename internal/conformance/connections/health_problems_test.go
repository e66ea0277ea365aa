package connections

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// holdAll takes every connection of the pool of "main", with a transaction that has
// written on one of them, until the test's end or release is called.
func holdAll(t *testing.T, fl conformance.Fleet, n int) (release func()) {
	t.Helper()
	held := make([]*sql.Conn, n)
	for i := range held {
		c, err := fl.DB("main").Pool().Conn(t.Context())
		require.NoError(t, err)
		held[i] = c
	}
	return func() {
		for _, c := range held {
			require.NoError(t, c.Close())
		}
	}
}

func TestHealth_ABusyPoolIsNotADeadNode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Pool = dbfleet.PoolConfig{MaxOpen: 2, AcquireTimeout: time.Minute}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		fl.Create(t, "CREATE TABLE things (id {id}, name VARCHAR(40))")
		release := holdAll(t, fl, 2)
		handler := fl.HealthHandler(dbfleet.HealthOptions{Required: []string{"main"}, Timeout: 20 * time.Second})
		for range 3 {
			h := fl.Health(t.Context())
			node := h.Connections["main"].Nodes[0]
			require.NoError(t, node.Err)
			require.True(t, node.Up)
			require.Equal(t, dbfleet.ProblemPool, node.Problem)
			require.Equal(t, dbfleet.Healthy, h.Status)
			require.Equal(t, 2, node.Pool.InUse)
			require.Equal(t, 2, node.Pool.Open, "the one that asked is not the pool's")
			require.Zero(t, node.Pool.WaitCount, "nobody waited")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			require.Equal(t, http.StatusOK, answer.Code)
			require.Contains(t, answer.Body.String(), `"problem":"pool"`)
		}
		release()
		node := fl.Health(t.Context()).Connections["main"].Nodes[0]
		require.True(t, node.Up)
		require.Empty(t, node.Problem)
	})
}

// One who writes for long keeps others from writing, not from being asked.
func TestHealth_AWriterInAFileDoesNotHoldItUp(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, "CREATE TABLE things (id {id}, name VARCHAR(40))")
	require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO things (name) VALUES ('a')")
		require.NoError(t, err)
		start := time.Now()
		require.Equal(t, dbfleet.Healthy, fl.Health(t.Context()).Status)
		require.Less(t, time.Since(start), 4*time.Second, "the busy timeout is 5 s")
		return nil
	}))
}

func TestHealth_ProblemsAreASmallList(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		right := conformance.ConnectionTo(db)
		auth, none, name, tls, refused, busy := right, right, right, right, right, right
		auth.Password = "wrong"
		none.Database = "no_such_database"
		if db.Dialect == "mysql" { // which tells of a missing database only who might see it
			db.Server.Exec(t, "GRANT SELECT ON `no_such_database`.* TO '"+db.Username+"'@'%'")
		}
		name.Host, name.SSL = "no-such-host.invalid", true
		name.Dial = func(context.Context, string, string) (net.Conn, error) { // as looking it up ends, which would leave the machine
			return nil, &net.DNSError{Err: "no such host", Name: "no-such-host.invalid", IsNotFound: true}
		}
		tls.TLS.CAFile = dbtest.NewStranger(t, "x").CAFile
		refused.Port = refusedPort(t)
		hole := dbtest.NewProxy(t, db.Server.Addr())
		silent := conformance.ConnectionTo(hole.Through(db))
		hole.Blackhole()
		busy.Pool.MaxOpen = 1
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
			"right": right, "auth": auth, "none": none, "name": name, "tls": tls, "refused": refused, "silent": silent,
			"file": {Driver: dbfleet.SQLite, Database: "/no/such/place/x.db"},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		h := r.Health(ctx)
		for name, want := range map[string]dbfleet.HealthProblem{
			"right": "", "auth": dbfleet.ProblemAuth, "none": dbfleet.ProblemNoDatabase, "name": dbfleet.ProblemDNS, "tls": dbfleet.ProblemTLS,
			"refused": dbfleet.ProblemRefused, "silent": dbfleet.ProblemTimeout, "file": dbfleet.ProblemNoDatabase,
		} {
			node := h.Connections[name].Nodes[0]
			require.Equal(t, want, node.Problem, "%s: %v", name, node.Err)
			require.Equal(t, want == "", node.Up, name)
		}
		hole.Heal()
	})
}

// A server that takes no more connections is there, if a pool has some.
func TestHealth_AServerWithoutConnectionsLeftIsUpForWhoHasSome(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.Server.Exec(t, map[string]string{
			"postgres": `ALTER ROLE "` + db.Username + `" CONNECTION LIMIT 1`,
			"mysql":    "GRANT USAGE ON *.* TO '" + db.Username + "'@'%' WITH MAX_USER_CONNECTIONS 1",
		}[db.Dialect])
		has, hasNone := conformance.ConnectionTo(db), conformance.ConnectionTo(db)
		has.Pool.MaxOpen = 1
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": has, "none": hasNone})
		release := holdAll(t, conformance.Fleet{Registry: r, Database: db}, 1)
		h := r.Health(t.Context())
		node, other := h.Connections["main"].Nodes[0], h.Connections["none"].Nodes[0]
		require.Equal(t, dbfleet.ProblemPool, node.Problem)
		require.ErrorIs(t, node.Err, dbfleet.ErrTooManyConnections)
		require.True(t, node.Up)
		require.Equal(t, dbfleet.ProblemPool, other.Problem)
		require.False(t, other.Up)
		release()
	})
}

func TestHealth_APrimaryThatTakesNoWritesIsFound(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, int, ...string) *dbtest.Cluster{"postgres": dbtest.PostgresCluster, "mysql": dbtest.MariaDBCluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := start(t, 1)
			db := cluster.Database(t)
			replica := cluster.Replicas[0]
			if name == "mysql" {
				replica.Exec(t, "SET GLOBAL read_only = 1")
			}
			main := conformance.ConnectionTo(db.On(replica))
			meant := main
			meant.Params = map[string]string{"default_transaction_read_only": "on"}
			if name == "mysql" {
				meant.Params = map[string]string{"tx_read_only": "1"}
			}
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": main, "meant": meant})
			handler := r.HealthHandler(dbfleet.HealthOptions{Required: []string{"main"}, Timeout: 20 * time.Second})
			code := func() int {
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
				return answer.Code
			}
			h := r.Health(t.Context())
			require.Equal(t, dbfleet.Degraded, h.Status)
			require.Equal(t, dbfleet.Degraded, h.Connections["main"].Status, "it can be read")
			require.Equal(t, dbfleet.ProblemReadOnly, h.Connections["main"].Nodes[0].Problem)
			require.True(t, h.Connections["main"].Nodes[0].Up)
			require.NoError(t, h.Connections["main"].Nodes[0].Err)
			require.Equal(t, dbfleet.Healthy, h.Connections["meant"].Status, "the configuration says that it is meant to be")
			require.Equal(t, http.StatusServiceUnavailable, code())

			cluster.Promote(t, replica)
			require.Eventually(t, func() bool { return code() == http.StatusOK }, 20*time.Second, 50*time.Millisecond)
			require.Equal(t, dbfleet.Healthy, r.Health(t.Context()).Status)
		})
	}
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		db := dbtest.New(t, "postgres")
		db.Server.Exec(t, `ALTER DATABASE "`+db.Name+`" SET default_transaction_read_only = on`)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
		require.Equal(t, dbfleet.ProblemReadOnly, r.Health(t.Context()).Connections["main"].Nodes[0].Problem)
	})
}

func TestHealthHandler_RequiredDecidesWhatTheLoadBalancerIsTold(t *testing.T) {
	t.Parallel()
	file := dbtest.New(t, "sqlite")
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"main": conformance.ConnectionTo(file), "down": {Driver: dbfleet.SQLite, Database: "/no/such/place/x.db"},
	})
	ask := func(options ...dbfleet.HealthOptions) (int, string) {
		answer := httptest.NewRecorder()
		r.HealthHandler(options...).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return answer.Code, answer.Body.String()
	}
	for _, tc := range []struct {
		required []string
		code     int
		status   string
	}{
		{nil, http.StatusOK, "degraded"},
		{[]string{"main"}, http.StatusOK, "degraded"},
		{[]string{""}, http.StatusOK, "degraded"},
		{[]string{"down"}, http.StatusServiceUnavailable, "unhealthy"},
		{[]string{"main", "down"}, http.StatusServiceUnavailable, "unhealthy"},
	} {
		code, body := ask(dbfleet.HealthOptions{Required: tc.required})
		require.Equal(t, tc.code, code, tc.required)
		require.Contains(t, body, `{"status":"`+tc.status+`"`, tc.required)
	}
	handler := r.HealthHandler(dbfleet.HealthOptions{Required: []string{"main"}})
	require.PanicsWithValue(t, `dbfleet: HealthOptions.Required: unknown connection "mian"; known are "down", "main"`, func() {
		r.HealthHandler(dbfleet.HealthOptions{Required: []string{"main", "mian"}})
	})
	require.PanicsWithValue(t, "dbfleet: HealthHandler: more than one HealthOptions", func() { r.HealthHandler(dbfleet.HealthOptions{}, dbfleet.HealthOptions{}) })
	require.PanicsWithValue(t, "dbfleet: HealthOptions.Timeout is negative", func() { r.HealthHandler(dbfleet.HealthOptions{Timeout: -1}) })

	require.NoError(t, r.Remove(t.Context(), "main"))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, "a required one was removed")
}

// A silent node that nobody requires does not make the program look dead.
func TestHealthHandler_AnswersInTime(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	hole := dbtest.NewProxy(t, db.Server.Addr())
	hole.Blackhole()
	silent := conformance.ConnectionTo(hole.Through(db))
	silent.ConnectTimeout = time.Minute
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, "sqlite")), "silent": silent})
	handler := r.HealthHandler(dbfleet.HealthOptions{Required: []string{"main"}, Timeout: 3 * time.Second})
	start := time.Now()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	require.Less(t, time.Since(start), 20*time.Second, "a connection may take a minute to be made")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), `"problem":"timeout"`)
	hole.Heal()
}

// A connection that was cut while it was idle, by a firewall or a load balancer, says
// nothing of the node.
func TestHealth_ALostIdleConnectionIsNoDeadNode(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		for range 5 {
			require.NoError(t, fl.DB("main").Ping(t.Context()))
			proxy.Cut()
			health := fl.Health(t.Context())
			require.Equal(t, dbfleet.Healthy, health.Status, "%v", health.Connections["main"].Nodes[0].Err)
		}
	})
}
