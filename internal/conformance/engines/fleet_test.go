package engines

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A program is one user of a database, with a registry of its own.
type program struct {
	*dbfleet.Registry
	accounts *dbfleet.Model[conformance.Account]
}

// A node that does not answer at once on a busy machine is not taken for one that is gone:
// those are killed here, and refuse.
func steady(c *dbfleet.ConnectionConfig) {
	c.Reads.MinWait, c.Reads.MaxWait = 20*time.Second, 20*time.Second
}

// newProgram is one whose connection "main" is db, where [createAccounts] was called.
func newProgram(t *testing.T, db dbtest.Database, change ...func(*dbfleet.ConnectionConfig)) *program {
	t.Helper()
	config := conformance.ConnectionTo(db)
	for _, f := range change {
		f(&config)
	}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	return &program{r, conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})}
}

// createAccounts makes the table on the server itself.
func createAccounts(t *testing.T, db dbtest.Database) {
	t.Helper()
	db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
}

func (p *program) try(ctx context.Context, owner string) (conformance.Account, error) {
	a := conformance.Account{Owner: owner, Balance: 1}
	return a, p.accounts.Create(ctx, &a)
}

func (p *program) create(t *testing.T, owner string) conformance.Account {
	t.Helper()
	a := conformance.Account{Owner: owner, Balance: 1}
	require.NoError(t, p.accounts.Create(t.Context(), &a))
	return a
}

// finds says that a read finds the account.
func (p *program) finds(t *testing.T, want conformance.Account) {
	t.Helper()
	got, err := p.accounts.Where("owner", "=", want.Owner).First(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// port is that of the server that answers.
func (p *program) port(t *testing.T) int {
	t.Helper()
	port, err := p.tryPort(t.Context())
	require.NoError(t, err)
	return port
}

func (p *program) tryPort(ctx context.Context) (port int, err error) {
	query := "SELECT @@port"
	if p.DB("main").Driver() == dbfleet.Postgres {
		query = "SELECT inet_server_port()"
	}
	return port, p.DB("main").QueryRowContext(ctx, query).Scan(&port)
}
