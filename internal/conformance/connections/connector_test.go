package connections

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/driver/drivertest"
)

// lender is a connector whose connections are those of another pool, as a driver
// that wraps another has them.
type lender struct {
	pool       *sql.DB
	statements atomic.Int64
	open       atomic.Int64
}

func (l *lender) Driver() sqldriver.Driver { return l.pool.Driver() }

func (l *lender) Connect(ctx context.Context) (sqldriver.Conn, error) {
	sc, err := l.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &lent{l: l, sc: sc}
	if err := sc.Raw(func(dc any) error { c.full = dc.(full); return nil }); err != nil {
		return nil, errors.Join(err, sc.Close())
	}
	l.open.Add(1)
	return c, nil
}

// full is what all drivers have.
type full interface {
	sqldriver.Conn
	sqldriver.ConnPrepareContext
	sqldriver.ConnBeginTx
}

type lent struct {
	full
	l  *lender
	sc *sql.Conn
}

func (c *lent) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	c.l.statements.Add(1)
	return c.full.PrepareContext(ctx, query)
}

func (c *lent) CheckNamedValue(nv *sqldriver.NamedValue) error {
	if checker, ok := c.full.(sqldriver.NamedValueChecker); ok {
		return checker.CheckNamedValue(nv)
	}
	return sqldriver.ErrSkip
}

func (c *lent) Close() error {
	c.l.open.Add(-1)
	return c.sc.Close()
}

func TestConnector_StandsInTheServersPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		l := &lender{pool: db.SQL(t)}
		var prepared atomic.Int64
		c := dbfleet.ConnectionConfig{Driver: dbfleet.Driver(db.Dialect), Connector: l, OnConnect: func(_ context.Context, driverConn any) error {
			prepared.Add(1)
			if _, ok := driverConn.(*lent); !ok {
				return fmt.Errorf("got a %T", driverConn)
			}
			return nil
		}}
		if db.Dialect != "sqlite" {
			c.ReadHosts = []string{"replica-1"}
		}
		r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": c}})
		require.NoError(t, err)
		fl := conformance.Fleet{Registry: r, Database: db}
		accounts := fl.Bank(t)
		fl.Create(t, "CREATE UNIQUE INDEX one_owner ON accounts (owner)")
		ada := conformance.Account{Owner: "ada", Balance: 5}
		require.NoError(t, accounts.Create(t.Context(), &ada))
		require.ErrorIs(t, accounts.Create(t.Context(), &conformance.Account{Owner: "ada"}), dbfleet.ErrUnique, "the driver's errors are known")
		failed := errors.New("no")
		require.ErrorIs(t, r.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "bob"}))
			return failed
		}), failed)
		got, err := accounts.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []conformance.Account{ada}, got)
		require.Positive(t, l.statements.Load())
		require.Equal(t, l.open.Load(), prepared.Load())
		require.NoError(t, r.Close())
		require.Zero(t, l.open.Load(), "they are all given back")
	})
}

// connectorFunc is a connector of one function.
type connectorFunc func(ctx context.Context) (sqldriver.Conn, error)

func (f connectorFunc) Connect(ctx context.Context) (sqldriver.Conn, error) { return f(ctx) }
func (f connectorFunc) Driver() sqldriver.Driver                            { return nil }

