package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// shop and sale have columns of the same names on purpose.
type shop struct {
	ID     int64
	Name   string
	Total  int64
	BossID *int64
}

type sale struct {
	ID     int64
	ShopID int64
	Kind   string
	Amount int64
	Total  int64
}

// mall is a database with three shops and six sales.
type mall struct {
	conformance.Fleet
	shops *dbfleet.Model[shop]
	sales *dbfleet.Model[sale]
}

func newMall(t *testing.T, fl conformance.Fleet) mall {
	t.Helper()
	fl.Create(t, `CREATE TABLE shops (id {bigint} PRIMARY KEY, name {text} NOT NULL, total {bigint} NOT NULL, boss_id {bigint})`,
		`CREATE TABLE sales (id {bigint} PRIMARY KEY, shop_id {bigint} NOT NULL, kind {text} NOT NULL, amount {bigint} NOT NULL, total {bigint} NOT NULL)`)
	m := mall{
		Fleet: fl,
		shops: conformance.Model[shop](t, fl.Registry, dbfleet.ModelConfig{Table: "shops"}),
		sales: conformance.Model[sale](t, fl.Registry, dbfleet.ModelConfig{Table: "sales"}),
	}
	require.NoError(t, m.shops.CreateMany(t.Context(), []shop{
		{ID: 1, Name: "north", Total: 10}, {ID: 2, Name: "east", Total: 20, BossID: at[int64](1)}, {ID: 3, Name: "south", Total: 30, BossID: at[int64](1)},
	}))
	require.NoError(t, m.sales.CreateMany(t.Context(), []sale{
		{ID: 9, ShopID: 1, Kind: "b", Amount: 50, Total: 4}, {ID: 8, ShopID: 1, Kind: "a", Amount: 40, Total: 5},
		{ID: 7, ShopID: 2, Kind: "b", Amount: 20, Total: 6}, {ID: 6, ShopID: 2, Kind: "a", Amount: 1, Total: 7},
		{ID: 5, ShopID: 3, Kind: "c", Amount: 2, Total: 8}, {ID: 4, ShopID: 3, Kind: "c", Amount: 3, Total: 9},
	}))
	return m
}

// spent is a row of a result that belongs to no table alone.
type spent struct {
	Name  string
	Total int64
}

// truth 101, 102, 105, 108
func TestNames_AnAliasOfTheSelectListComesFirst(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		base := func() *dbfleet.Query[spent] {
			return dbfleet.Table[spent](fl.DB("main"), "shops").Join("sales", "sales.shop_id", "=", "shops.id").GroupBy("shops.id", "shops.name")
		}
		for claim, q := range map[string]*dbfleet.Query[spent]{
			"raw":         base().Select("shops.name").SelectRaw("SUM(sales.amount) AS total"),
			"without as":  base().Select("shops.name").SelectRaw("SUM(sales.amount) total"),
			"in a list":   base().SelectRaw("shops.name, SUM(sales.amount) AS total"),
			"other case":  base().Select("shops.name").SelectRaw("SUM(sales.amount) AS Total"),
			"argument":    base().Select("shops.name").SelectRaw("SUM(sales.amount * ?) AS total", 1),
			"join of raw": dbfleet.Table[spent](fl.DB("main"), "shops").JoinRaw("JOIN sales ON sales.shop_id = shops.id").GroupBy("shops.id", "shops.name").Select("shops.name").SelectRaw("SUM(sales.amount) AS total"),
		} {
			first, err := q.OrderBy("total", dbfleet.Desc).Limit(1).Get(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, []spent{{"north", 90}}, first, claim)
			sum, err := dbfleet.Sum[int64](ctx, q.OrderBy("total", dbfleet.Desc).Limit(2), "total")
			require.NoError(t, err, claim)
			require.EqualValues(t, 111, sum, claim)
			having, err := q.Having("total", ">", 5).OrderBy("total", dbfleet.Asc).Get(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, []spent{{"east", 21}, {"north", 90}}, having, claim)
		}
		// The same on the model, whose table has a column total.
		best, err := m.shops.Query().Join("sales", "sales.shop_id", "=", "shops.id").Select("id", "name").SelectRaw("SUM(sales.amount) AS total").
			GroupBy("id", "name").OrderBy("total", dbfleet.Desc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, shop{ID: 1, Name: "north", Total: 90}, best)
		named, err := m.shops.Query().Join("sales", "sales.shop_id", "=", "shops.id").Select("id").SelectAs("sales.amount", "total").OrderBy("total", dbfleet.Asc).Limit(2).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{ID: 2, Total: 1}, {ID: 3, Total: 2}}, named)

		// A condition does not see the select list, and sorts of the base table stay its own.
		rows, err := m.shops.Query().Join("sales", "sales.shop_id", "=", "shops.id").Select("id").SelectAs("sales.amount", "total").Where("total", "=", 30).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		require.EqualValues(t, 3, rows[0].ID)
		var unknown *dbfleet.UnknownColumnError
		_, err = m.shops.Query().SelectAs("total", "sum").Where("sum", "=", 30).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"sum"}, unknown.Selected)
		// GROUP BY looks at the tables first, as on every database.
		grouped, err := m.shops.Select("name").SelectRaw("COUNT(*) AS total").GroupBy("name", "total").OrderBy("name", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{Name: "east", Total: 1}, {Name: "north", Total: 1}, {Name: "south", Total: 1}}, grouped)
	})
}

