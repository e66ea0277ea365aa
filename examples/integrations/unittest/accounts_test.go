package unittest_test

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/unittest"
)

// open gives the accounts on one connection.
func open(t *testing.T, config dbfleet.ConnectionConfig) (*unittest.Accounts, *dbfleet.Registry) {
	t.Helper()
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, registry.Close()) })
	accounts, err := unittest.NewAccounts(registry)
	require.NoError(t, err)
	return accounts, registry
}

// inMemory is a database of the test's own.
func inMemory(t *testing.T) *unittest.Accounts {
	t.Helper()
	accounts, registry := open(t, dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"})
	_, err := registry.DB("main").ExecContext(t.Context(), `CREATE TABLE accounts (id INTEGER PRIMARY KEY,
		email TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL, created_at DATETIME NOT NULL)`)
	require.NoError(t, err)
	return accounts
}

func TestAccounts_AnAddressIsTakenOnce(t *testing.T) {
	t.Parallel()
	accounts := inMemory(t)
	ada, err := accounts.Register(t.Context(), "ada@example.com")
	require.NoError(t, err)
	require.NoError(t, accounts.Deposit(t.Context(), ada.ID, 30))
	balance, err := accounts.Balance(t.Context(), ada.ID)
	require.NoError(t, err)
	require.EqualValues(t, 30, balance)

	_, err = accounts.Register(t.Context(), "ada@example.com")
	require.ErrorIs(t, err, unittest.ErrTaken)
	require.ErrorIs(t, accounts.Deposit(t.Context(), ada.ID+1, 30), dbfleet.ErrNotFound)
}

// A deadlock is hard to come by; here PostgreSQL's is the first answer.
func TestAccounts_DepositSurvivesADeadlock(t *testing.T) {
	t.Parallel()
	script := unittest.NewScript(
		unittest.Answer{Err: &pgconn.PgError{Code: "40P01", Message: "deadlock detected"}},
		unittest.Answer{Affected: 1},
	)
	accounts, _ := open(t, dbfleet.ConnectionConfig{Driver: dbfleet.Postgres, Connector: script})
	require.NoError(t, accounts.Deposit(t.Context(), 1, 30))
	require.Len(t, script.Asked(), 2)
	require.Contains(t, script.Asked()[1], `UPDATE "accounts"`)
}

func TestAccounts_ALostConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	script := unittest.NewScript(
		unittest.Answer{Columns: []string{"id", "email", "balance", "created_at"}, Rows: [][]driver.Value{{int64(1), "ada@example.com", int64(30), time.Now()}}},
		unittest.Answer{Err: driver.ErrBadConn}, unittest.Answer{Err: driver.ErrBadConn}, unittest.Answer{Err: driver.ErrBadConn},
	)
	accounts, _ := open(t, dbfleet.ConnectionConfig{Driver: dbfleet.Postgres, Connector: script})
	balance, err := accounts.Balance(t.Context(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 30, balance)
	_, err = accounts.Balance(t.Context(), 1)
	require.ErrorIs(t, err, unittest.ErrUnavailable)
}
