package connections

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onDriver runs statements on a driver's own connection, as an OnConnect does.
func onDriver(ctx context.Context, driverConn any, statements ...string) error {
	for _, s := range statements {
		var err error
		switch conn := driverConn.(type) {
		case *pgx.Conn:
			_, err = conn.Exec(ctx, s)
		case sqldriver.ExecerContext:
			_, err = conn.ExecContext(ctx, s, nil)
		default:
			err = fmt.Errorf("a %T", driverConn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setting is a statement that changes the session harmlessly, and one that asks for it.
func setting(dialect string) (set, ask, value string) {
	switch dialect {
	case "postgres":
		return "SET application_name = 'prepared'", "SHOW application_name", "prepared"
	case "mysql":
		return "SET @prepared = 'yes'", "SELECT @prepared", "yes"
	}
	return "PRAGMA cache_size = 1234", "SELECT cache_size FROM pragma_cache_size", "1234"
}

func TestOnConnect_PreparesEachConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		set, ask, value := setting(db.Dialect)
		var calls atomic.Int64
		c := conformance.ConnectionTo(db)
		if db.Dialect != "sqlite" {
			conformance.Patient(&c) // a question that is given up is asked on another connection
			c.ReadHosts = []string{net.JoinHostPort("localhost", strconv.Itoa(db.Port))}
		}
		c.OnConnect = func(ctx context.Context, driverConn any) error {
			calls.Add(1)
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("the time for connecting has no end")
			}
			return onDriver(ctx, driverConn, set)
		}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}), Database: db}
		accounts := fl.Bank(t)
		h := fl.DB("main")
		warm(t, h, 4)
		const own = 2 // of the library's: where there are replicas it asks each node by itself
		require.GreaterOrEqual(t, calls.Load(), int64(4))
		require.LessOrEqual(t, calls.Load(), int64(4+own))
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "x"}))
		for _, from := range []*dbfleet.DB{h, h.Read()} {
			for range 3 {
				var got string
				require.NoError(t, from.QueryRowContext(t.Context(), ask).Scan(&got))
				require.Equal(t, value, got)
			}
		}
		require.GreaterOrEqual(t, calls.Load(), int64(4+1), "once for each, with the one that the handle for reads has")
		require.LessOrEqual(t, calls.Load(), int64(4+1+own))
	})
}

// A connection is made within ConnectTimeout, however much shorter StatementTimeout is.
func TestConnect_IsNoStatement(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		proxy := dbtest.NewProxy(t, db.Server.Addr())
		c := conformance.ConnectionTo(proxy.Through(db))
		c.ConnectTimeout, c.StatementTimeout = time.Minute, 100*time.Millisecond
		set, ask, value := setting(db.Dialect)
		c.OnConnect = func(ctx context.Context, driverConn any) error { return onDriver(ctx, driverConn, set) }
		h := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}).DB("main")
		proxy.Delay(300 * time.Millisecond)
		require.NoError(t, h.Conn(t.Context(), func(ctx context.Context, conn *dbfleet.Conn) error {
			proxy.Blackhole()
			_, err := conn.ExecContext(ctx, ask)
			require.ErrorIs(t, err, dbfleet.ErrTimeout)
			require.ErrorContains(t, err, "silent for 100ms")
			return nil
		}))
		proxy.Delay(0)
		proxy.Heal()
		require.Eventually(t, func() bool {
			var got string
			return h.QueryRowContext(t.Context(), ask).Scan(&got) == nil && got == value
		}, 30*time.Second, 10*time.Millisecond)
	})
}

func TestOnConnect_FailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such extension")
	for name, story := range map[string]struct {
		f    func(ctx context.Context, driverConn any) error
		text string
	}{
		"error":  {func(context.Context, any) error { return cause }, "OnConnect: no such extension"},
		"panic":  {func(context.Context, any) error { panic("lost") }, "OnConnect: panicked: lost"},
		"goexit": {func(context.Context, any) error { runtime.Goexit(); return nil }, "OnConnect: ended its goroutine"},
		"late":   {func(ctx context.Context, _ any) error { <-ctx.Done(); return nil }, "silent for 3s"},
		"sql":    {func(ctx context.Context, c any) error { return onDriver(ctx, c, "SELEKT 1") }, "OnConnect: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
				c := conformance.ConnectionTo(db)
				c.ConnectTimeout = 3 * time.Second
				c.Pool = dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: time.Second}
				var fail atomic.Bool
				fail.Store(true)
				c.OnConnect = func(ctx context.Context, driverConn any) error {
					if fail.Load() {
						return story.f(ctx, driverConn)
					}
					return nil
				}
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
				for range 2 {
					err := r.DB("main").Ping(t.Context())
					require.ErrorIs(t, err, dbfleet.ErrConnection)
					require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
					require.ErrorContains(t, err, story.text)
					require.Equal(t, name == "error", errors.Is(err, cause))
				}
				require.Zero(t, r.DB("main").Pool().Stats().OpenConnections)
				if db.Dialect != "sqlite" {
					require.Eventually(t, func() bool { return db.Connections(t) == 0 }, 10*time.Second, 10*time.Millisecond)
				}
				fail.Store(false)
				require.NoError(t, r.DB("main").Ping(t.Context()), "the pool has lost no place")
			})
		})
	}
}

// What values and safety rest on is as pinned, or the connection is none.
func TestOnConnect_MayNotUndoThePins(t *testing.T) {
	t.Parallel()
	for dialect, stories := range map[string]map[string]string{
		"postgres": {
			"SET timezone = 'Asia/Tokyo'":               "changed what the session is pinned to, TimeZone = UTC, to TimeZone = Asia/Tokyo",
			"SET datestyle = 'German'":                  "DateStyle",
			"SET client_encoding = latin1":              "client_encoding",
			"SET standard_conforming_strings = off":     "standard_conforming_strings",
			"SET intervalstyle = 'iso_8601'":            "IntervalStyle",
			"SET default_transaction_read_only = on":    "default_transaction_read_only",
			"BEGIN":                                     "left a transaction open",
			"SELECT set_config('timezone', 'x5', true)": "",
		},
		"mysql": {
			"SET time_zone = '+09:00'":             "changed what the session is pinned to, time_zone = +00:00, to time_zone = +09:00",
			"SET sql_mode = 'ANSI_QUOTES'":         "sql_mode",
			"SET NAMES latin1":                     "character_set_client",
			"SET autocommit = 0":                   "autocommit",
			"SET SESSION TRANSACTION READ ONLY":    "read_only",
			"BEGIN":                                "left a transaction open",
			"SET SESSION max_statement_time = 100": "",
		},
		"sqlite": {
			"PRAGMA foreign_keys = OFF": "changed what the session is pinned to, foreign_keys = 1, to foreign_keys = 0",
			"PRAGMA query_only = ON":    "query_only",
			"BEGIN IMMEDIATE":           "left a transaction open",
			"PRAGMA temp_store = 2":     "",
		},
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, dialect)
			for statement, text := range stories {
				c := conformance.ConnectionTo(db)
				c.OnConnect = func(ctx context.Context, driverConn any) error { return onDriver(ctx, driverConn, statement) }
				err := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}).DB("main").Ping(t.Context())
				if text == "" {
					require.NoError(t, err, statement)
					continue
				}
				require.ErrorIs(t, err, dbfleet.ErrConnectionRefused, statement)
				require.ErrorContains(t, err, "OnConnect: ", statement)
				require.ErrorContains(t, err, text, statement)
			}
		})
	}
}
