package connections

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ofOne is a fleet whose pool has one connection.
func ofOne(t *testing.T, db dbtest.Database) conformance.Fleet {
	t.Helper()
	c := conformance.ConnectionTo(db)
	c.Pool = dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: 100 * time.Millisecond}
	return conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}), Database: db}
}

// sessionOf is the number of the server's session that something runs on.
func sessionOf(t *testing.T, db dbtest.Database, on interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (id int64) {
	t.Helper()
	query := "SELECT pg_backend_pid()"
	if db.Dialect == "mysql" {
		query = "SELECT CONNECTION_ID()"
	}
	require.NoError(t, on.QueryRowContext(t.Context(), query).Scan(&id))
	return id
}

func TestConn_IsOneConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		h := fl.DB("main")
		failed := errors.New("no")
		err := h.Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
			require.Equal(t, `dbfleet.Conn("main")`, c.String())
			_, err := c.ExecContext(ctx, conformance.DDL(db.Dialect, "CREATE TEMPORARY TABLE mine (id {int}, name {text})"))
			require.NoError(t, err)
			stmt, err := c.PrepareContext(ctx, map[bool]string{true: "INSERT INTO mine VALUES ($1, $2)", false: "INSERT INTO mine VALUES (?, ?)"}[db.Dialect == "postgres"])
			require.NoError(t, err)
			for i, name := range []string{"ada", "bob"} {
				_, err := stmt.ExecContext(ctx, i, name)
				require.NoError(t, err)
			}
			rows, err := c.QueryContext(ctx, "SELECT name FROM mine ORDER BY id")
			require.NoError(t, err)
			var names []string
			for rows.Next() {
				var name string
				require.NoError(t, rows.Scan(&name))
				names = append(names, name)
			}
			require.NoError(t, rows.Err())
			require.Equal(t, []string{"ada", "bob"}, names)
			var n int
			require.NoError(t, c.QueryRowContext(ctx, "SELECT COUNT(*) FROM mine").Scan(&n))
			require.Equal(t, 2, n)
			require.ErrorIs(t, h.Ping(ctx), dbfleet.ErrAcquireTimeout, "others take connections of their own")
			return failed
		})
		require.Same(t, failed, err, "it is returned as it is")
		_, err = h.QueryContext(t.Context(), "SELECT name FROM mine")
		require.Error(t, err, "nobody else sees the table")
	})
}

// After the end the connection is clean for others, or gone.
func TestConn_IsGivenBackCleanOrNotAtAll(t *testing.T) {
	t.Parallel()
	type story struct {
		do   func(ctx context.Context, c *dbfleet.Conn) error
		back bool
	}
	exec := func(statements ...string) func(ctx context.Context, c *dbfleet.Conn) error {
		return func(ctx context.Context, c *dbfleet.Conn) error {
			for _, s := range statements {
				if _, err := c.ExecContext(ctx, s); err != nil {
					return err
				}
			}
			return nil
		}
	}
	read := func(query string) func(ctx context.Context, c *dbfleet.Conn) error {
		return func(ctx context.Context, c *dbfleet.Conn) error { return c.QueryRowContext(ctx, query).Scan(new(any)) }
	}
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		list := make([]conformance.Account, 50)
		for i := range list {
			list[i].Owner = strconv.Itoa(i)
		}
		require.NoError(t, accounts.CreateMany(t.Context(), list))
		stories := map[string]story{
			"nothing":      {func(context.Context, *dbfleet.Conn) error { return nil }, true},
			"a plain read": {read("SELECT COUNT(*) FROM accounts WHERE owner = 'x'"), true},
			"no such table": {func(ctx context.Context, c *dbfleet.Conn) error {
				require.Error(t, read("SELECT 1 FROM nothing")(ctx, c))
				return nil
			}, true},
			"raw":     {func(_ context.Context, c *dbfleet.Conn) error { return c.Raw(func(any) error { return nil }) }, false},
			"a write": {exec("DELETE FROM accounts WHERE id < 0"), false}, // a trigger may do anything
			"open rows": {func(ctx context.Context, c *dbfleet.Conn) error {
				rows, err := c.QueryContext(ctx, "SELECT owner FROM accounts")
				if err == nil {
					require.True(t, rows.Next())
				}
				return err //nolint:rowserrcheck // they are left open
			}, false},
			"an unread row": {func(ctx context.Context, c *dbfleet.Conn) error {
				return c.QueryRowContext(ctx, "SELECT owner FROM accounts").Err()
			}, false},
			"a transaction": {exec("BEGIN", "UPDATE accounts SET balance = 7"), false},
			"a statement": {func(ctx context.Context, c *dbfleet.Conn) error {
				_, err := c.PrepareContext(ctx, "SELECT owner FROM accounts")
				return err //nolint:sqlclosecheck // it is left open
			}, true},
		}
		if db.Dialect == "postgres" {
			stories["LISTEN"] = story{exec("LISTEN news"), false}
			stories["SET"] = story{exec("SET timezone = 'Asia/Tokyo'"), false}
			stories["a function that sets"] = story{read("SELECT set_config('timezone', 'Asia/Tokyo', false)"), false}
			stories["an advisory lock"] = story{read("SELECT pg_advisory_lock(1)::text"), false}
			stories["PREPARE"] = story{exec("PREPARE p AS SELECT 1"), false}
		} else {
			stories["SET"] = story{exec("SET time_zone = '+09:00'"), false}
			stories["a variable"] = story{exec("SET @x = 1"), false}
			stories["a lock"] = story{read("SELECT GET_LOCK('x', 1)"), false}
			stories["LOCK TABLES"] = story{exec("LOCK TABLES accounts WRITE"), false}
		}
		for name, s := range stories {
			inside := sessionOf(t, db, fl.DB("main"))
			require.NoError(t, fl.DB("main").Conn(t.Context(), s.do), name)
			require.Equal(t, s.back, sessionOf(t, db, fl.DB("main")) == inside, name)
			require.Equal(t, 0, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts WHERE balance = 7"))
		}
	})
}

