package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// While a user is on the way somebody else signs up with the user's address, and the
// archive refuses the user: there is one with that address. The move is undone all the
// same, and the newcomer is the one who is refused.
func TestMove_IsUndoneWhoeverWantsTheAddressMeanwhile(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	config := dbfleet.Config{Default: usersDB, Connections: map[string]dbfleet.ConnectionConfig{}}
	for _, name := range []string{usersDB, archive, ordersDB, analytics} {
		config.Connections[name] = dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	registry, err := dbfleet.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, registry.Close()) })
	require.NoError(t, createTables(ctx, registry))
	shop, err := newShop(ctx, registry)
	require.NoError(t, err)
	ada, err := shop.signUp(ctx, "request-1", User{Name: "Ada", Email: "ada@example.org"}, nil)
	require.NoError(t, err)
	require.NoError(t, shop.users.DB(archive).Create(ctx, &User{ID: 99, Name: "Old Ada", Email: ada.Email}))

	var newcomer error
	came := 0
	registry.DB(archive).OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if e.Op == "insert" && e.Table == "users" {
			came++
			newcomer = shop.users.Create(dbfleet.OutsideTx(ctx), &User{Name: "Ida", Email: ada.Email})
		}
		return ctx
	})
	_, err = shop.move(ctx, ada.ID)
	require.ErrorIs(t, err, dbfleet.ErrUnique)
	var told *dbfleet.SagaError
	require.ErrorAs(t, err, &told)
	require.True(t, told.Undone, "%v", err)
	require.Equal(t, 1, came)
	require.ErrorIs(t, newcomer, dbfleet.ErrUnique)
	found, err := shop.users.Find(ctx, ada.ID)
	require.NoError(t, err)
	require.Equal(t, ada, found)
	left, err := shop.moves.Unfinished(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, left)
	n, err := registry.DB(archive).Table("users").Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