// truth 102, 103, 104
func TestNames_AnOrderIsByTheResultsColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		joined := m.shops.Query().Join("sales", "sales.shop_id", "=", "shops.id")
		got, err := joined.Select("sales.id").OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{ID: 4}, {ID: 5}, {ID: 6}, {ID: 7}, {ID: 8}, {ID: 9}}, got)
		loose, err := fl.DB("main").Table("shops").Join("sales", "sales.shop_id", "=", "shops.id").Select("sales.id").OrderBy("id", dbfleet.Desc).Limit(2).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(9)}, {"id": int64(8)}}, loose)
		raw, err := joined.SelectRaw("sales.id").OrderBy("id", dbfleet.Desc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{ID: 9}}, raw)
		got, err = joined.Distinct().Select("sales.total").OrderBy("total", dbfleet.Desc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{Total: 9}}, got)
		got, err = joined.Select("id").OrderBy("total", dbfleet.Desc).OrderBy("sales.id", dbfleet.Asc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{ID: 3}}, got, "total is of the base table")
		// What several columns of the result are called is refused, as by SQL.
		var fault *dbfleet.StatementError
		for claim, q := range map[string]*dbfleet.Query[shop]{
			"two tables":  joined.Select("shops.id", "sales.id").OrderBy("id", dbfleet.Asc).Limit(3),
			"two aliases": joined.SelectRaw("1 AS n, 2 AS n").OrderBy("n", dbfleet.Asc),
			"own star":    joined.Select("*").SelectRaw("1 AS total").OrderBy("total", dbfleet.Asc),
		} {
			_, err := q.Get(ctx)
			require.ErrorAs(t, err, &fault, claim)
			require.ErrorContains(t, err, "ambiguous", claim)
		}
		// An alias that differs from a column only in case is another name.
		folded, err := fl.DB("main").Table("shops").SelectAs("id", "Total").OrderBy("Total", dbfleet.Desc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"Total": int64(3)}}, folded)
		folded, err = dbfleet.Table[dbfleet.Row](fl.DB("main"), "shops").SelectRaw("id, -id AS n").OrderBy("n", dbfleet.Asc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(3), "n": int64(-3)}}, folded)
		ids, err := dbfleet.Pluck[int64](ctx, m.shops.Query().SelectAs("boss_id", "Total").Select("id").OrderBy("total", dbfleet.Desc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{3, 2, 1}, ids, "total is the table's, Total the alias")
	})
}

