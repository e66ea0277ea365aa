package sqlc_test

import (
	_ "embed"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/sqlc"
	"github.com/dbfleet/dbfleet/examples/integrations/sqlc/store"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

//go:embed schema.sql
var schema string

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestSqlc_GeneratedQueriesRunOnConnectionsAndInTransactions(t *testing.T) {
	t.Parallel()
	registry := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"library": conformance.ConnectionTo(dbtest.New(t, "postgres")),
	})
	db, ctx := registry.DB("library"), t.Context()
	_, err := db.ExecContext(ctx, schema)
	require.NoError(t, err)

	first, err := sqlc.AddBook(ctx, db, "Ursula K. Le Guin", "The Dispossessed")
	require.NoError(t, err)
	require.False(t, first.AddedAt.IsZero())
	second, err := sqlc.AddBook(ctx, db, "Ursula K. Le Guin", "Lavinia")
	require.NoError(t, err)
	require.Equal(t, first.AuthorID, second.AuthorID)

	books, err := sqlc.BooksOf(ctx, db, "Ursula K. Le Guin")
	require.NoError(t, err)
	require.Equal(t, []store.BooksOfRow{{ID: first.ID, Title: "The Dispossessed"}, {ID: second.ID, Title: "Lavinia"}}, books)

	_, err = store.New(db).AddBook(ctx, store.AddBookParams{AuthorID: -1, Title: "Nobody's"})
	require.ErrorIs(t, err, dbfleet.ErrForeignKey)
	n, err := store.New(db).DeleteBooks(ctx, first.AuthorID)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	_, err = store.New(db.Read()).DeleteBooks(ctx, first.AuthorID)
	require.ErrorIs(t, err, dbfleet.ErrReadHandle)
}