func TestConn_EndsWithItsFunction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		h := fl.DB("main")
		var (
			kept  *dbfleet.Conn
			inner context.Context
			stmt  *sql.Stmt
		)
		for _, end := range []func(){func() {}, func() { panic("lost") }, runtime.Goexit} {
			done := make(chan any, 1)
			go func() {
				defer func() { done <- recover() }()
				_ = h.Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
					kept, inner = c, ctx
					var err error
					if stmt, err = c.PrepareContext(ctx, "SELECT 1"); err != nil {
						t.Error(err)
					}
					end()
					return nil
				})
			}()
			<-done
			require.ErrorIs(t, inner.Err(), context.Canceled)
			const text = `dbfleet: Conn on connection "main": sql: connection is already closed`
			_, err := kept.ExecContext(t.Context(), "SELECT 1")
			require.EqualError(t, err, text)
			_, err = kept.QueryContext(t.Context(), "SELECT 1") //nolint:sqlclosecheck // there are none
			require.ErrorIs(t, err, sql.ErrConnDone)
			require.EqualError(t, kept.QueryRowContext(t.Context(), "SELECT 1").Scan(new(int)), text)
			_, err = kept.PrepareContext(t.Context(), "SELECT 1") //nolint:sqlclosecheck // there is none
			require.EqualError(t, err, text)
			require.EqualError(t, kept.Raw(func(any) error { t.Error("called"); return nil }), text)
			require.ErrorContains(t, stmt.QueryRowContext(t.Context()).Scan(new(int)), "closed")
			require.NoError(t, h.Ping(t.Context()), "the only connection is free")
			conformance.RequireIdle(t, fl.Registry)
		}
	})
}

func TestConn_RespectsTheWaitForOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		h := fl.DB("main")
		never := func(context.Context, *dbfleet.Conn) error { t.Error("called"); return nil }
		require.NoError(t, h.Conn(t.Context(), func(context.Context, *dbfleet.Conn) error {
			err := h.Conn(t.Context(), never)
			require.ErrorIs(t, err, dbfleet.ErrAcquireTimeout)
			require.ErrorContains(t, err, `dbfleet: connect on "main": no connection to main became free within 100ms`)
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, h.Conn(canceled, never), context.Canceled)
			return nil
		}))
		require.EqualError(t, h.Conn(t.Context(), nil), `dbfleet: connection "main": Conn: the function is nil`)
		require.EqualError(t, fl.DB("other").Conn(t.Context(), never), `dbfleet: unknown connection "other"; known are "main"`)
		require.NoError(t, h.Conn(t.Context(), func(_ context.Context, c *dbfleet.Conn) error {
			require.EqualError(t, c.Raw(nil), `dbfleet: connection "main": Conn.Raw: the function is nil`)
			return nil
		}))
		require.NoError(t, fl.Close())
		require.ErrorIs(t, h.Conn(t.Context(), never), dbfleet.ErrClosed)
	})
}

// In a transaction it is the transaction's own: a pool of one is enough.
func TestConn_JoinsTheTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		undo := errors.New("undo")
		require.ErrorIs(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "ada"}))
			var kept *dbfleet.Conn
			require.NoError(t, fl.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				kept = c
				var owner string
				require.NoError(t, c.QueryRowContext(ctx, "SELECT owner FROM accounts").Scan(&owner))
				require.Equal(t, "ada", owner)
				_, err := c.ExecContext(ctx, "UPDATE accounts SET owner = 'bob'")
				require.NoError(t, err)
				_, err = c.ExecContext(ctx, "COMMIT")
				require.ErrorContains(t, err, "a transaction is begun and ended by Transaction")
				return nil
			}))
			_, err := kept.ExecContext(ctx, "SELECT 1")
			require.ErrorIs(t, err, sql.ErrConnDone, "it is over before the transaction is")
			n, err := accounts.Where("owner", "=", "bob").Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			return undo
		}), undo)
		require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts"))

		// What the driver ends is not committed as if nothing had been.
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			return fl.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				return c.Raw(func(driverConn any) error { return onDriver(ctx, driverConn, "ROLLBACK") })
			})
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		require.NoError(t, fl.DB("main").Ping(t.Context()))
	})
}