// truth 109, 110, 111, 112
func TestNames_AggregatesReadTheRowsThatGetReturns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		joined := m.shops.Query().Join("sales", "sales.shop_id", "=", "shops.id")
		for claim, q := range map[string]*dbfleet.Query[shop]{
			"all":      joined.Select("sales.total"),
			"limit":    joined.Select("sales.total").OrderBy("total", dbfleet.Asc).Limit(10),
			"distinct": joined.Select("sales.total").Distinct(),
			"alias":    joined.SelectAs("sales.total", "total"),
			"raw":      joined.SelectRaw("sales.total"),
			"union":    joined.Select("sales.total").Where("sales.id", "<", 6).UnionAll(joined.Select("sales.total").Where("sales.id", ">", 5)),
		} {
			sum, err := dbfleet.Sum[int64](ctx, q, "total")
			require.NoError(t, err, claim)
			require.EqualValues(t, 39, sum, claim)
			plucked, err := dbfleet.Pluck[int64](ctx, q, "total")
			require.NoError(t, err, claim)
			require.ElementsMatch(t, []int64{4, 5, 6, 7, 8, 9}, plucked, claim)
			if claim != "raw" && claim != "union" {
				plucked, err = dbfleet.Pluck[int64](ctx, q, "sales.total")
				require.NoError(t, err, claim)
				require.ElementsMatch(t, []int64{4, 5, 6, 7, 8, 9}, plucked, claim)
			}
		}
		highest, err := joined.SelectAs("kind", "total").Max(ctx, "total")
		require.NoError(t, err)
		require.Equal(t, "c", highest, "not the type of the model's total")
		starred, err := joined.Select("name", "sales.*").Sum(ctx, "total")
		require.NoError(t, err)
		require.InDelta(t, 39, starred, 0)
		if fl.Database.Dialect == "mysql" {
			escaped, err := m.shops.Query().SelectRaw(`IF(name = 'it\'s', 1, 2) AS total`).Sum(ctx, "total")
			require.NoError(t, err)
			require.InDelta(t, 6, escaped, 0)
			plucked, err := dbfleet.Pluck[int](ctx, m.shops.Query().SelectRaw(`IF(name = 'it\'s', 1, 2) AS total`), "total")
			require.NoError(t, err)
			require.Equal(t, []int{2, 2, 2}, plucked)
		}
		// Another table's column of that name is not taken for it.
		own, err := dbfleet.Pluck[int64](ctx, joined.Select("sales.id").OrderBy("sales.id", dbfleet.Asc), "shops.id")
		require.NoError(t, err)
		require.Equal(t, []int64{3, 3, 2, 2, 1, 1}, own)
		_, err = joined.Select("sales.total").Distinct().Sum(ctx, "shops.total")
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		sum, err := joined.Select("sales.id").SelectAs("shops.total", "shop").Distinct().Sum(ctx, "shops.total")
		require.NoError(t, err)
		require.InDelta(t, 120, sum, 0)

		// What the rows do not have is told with what they have.
		_, err = m.sales.Select("kind").Distinct().Sum(ctx, "amount")
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"kind"}, unknown.Known)
		require.ErrorContains(t, err, `the rows of the query on table "sales" have no column "amount"; it has kind`)
		sum, err = m.sales.Select("kind").Sum(ctx, "amount")
		require.NoError(t, err)
		require.InDelta(t, 116, sum, 0)
		sum, err = m.sales.Select("kind").OrderBy("amount", dbfleet.Desc).Limit(2).Sum(ctx, "amount")
		require.NoError(t, err)
		require.InDelta(t, 90, sum, 0)
		avg, err := dbfleet.Avg[float64](ctx, m.sales.Query().SelectRaw("kind, SUM(amount) AS n").GroupBy("kind"), "n")
		require.NoError(t, err)
		require.InDelta(t, 116.0/3, avg, 1e-9)
	})
}

// truth 114, 115, 116
func TestNames_AJoinTakesAnAlias(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		for _, boss := range []string{"shops AS b", "shops as b", "shops b", "  shops   As b "} {
			for claim, q := range map[string]*dbfleet.Query[shop]{
				"join":      m.shops.Query().Join(boss, "b.id", "=", "shops.boss_id"),
				"left join": m.shops.Query().LeftJoin(boss, "b.id", "=", "shops.boss_id").WhereNotNull("b.id"),
				"cross":     m.shops.Query().CrossJoin(boss).WhereColumn("b.id", "=", "boss_id"),
				"both":      m.shops.Query().As("a").Join(boss, "b.id", "=", "a.boss_id"),
				"own name":  m.shops.Query().As("a").Join(boss, "b.id", "=", "shops.boss_id").Where("shops.total", ">", 1),
			} {
				got, err := q.Where("b.name", "=", "north").Where("b.total", "<", 20).Where("total", ">", 10).OrderBy("total", dbfleet.Desc).Get(ctx)
				require.NoError(t, err, "%s %s", boss, claim)
				require.Equal(t, []shop{{3, "south", 30, at[int64](1)}, {2, "east", 20, at[int64](1)}}, got, "%s %s", boss, claim)
				names, err := dbfleet.Pluck[string](ctx, q.SelectAs("b.name", "name").GroupBy("b.name").Having("b.name", "=", "north"), "name")
				require.NoError(t, err, "%s %s", boss, claim)
				require.Equal(t, []string{"north"}, names)
				_, err = q.Where("b.total", "=", "no number").Get(ctx)
				require.Error(t, err, "the alias has the model's types")
				require.ErrorIs(t, err, dbfleet.ErrType)
			}
		}
		q := m.shops.Query().Join("shops AS b", "b.id", "=", "shops.boss_id")
		var unknown *dbfleet.UnknownColumnError
		_, err := q.Where("b.nope", "=", 1).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "b.nope", unknown.Column)
		require.Contains(t, unknown.Known, "boss_id")
		_, err = q.Where("c.name", "=", 1).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"shops", "shops AS b"}, unknown.Tables)
		require.ErrorContains(t, err, "the query reads shops, shops AS b")
		_, err = m.sales.Query().Join("shops AS b", "b.id", "=", "sales.shop_id").Where("shops.name", "=", "east").Get(ctx)
		require.ErrorAs(t, err, &unknown, "a table with an alias is called by it")
		var fault *dbfleet.StatementError
		_, err = m.shops.Query().CrossJoin("shops").Count(ctx)
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, "alias")
		_, err = m.shops.Query().CrossJoin("sales b").CrossJoin("shops b").Count(ctx)
		require.ErrorAs(t, err, &fault)

		// A table that SQL joins under the own name is that one.
		got, err := m.shops.Query().As("b").JoinRaw("JOIN shops ON shops.boss_id = b.id").Where("shops.name", "=", "east").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{1, "north", 10, nil}}, got)
		// Subqueries see the alias.
		n, err := m.shops.Query().As("s").WhereExists(m.sales.Query().As("x").WhereColumn("x.shop_id", "=", "s.id").Where("x.amount", ">", 30)).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.shops.Query().As("s").WhereExists(m.sales.Query().As("x").WhereColumn("x.shop_id", "=", "y.id")).Count(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"sales AS x", "shops AS s"}, unknown.Tables)
	})
}

