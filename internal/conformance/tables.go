package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// An Account is a row of a table that many tests write to.
type Account struct {
	ID      int64
	Owner   string
	Balance int64
}

// AccountsTable creates the table of accounts.
const AccountsTable = `CREATE TABLE accounts (id {id}, owner {text} NOT NULL UNIQUE, balance {bigint} NOT NULL)`

// Bank makes the table of accounts and its model.
func (fl Fleet) Bank(t *testing.T) *dbfleet.Model[Account] {
	t.Helper()
	fl.Create(t, AccountsTable)
	return Model[Account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
}

// Owners are those that a stranger to the library sees in the table of accounts.
func Owners(t testing.TB, db dbtest.Database) []string {
	t.Helper()
	rows, err := db.SQL(t).QueryContext(t.Context(), "SELECT owner FROM accounts ORDER BY owner")
	require.NoError(t, err)
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	return out
}

// Inserting is a statement without arguments that opens an account.
func Inserting(owner string) string {
	return "INSERT INTO accounts (owner, balance) VALUES ('" + owner + "', 1)"
}

// A Purchase is a row of a table whose records belong to a user.
type Purchase struct {
	ID, UserID int64
	Total      float64
}

// PurchasesTable creates the table of purchases.
const PurchasesTable = `CREATE TABLE purchases (id {id}, user_id {bigint} NOT NULL, total {float} NOT NULL)`
