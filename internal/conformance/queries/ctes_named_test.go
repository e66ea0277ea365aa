package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A CTE may have the name of the table that its query reads, which the rest of the query
// then reads by it.
func TestCTE_MayBeNamedLikeTheTableThatItReads(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, accounts := t.Context(), fl.Bank(t)
		fl.Create(t, conformance.PurchasesTable)
		require.NoError(t, accounts.CreateMany(ctx, []conformance.Account{{Owner: "ann", Balance: 1}, {Owner: "bob", Balance: 2}, {Owner: "cid", Balance: 3}}))
		purchases := conformance.Model[conformance.Purchase](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"})
		require.NoError(t, purchases.CreateMany(ctx, []conformance.Purchase{{UserID: 2, Total: 1}, {UserID: 3, Total: 1}}))
		owners := func(q *dbfleet.Query[conformance.Account], want ...string) {
			t.Helper()
			got, err := dbfleet.Pluck[string](ctx, q.OrderBy("accounts.owner", dbfleet.Asc), "accounts.owner")
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		rich := dbfleet.CTE{Name: "accounts", Query: accounts.Where("balance", ">", 1)}
		owners(accounts.Query().WithCTE(rich), "bob", "cid")
		owners(accounts.Query().WithCTE(rich).Join("purchases", "purchases.user_id", "=", "accounts.id").Where("accounts.balance", "<", 3), "bob")

		// By a join, by a subquery, by columns that name the table, and under an alias.
		named := accounts.Where("accounts.balance", ">", 1).Select("accounts.id", "accounts.owner", "accounts.balance").
			WhereIn("accounts.id", accounts.Where("accounts.owner", "<", "cid").Select("id"))
		owners(accounts.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: named}), "bob")
		joined := purchases.Query().Join("accounts", "accounts.id", "=", "purchases.user_id").Select("accounts.id", "accounts.owner", "accounts.balance")
		owners(accounts.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: joined}), "bob", "cid")
		aliased := accounts.Query().As("a").Where("a.balance", ">", 2)
		owners(accounts.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: aliased}), "cid")
		n, err := fl.DB("main").Table("accounts").WithCTE(rich).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		// One after another, of which the second reads the first by its name.
		some := dbfleet.CTE{Name: "some", Query: accounts.Where("balance", "<", 3)}
		both := fl.DB("main").Table("accounts").WithCTE(rich, some)
		list, err := both.Join("some", "some.id", "=", "accounts.id").SelectAs("some.owner", "owner").Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, "bob", list[0]["owner"])

		// Within each other: the inner one reads the outer one, for which SQLite has no words.
		nested := fl.DB("main").Table("purchases").WithCTE(rich).
			WhereIn("user_id", fl.DB("main").Table("accounts").WithCTE(dbfleet.CTE{Name: "accounts", Query: fl.DB("main").Table("accounts").Where("balance", "<", 3)}).Select("id"))
		n, err = nested.Count(ctx)
		if fl.Database.Dialect == "sqlite" {
			require.ErrorContains(t, err, `CTE "accounts"`)
			require.ErrorContains(t, err, "give one of them another name")
		} else {
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
	})
}