// truth 117
func TestNames_AColumnThatOnlyAJoinedTableHasIsThatOne(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		q := m.shops.Query().Join("sales", "shop_id", "=", "shops.id")
		got, err := q.Where("amount", ">", 30).OrderBy("kind", dbfleet.Asc).SelectAs("kind", "name").Select("id").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{ID: 1, Name: "a"}, {ID: 1, Name: "b"}}, got)
		sum, err := q.Sum(ctx, "amount")
		require.NoError(t, err)
		require.InDelta(t, 116, sum, 0)
		kinds, err := dbfleet.Pluck[string](ctx, q.GroupBy("kind").Having("kind", "<>", "c").OrderBy("kind", dbfleet.Asc), "kind")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, kinds)
		var fault *dbfleet.StatementError
		_, err = q.Join("sales AS other", "other.shop_id", "=", "shops.id").Where("amount", ">", 1).Get(ctx)
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, "sales and other")
		var unknown *dbfleet.UnknownColumnError
		_, err = q.Where("nope", "=", 1).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"shops", "sales"}, unknown.Tables)

		// A struct of the result, over tables with models.
		type line struct {
			Name   string
			Amount int64
		}
		lines, err := dbfleet.Table[line](fl.DB("main"), "shops").Select("name", "amount").Join("sales", "sales.shop_id", "=", "shops.id").
			Where("amount", ">", 20).Where("id", "=", 1).OrderBy("amount", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []line{{"north", 40}, {"north", 50}}, lines)
		// And over tables of which nothing is known.
		fl.Create(t, "CREATE TABLE a (id {bigint}, name {text})", "CREATE TABLE b (a_id {bigint}, amount {bigint})", "INSERT INTO a VALUES (1, 'x')", "INSERT INTO b VALUES (1, 7), (1, 8)")
		lines, err = dbfleet.Table[line](fl.DB("main"), "a").Select("name", "amount").Join("b", "b.a_id", "=", "a.id").Where("amount", ">", 7).OrderBy("amount", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []line{{"x", 8}}, lines)
	})
}

// truth 106, 107
func TestNames_HavingTakesAnAliasOnEveryDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newMall(t, fl)
		ctx := t.Context()
		// The table has a column total, of which SQLite would take a value of some row.
		q := m.sales.Select("shop_id").SelectRaw("SUM(amount) AS total").GroupBy("shop_id").OrderBy("shop_id", dbfleet.Asc)
		for claim, tt := range map[string]struct {
			q    *dbfleet.Query[sale]
			want []sale
		}{
			">":       {q.Having("total", ">", 21), []sale{{ShopID: 1, Total: 90}}},
			"in":      {q.Having("total", "IN", []int{21, 5}), []sale{{ShopID: 2, Total: 21}, {ShopID: 3, Total: 5}}},
			"between": {q.Having("total", "BETWEEN", []int{5, 6}), []sale{{ShopID: 3, Total: 5}}},
			"grouped": {q.Having("shop_id", "=", 2), []sale{{ShopID: 2, Total: 21}}},
		} {
			got, err := tt.q.Get(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, tt.want, got, claim)
			n, err := tt.q.Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, len(tt.want), n, claim)
		}
		loose := fl.DB("main").Table("sales").Select("shop_id").SelectRaw("COUNT(*), SUM(amount + ?) AS total", 1).GroupBy("shop_id")
		n, err := loose.Having("total", "<", 24).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = loose.Having("total", "IN", []int{7}).Get(ctx)
		if fl.Database.Dialect == "mysql" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "HavingRaw")
		}
		// What is neither grouped nor selected would be of any row on SQLite.
		_, err = q.Having("kind", "=", "a").Get(ctx)
		require.Error(t, err)
		// A grouped column comes before an alias of its name.
		byName, err := m.sales.Query().SelectRaw("MAX(kind) AS kind").GroupBy("sales.kind").Having("kind", "=", "c").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []sale{{Kind: "c"}}, byName)
	})
}
