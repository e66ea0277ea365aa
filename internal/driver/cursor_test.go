//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A write whose rows are not read, because its context has ended since it was sent, is
// done perhaps: that is not the server's word that it is not.
func TestCursor_AWriteGivenUpBeforeItsRowsIsUnknown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		mustExec(t, acquire(t, p), "CREATE TABLE items (id INTEGER PRIMARY KEY)")
		for i := range 50 {
			c, err := p.Acquire(t.Context(), 0)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			rows, err := c.Query(ctx, fmt.Sprintf("INSERT INTO items VALUES (%d) RETURNING id", i), nil)
			require.NoError(t, err)
			cancel()
			err = rows.Next(make([]sqldriver.Value, 1))
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, io.EOF)
			var unanswered *UnansweredError
			require.ErrorAs(t, err, &unanswered)
			require.True(t, Classify(err).Unanswered)
			require.NoError(t, rows.Close())
			c.Release()
		}
		require.NotEmpty(t, rowsOf(t, acquire(t, p), "SELECT id FROM items"))
	})
}