func TestConn_HooksSeeItsStatements(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		var seen []string
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			seen = append(seen, e.Op+" "+e.SQL+" "+e.Route.Node)
		})
		require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
			_, err := c.ExecContext(ctx, "SELECT 1")
			require.NoError(t, err)
			require.Error(t, c.QueryRowContext(ctx, "SELEKT 2").Scan(new(int)))
			return nil
		}))
		require.Equal(t, []string{"exec SELECT 1 main", "query SELEKT 2 main"}, seen)
	})
}

func TestConn_OfAReadHandleIsAReplicas(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		c := conformance.ConnectionTo(db)
		conformance.Patient(&c)
		c.ReadHosts = []string{net.JoinHostPort("localhost", strconv.Itoa(closedPort(t))), net.JoinHostPort("localhost", strconv.Itoa(db.Port))}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		var route dbfleet.Route
		r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { route = e.Route })
		read := func(ctx context.Context, c *dbfleet.Conn) error {
			return c.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
		}
		for range 4 { // the first replica does not answer
			require.NoError(t, r.DB("main").Read().Conn(t.Context(), read))
			require.Equal(t, "main/replica-2", route.Node)
			require.Equal(t, dbfleet.RoleReplica, route.Role)
		}
		require.NoError(t, r.DB("main").Read().Conn(dbfleet.ReadPrimary(t.Context()), read))
		require.Equal(t, "main", route.Node)
		require.NoError(t, r.DB("main").Conn(t.Context(), read))
		require.Equal(t, dbfleet.RolePrimary, route.Role)
		require.NoError(t, r.DB("main").Read().Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
			_, err := c.ExecContext(ctx, "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
			_, err = c.PrepareContext(ctx, "SELECT 1") //nolint:sqlclosecheck // there is none
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
			return c.Raw(func(driverConn any) error {
				require.Error(t, onDriver(ctx, driverConn, conformance.DDL(db.Dialect, "CREATE TABLE t (id {int})")), "the session refuses writes")
				return nil
			})
		}))
	})
}

// While Raw runs, nothing else does: it gets an answer and does not wait.
func TestConn_IsBusyWhileRawRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
			failed := errors.New("no")
			require.Same(t, failed, c.Raw(func(any) error {
				_, err := c.ExecContext(ctx, "SELECT 1")
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				require.EqualError(t, c.Raw(nil), `dbfleet: connection "main": Conn.Raw: the function is nil`)
				err = c.Raw(func(any) error { t.Error("called"); return nil })
				require.EqualError(t, err, `dbfleet: raw on "main": connection is busy: the function of Raw still has it`)
				return failed
			}))
			require.Panics(t, func() { _ = c.Raw(func(any) error { panic("lost") }) })
			require.NoError(t, c.QueryRowContext(ctx, "SELECT 1").Scan(new(int)), "it is free again")
			rows, err := c.QueryContext(ctx, "SELECT 1 UNION ALL SELECT 2")
			require.NoError(t, err)
			require.True(t, rows.Next())
			err = c.Raw(func(any) error { return nil })
			if db.Dialect != "sqlite" {
				require.ErrorIs(t, err, dbfleet.ErrBusy)
			} else {
				require.NoError(t, err)
			}
			return rows.Close()
		}))
	})
}

// Goroutines that go on after the end get errors, and disturb nobody.
func TestConn_IsSafeFromWhatOutlivesIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		for range 20 {
			var group sync.WaitGroup
			require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
				var began sync.WaitGroup
				for i := range 4 {
					began.Add(1)
					group.Go(func() {
						for n := 0; ; n++ {
							if n == 2 {
								began.Done()
							}
							var err error
							if i == 0 {
								err = c.Raw(func(driverConn any) error { return onDriver(ctx, driverConn, "SELECT 1") })
							} else {
								err = readAll(c.QueryContext(ctx, "SELECT 1"))
							}
							if err != nil && !errors.Is(err, dbfleet.ErrBusy) {
								if n < 2 {
									began.Done()
									t.Error(err)
								}
								return
							}
						}
					})
				}
				began.Wait()
				return nil
			}))
			group.Wait()
			require.NoError(t, fl.DB("main").Ping(t.Context()))
		}
	})
}

func TestConn_IsWaitedForWhenTheRegistryCloses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		closed := make(chan error, 1)
		require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
			require.NoError(t, c.QueryRowContext(ctx, "SELECT 1").Scan(new(int)))
			go func() { closed <- fl.Close() }()
			require.Eventually(t, func() bool {
				return errors.Is(fl.DB("main").Ping(t.Context()), dbfleet.ErrClosed)
			}, 10*time.Second, time.Millisecond, "nothing new begins")
			require.NoError(t, c.QueryRowContext(ctx, "SELECT 1").Scan(new(int)), "what runs goes on")
			require.Empty(t, closed)
			return nil
		}))
		require.NoError(t, <-closed)
	})
}

// readAll reads rows to their end.
func readAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
