package language

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 139
func TestGroupBy_RefusesAColumnThatDiffersWithinAGroup(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type owner struct {
			ID   int64
			Name string
		}
		type bill struct {
			ID, OwnerID int64
			Name        string
			Amount      int64
		}
		fl.Create(t, "CREATE TABLE owners (id {id}, name {text} NOT NULL)", "CREATE TABLE bills (id {id}, owner_id {bigint} NOT NULL, name {text} NOT NULL, amount {bigint} NOT NULL)")
		owners := conformance.Model[owner](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
		bills := conformance.Model[bill](t, fl.Registry, dbfleet.ModelConfig{Table: "bills"})
		require.NoError(t, owners.CreateMany(t.Context(), []owner{{1, "Ann"}, {2, "Bob"}}))
		require.NoError(t, bills.CreateMany(t.Context(), []bill{{1, 1, "a", 5}, {2, 1, "b", 6}, {3, 2, "c", 7}}))
		get := func(q *dbfleet.Query[bill]) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				list, err := dbfleet.Into[dbfleet.Row](q).Get(ctx)
				return len(list), err
			}
		}
		joined := bills.Query().Join("owners", "owners.id", "=", "bills.owner_id")
		name, id, amount := dbfleet.Col[string]("name"), dbfleet.Col[int64]("owner_id"), dbfleet.Col[int64]("amount")
		for claim, read := range map[string]func(context.Context) (int, error){
			"selected":             get(bills.Select("owner_id", "name").GroupBy("owner_id")),
			"under an alias":       get(bills.Select("owner_id").SelectAs("name", "called").GroupBy("owner_id")),
			"behind its table":     get(bills.Select("bills.name").GroupBy("bills.owner_id")),
			"a star":               get(bills.Select("*").GroupBy("owner_id")),
			"beside a sum":         get(bills.Select("name").SelectSum("amount", "amount")),
			"beside an aggregate":  get(bills.Select("name").SelectValue(dbfleet.CountRows(), "n")),
			"of a join":            get(joined.Select("owners.name").SelectAs("bills.name", "bill").GroupBy("owners.id")),
			"by another's alias":   get(bills.Select("name").SelectAs("owner_id", "owner").SelectCount("n").GroupBy("owner")),
			"one of two values":    get(bills.Select("owner_id").SelectCount("n").Filter(dbfleet.Or(id.Eq(1), id.Eq(2)))),
			"one of a list":        get(bills.Select("owner_id").SelectCount("n").WhereIn("owner_id", []int64{1, 2})),
			"all but one value":    get(bills.Select("owner_id").SelectCount("n").Filter(dbfleet.Not(id.Eq(1)))),
			"of the joining table": get(joined.Select("bills.name").GroupBy("owners.name")),
			"without a list": func(ctx context.Context) (int, error) {
				l, err := bills.Query().GroupBy("owner_id").Get(ctx)
				return len(l), err
			},
			"plucked": func(ctx context.Context) (int, error) {
				l, err := bills.Query().GroupBy("owner_id").Pluck(ctx, "name")
				return len(l), err
			},
			"summed": func(ctx context.Context) (int, error) {
				_, err := dbfleet.Sum[int64](ctx, bills.Select("owner_id", "amount").GroupBy("owner_id"), "amount")
				return 0, err
			},
		} {
			_, err := read(t.Context())
			require.Error(t, err, claim)
			if fl.Database.Dialect != "postgres" { // which says it itself
				var refused *dbfleet.StatementError
				require.ErrorAs(t, err, &refused, claim)
				require.ErrorContains(t, err, "value of any row", claim)
			}
		}
		type one struct {
			rows int
			q    *dbfleet.Query[bill]
		}
		right := map[string]one{
			"grouped":               {2, bills.Select("owner_id").SelectCount("n").GroupBy("owner_id")},
			"by its alias":          {2, bills.Query().SelectAs("owner_id", "owner").GroupBy("owner_id")},
			"beside its alias":      {2, bills.Select("owner_id").SelectAs("owner_id", "owner").SelectCount("n").GroupBy("owner")},
			"by the key's alias":    {3, bills.Select("name").SelectAs("id", "bill").SelectCount("n").GroupBy("bill")},
			"by the key's, a value": {3, bills.Select("name").SelectValue(dbfleet.Col[int64]("id"), "bill").SelectCount("n").GroupBy("bill")},
			"by a join's alias":     {2, joined.Select("owners.name").SelectAs("owners.id", "owner").SelectSum("bills.amount", "sum").GroupBy("owner")},
			"by the key":            {3, bills.Select("id", "name").SelectCount("n").GroupBy("id")},
			"by the key of a join":  {2, joined.Select("owners.name").SelectSum("bills.amount", "amount").GroupBy("owners.id")},
			"an expression":         {3, bills.Query().SelectValue(dbfleet.Lower(name), "lower").SelectCount("n").GroupBy("lower")},
			"of what is grouped":    {3, bills.Query().SelectValue(dbfleet.Lower(name), "lower").SelectCount("n").GroupBy("name")},
			"an aggregate":          {2, bills.Select("owner_id").SelectMax("name", "name").GroupBy("owner_id")},
			"all, grouped by a key": {3, bills.Query().GroupBy("id")},
		}
		if fl.Database.Dialect != "postgres" { // which knows keys alone
			right["by what is joined"] = one{2, joined.Select("owners.name").SelectCount("n").GroupBy("bills.owner_id")}
			right["by the joining row"] = one{3, joined.Select("owners.name").SelectCount("n").GroupBy("bills.id")}
			right["equal columns"] = one{1, bills.Query().CrossJoin("owners").WhereColumn("owners.id", "=", "bills.owner_id").Select("owners.name").SelectCount("n").GroupBy("bills.owner_id").Where("bills.owner_id", "=", 1)}
			right["one value"] = one{1, bills.Select("owner_id").SelectCount("n").Where("owner_id", "=", 1)}
			right["one value of a join"] = one{1, joined.Select("owners.name").SelectCount("n").Where("bills.owner_id", "=", 1)}
			right["one value, And"] = one{1, bills.Select("owner_id").SelectCount("n").Filter(dbfleet.And(id.Eq(1), amount.Gt(0)))}
			right["one value, a group"] = one{1, bills.Select("owner_id").SelectCount("n").WhereGroup(func(g *dbfleet.Query[bill]) *dbfleet.Query[bill] {
				return g.Where("amount", ">", 0).Where("owner_id", "=", 1)
			})}
			right["a list of one"] = one{1, bills.Select("owner_id").SelectCount("n").WhereIn("owner_id", []int64{1})}
			right["SQL of the caller's"] = one{2, bills.Query().SelectRaw("owner_id, name").GroupBy("owner_id")}
			right["without a model"] = one{1, joined.JoinRaw("JOIN owners o ON o.id = bills.owner_id").Select("o.name").SelectCount("n")}
		}
		for claim, c := range right {
			n, err := get(c.q)(t.Context())
			require.NoError(t, err, claim)
			require.Equal(t, c.rows, n, claim)
		}
	})
}

