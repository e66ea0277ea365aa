package tenants

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const (
	inserted  = dbfleet.Inserted
	updated   = dbfleet.Updated
	unchanged = dbfleet.Unchanged
)

// outcomesOf tells of upserts of a tenant, among rows of another one.
func outcomesOf(t *testing.T, s shop) {
	t.Helper()
	ctx, theirs, own := acme(t), s.of(t, "zeta"), s.of(t, "acme")
	mine := []string{"tenant_id", "number"}
	got, err := dbfleet.UpsertOutcomes(ctx, s.orders, []order{{Number: "3", Total: 30}, {Number: "1", Total: 11}}, dbfleet.Conflict{Key: mine})
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{inserted, updated}, got)

	list := []order{{Number: "1", Total: 99}, {Number: "4"}, {Number: "2", Total: 99}}
	got, err = dbfleet.UpsertOutcomes(ctx, s.orders, list, dbfleet.Conflict{Key: mine, DoNothing: true})
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{unchanged, inserted, unchanged}, got)
	require.Equal(t, own[0].ID, list[0].ID)
	require.Equal(t, own[1].ID, list[2].ID)
	require.Equal(t, "acme", list[1].TenantID)

	equal := dbfleet.Conflict{Key: mine, KeepEqual: true}
	list = []order{{Number: "5"}, {Number: "1", Total: 12}, {Number: "2", Total: 20}}
	got, err = dbfleet.UpsertOutcomes(ctx, s.orders, list, equal)
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{inserted, updated, unchanged}, got)
	require.Equal(t, own[1].ID, list[2].ID)
	for want, o := range map[dbfleet.Outcome]order{inserted: {Number: "6"}, updated: {Number: "1", Total: 13}, unchanged: {Number: "2", Total: 20}} {
		one, err := dbfleet.UpsertOutcomes(ctx, s.orders, []order{o}, equal)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{want}, one)
	}
	kept := order{Number: "2", Total: 20}
	require.NoError(t, s.orders.Upsert(ctx, &kept, equal))
	require.Equal(t, own[1].ID, kept.ID)
	require.NoError(t, s.orders.UpsertMany(ctx, []order{{Number: "2", Total: 20}, {Number: "1", Total: 13}}, equal))
	require.NoError(t, s.DB("main").Table("orders").Upsert(ctx, dbfleet.Row{"tenant_id": "acme", "number": "2", "total": 20}, equal))

	// By a key that is another tenant's, whether its row would be changed or not.
	for _, conflict := range []dbfleet.Conflict{{}, {DoNothing: true}, {KeepEqual: true}} {
		before := s.of(t, "acme")
		hit := order{ID: theirs[0].ID, Number: theirs[0].Number, Total: theirs[0].Total}
		_, err = dbfleet.UpsertOutcomes(ctx, s.orders, []order{hit}, conflict)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = dbfleet.UpsertOutcomes(ctx, s.orders, []order{{ID: own[0].ID, Number: "1", Total: 77}, hit}, conflict)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.orders.Upsert(ctx, &hit, conflict), dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.orders.UpsertMany(ctx, []order{{ID: own[0].ID, Number: "1", Total: 77}, hit}, conflict), dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.DB("main").Table("orders").Upsert(ctx, dbfleet.Row{"id": hit.ID, "number": hit.Number, "total": hit.Total}, dbfleet.Conflict{Key: []string{"id"}, DoNothing: conflict.DoNothing, KeepEqual: conflict.KeepEqual}), dbfleet.ErrOtherTenant)
		require.Equal(t, before, s.of(t, "acme"))
	}
	_, err = dbfleet.UpsertOutcomes(ctx, s.orders, []order{{Number: "1"}, {TenantID: "zeta", Number: "2"}}, equal)
	require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
	_, err = dbfleet.UpsertOutcomes(t.Context(), s.orders, []order{{Number: "1"}}, equal)
	require.ErrorIs(t, err, dbfleet.ErrNoTenant)
	same := new(dbfleet.SameRowError)
	_, err = dbfleet.UpsertOutcomes(ctx, s.orders, []order{{Number: "1"}, {Number: "1"}}, equal)
	require.ErrorAs(t, err, &same)
	got, err = dbfleet.UpsertOutcomes(all(t), s.orders, []order{{TenantID: "acme", Number: "9"}, {TenantID: "zeta", Number: "1", Total: 10}}, equal)
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{inserted, unchanged}, got)
	require.Equal(t, theirs, s.of(t, "zeta"))
}

func TestTenant_OutcomesOfUpsertsAreTold(t *testing.T) {
	t.Parallel()
	onShops(t, outcomesOf)
}

// A server without RETURNING, too.
func TestTenant_OutcomesAreToldWithoutReturning(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t, "version=8.0.36")
	fl := conformance.Fleet{Database: server.Database(t)}
	fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)})
	outcomesOf(t, shopOn(t, fl))
}

// A record that is not created, since its key is taken, changes nothing of whoever has it.
func TestTenant_CreateIgnoreLeavesTheRowOfAnother(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, theirs := acme(t), s.of(t, "zeta")
		created, err := dbfleet.CreateIgnore(ctx, s.orders, &order{Number: "1"})
		require.NoError(t, err)
		require.False(t, created)
		taken := line{OrderID: 1, Article: "zeta 1"}
		created, err = dbfleet.CreateIgnore(ctx, s.lines, &taken)
		require.NoError(t, err)
		require.False(t, created, "a constraint has its values, as the error of Create says too")
		require.Empty(t, taken.TenantID)
		require.ErrorIs(t, s.lines.Create(ctx, &taken), dbfleet.ErrUnique)
		created, err = s.lines.FirstOrCreate(ctx, &taken, "article")
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		require.False(t, created)
		_, err = s.lines.UpdateOrCreate(ctx, &taken, "article")
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		require.Equal(t, theirs, s.of(t, "zeta"))
	})
}