func TestConnector_FailuresAreThoseOfTheConnection(t *testing.T) {
	t.Parallel()
	cause := errors.New("the twin is not ready")
	for name, story := range map[string]struct {
		connect connectorFunc
		text    string
	}{
		"error":     {func(context.Context) (sqldriver.Conn, error) { return nil, cause }, "Connector: the twin is not ready"},
		"eof":       {func(context.Context) (sqldriver.Conn, error) { return nil, io.EOF }, "Connector: EOF"},
		"bad":       {func(context.Context) (sqldriver.Conn, error) { return nil, sqldriver.ErrBadConn }, "the connection is lost"},
		"panic":     {func(context.Context) (sqldriver.Conn, error) { panic("lost") }, "Connector: panicked: lost"},
		"goexit":    {func(context.Context) (sqldriver.Conn, error) { runtime.Goexit(); return nil, nil }, "Connector: ended its goroutine"},
		"typed nil": {func(context.Context) (sqldriver.Conn, error) { return (*lent)(nil), nil }, "Connector: returned neither"},
		"nothing":   {func(context.Context) (sqldriver.Conn, error) { return nil, nil }, "Connector: returned neither"},
		"hangs":     {func(ctx context.Context) (sqldriver.Conn, error) { <-ctx.Done(); return nil, cause }, "silent for 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute // what ends by itself has time for that
			if name == "hangs" {
				timeout = 100 * time.Millisecond
			}
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {
				Driver: dbfleet.SQLite, Connector: story.connect, ConnectTimeout: timeout, Pool: dbfleet.PoolConfig{MaxOpen: 1},
			}})
			for range 2 {
				err := r.DB("main").Ping(t.Context())
				require.ErrorIs(t, err, dbfleet.ErrConnection)
				require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
				require.ErrorContains(t, err, story.text)
				require.Equal(t, name == "error", errors.Is(err, cause))
			}
		})
	}
}

func TestConnector_NeedsADriverAndLeavesNothingToTheServer(t *testing.T) {
	t.Parallel()
	script := drivertest.New()
	ask := func(context.Context, string) (string, error) { return "", nil }
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, errNo }
	for text, c := range map[string]dbfleet.ConnectionConfig{
		"driver ":                                  {Connector: script},
		"host is set beside connector":             {Driver: dbfleet.MySQL, Connector: script, Host: "h"},
		"socket is set beside connector":           {Driver: dbfleet.MySQL, Connector: script, Socket: "/s"},
		"password is set beside connector":         {Driver: dbfleet.MySQL, Connector: script, Password: "p"},
		"password_func is set beside connector":    {Driver: dbfleet.MySQL, Connector: script, PasswordFunc: ask},
		"dial is set beside connector":             {Driver: dbfleet.Postgres, Connector: script, Dial: dial},
		"tls is set beside connector":              {Driver: dbfleet.Postgres, Connector: script, TLS: dbfleet.TLSConfig{Mode: dbfleet.TLSRequire}},
		"params is set beside connector":           {Driver: dbfleet.Postgres, Connector: script, Params: map[string]string{"work_mem": "1MB"}},
		"dial is set, but sqlite has no":           {Driver: dbfleet.SQLite, Database: "x", Dial: dial},
		"password_func is set, but sqlite has no":  {Driver: dbfleet.SQLite, Database: "x", PasswordFunc: ask},
		"host is set beside connector, which stan": {URL: "postgres://u@h/d", Connector: script},
	} {
		_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": c}})
		require.ErrorContains(t, err, text)
		var fault *dbfleet.ConfigError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "main", fault.Connection)
	}
}

var errNo = errors.New("no")

// A configuration with functions is printed, encoded, copied and replaced as one
// without.
func TestSeams_AreNotShown(t *testing.T) {
	t.Parallel()
	script := drivertest.New()
	plain := dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Database: "d"}
	withAll := plain
	withAll.Connector, withAll.OnConnect = script, func(context.Context, any) error { return nil }
	withAll.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errNo }
	withAll.PasswordFunc = func(context.Context, string) (string, error) { return "", nil }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, fmt.Sprintf(verb, plain), fmt.Sprintf(verb, withAll))
	}
	want, err := json.Marshal(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": plain}})
	require.NoError(t, err)
	got, err := json.Marshal(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": withAll}})
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
	require.NoError(t, json.Unmarshal(got, new(dbfleet.Config)))
	require.ErrorContains(t, json.Unmarshal([]byte(`{"connections": {"main": {"driver": "mysql", "dial": "x"}}}`), new(dbfleet.Config)), "dial")

	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.MySQL, Connector: script}})
	require.NoError(t, r.DB("main").Ping(t.Context()))
	other := drivertest.New().Otherwise(drivertest.Answer{Columns: []string{"n"}, Rows: [][]sqldriver.Value{{int64(7)}}})
	require.NoError(t, r.Replace(t.Context(), "main", dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Connector: other}))
	var n int
	require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "SELECT n").Scan(&n))
	require.Equal(t, 7, n)
	require.NotContains(t, strings.ToLower(fmt.Sprintf("%#v", r)), "connector")
}