// truth 139
func TestGroupBy_OfExistsReadsNoColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type owner struct {
			ID   int64
			Name string
		}
		type bill struct{ ID, OwnerID int64 }
		fl.Create(t, "CREATE TABLE owners (id {id}, name {text} NOT NULL)", "CREATE TABLE bills (id {id}, owner_id {bigint} NOT NULL)")
		owners := conformance.Model[owner](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
		bills := conformance.Model[bill](t, fl.Registry, dbfleet.ModelConfig{Table: "bills"})
		require.NoError(t, owners.CreateMany(t.Context(), []owner{{1, "Ann"}, {2, "Bob"}}))
		require.NoError(t, bills.CreateMany(t.Context(), []bill{{1, 1}, {2, 1}, {3, 2}}))
		several := bills.Query().WhereColumn("bills.owner_id", "=", "owners.id").GroupBy("owner_id").HavingRaw("COUNT(*) > ?", 1)
		for name, q := range map[string]*dbfleet.Query[owner]{"Ann": owners.Query().WhereExists(several), "Bob": owners.Query().WhereNotExists(several)} {
			names, err := dbfleet.Pluck[string](t.Context(), q, "name")
			require.NoError(t, err)
			require.Equal(t, []string{name}, names)
		}
	})
}

// truth 139
func TestGroupBy_TakesTheColumnOfTheTenantForOneValue(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			return // which knows keys alone
		}
		type sale struct {
			ID     int64
			Shop   string
			Word   string
			Amount int64
		}
		fl.Create(t, "CREATE TABLE sales (id {bigint} NOT NULL, shop VARCHAR(20) NOT NULL, word VARCHAR(20) NOT NULL, amount {bigint} NOT NULL, PRIMARY KEY (id))")
		sales := conformance.Model[sale](t, fl.Registry, dbfleet.ModelConfig{Table: "sales", Tenant: dbfleet.TenantByColumn("shop", dbfleet.TenantOptions{Across: true})})
		ctx := dbfleet.WithTenant(t.Context(), "one")
		require.NoError(t, sales.CreateMany(ctx, []sale{{1, "", "a", 5}, {2, "", "a", 6}, {3, "", "b", 7}}))
		require.NoError(t, sales.Create(dbfleet.WithTenant(t.Context(), "two"), &sale{4, "", "a", 8}))
		type row struct {
			Shop, Word string
			Sum        int64
		}
		sums := dbfleet.Into[row](sales.Select("shop", "word").SelectSum("amount", "sum").GroupBy("word").OrderBy("word", dbfleet.Asc))
		rows, err := sums.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []row{{"one", "a", 11}, {"one", "b", 7}}, rows)
		_, err = sums.Get(dbfleet.AcrossTenants(t.Context()))
		require.ErrorContains(t, err, "value of any row")
	})
}
