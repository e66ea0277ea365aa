package transactions

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ofOne opens a fleet with a pool of one connection, so that the next user gets what
// the one before has left.
func ofOne(t *testing.T, db dbtest.Database) conformance.Fleet {
	config := conformance.ConnectionTo(db)
	config.Pool.MaxOpen = 1
	return conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
}

// What a SET TRANSACTION outside of a transaction asks for is for nobody's next one.
func TestSession_SetTransactionIsForNobody(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		for _, statement := range []string{
			"SET TRANSACTION READ ONLY", "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "/* a */ set transaction read only", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
			"SET SESSION TRANSACTION READ ONLY", "SET LOCAL TRANSACTION READ ONLY", "SET @@tx_read_only = 1", "SET @@session.tx_read_only = 1", "/*!50000 SET TRANSACTION READ ONLY */",
		} {
			_, _ = fl.DB("main").ExecContext(t.Context(), statement)
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				return accounts.Create(ctx, &conformance.Account{Owner: statement})
			}), statement)
		}
	})
}
