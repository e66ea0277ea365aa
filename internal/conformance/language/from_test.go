package language

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestFrom_ReadsTheRowsOfAQueryAsATable(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		ctx := t.Context()
		perShop := s.Where("price", ">", 0).Select("shop").SelectValue(dbfleet.SumOf(s.price.Mul(s.count)), "amount").SelectCount("n").GroupBy("shop")
		q := dbfleet.From(perShop, "shops")
		type shop struct {
			Shop      string
			Amount, N int64
		}
		list, err := dbfleet.Into[shop](q.Where("amount", ">", 50).OrderBy("amount", dbfleet.Desc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{"west", 200, 1}, {"south", 99, 2}}, list)
		n, err := q.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		largest, err := dbfleet.Max[int64](ctx, q, "amount")
		require.NoError(t, err)
		require.EqualValues(t, 200, largest)
		mean, err := dbfleet.Avg[float64](ctx, q, "amount")
		require.NoError(t, err)
		require.InDelta(t, 349.0/3, mean, 1e-9)
		amount := dbfleet.Col[int64]("amount").Of("shops")
		names, err := dbfleet.Pluck[string](ctx, q.Filter(amount.Plus(1).Gt(100)).OrderWith(amount.Asc()), "shop")
		require.NoError(t, err)
		require.Equal(t, []string{"west"}, names)
		grouped, err := dbfleet.Into[shop](dbfleet.From(q.Select("n").SelectSum("amount", "amount").GroupBy("n"), "again").SelectAs("n", "n").SelectAs("amount", "amount").SelectValue(dbfleet.Value("x"), "shop").OrderBy("n", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shop{{"x", 200, 1}, {"x", 149, 2}}, grouped, "groups of groups")

		place := dbfleet.RowNumber().Over(dbfleet.Window{PartitionBy: []dbfleet.Term{s.shop}, OrderBy: []dbfleet.Order{s.price.Desc()}})
		best, err := dbfleet.Pluck[int64](ctx, dbfleet.From(s.Select("id").SelectValue(place, "place"), "ranked").Where("place", "=", 1).OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 4, 6}, best, "the dearest of each shop")
		first, err := dbfleet.Pluck[int64](ctx, dbfleet.From(s.Select("id", "price").OrderWith(s.price.Desc()).Limit(3), "dear").OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{1, 2, 6}, first)
		// Joined with a table, and inside a condition.
		joined, err := dbfleet.Pluck[int64](ctx, q.Join("sales", "sales.shop", "=", "shops.shop").Where("shops.amount", "=", 50).OrderBy("sales.id", dbfleet.Asc), "sales.id")
		require.NoError(t, err)
		require.Equal(t, []int64{1, 2}, joined)
		require.Equal(t, []int64{6}, s.ids(t, s.Filter(s.shop.InQuery(q.Where("amount", ">", 100).Select("shop")))))

		err = fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := s.Using(tx).Where("id", "=", 6).Update(ctx, dbfleet.Row{"price": 1})
			require.NoError(t, err)
			seen, err := dbfleet.Max[int64](ctx, dbfleet.From(s.Using(tx).Select("price", "count"), "p"), "price")
			require.NoError(t, err)
			require.EqualValues(t, 20, seen, "it reads in the transaction of its query")
			return nil
		})
		require.NoError(t, err)
		_, err = q.Where("nope", "=", 1).Get(ctx)
		require.Error(t, err)
		_, err = q.Where("n", "=", 1).Update(ctx, dbfleet.Row{"n": 2})
		require.Error(t, err)
	})
}

func TestInsertFrom_InsertsTheRowsOfAQuery(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE totals (id {id}, name {text} NOT NULL, amount {bigint}, created_at {time}, updated_at {time})`)
		type total struct {
			ID        int64
			Name      string
			Amount    *int64
			CreatedAt time.Time
			UpdatedAt time.Time
		}
		m := conformance.Model[total](t, fl.Registry, dbfleet.ModelConfig{Table: "totals", Timestamps: true})
		n, err := dbfleet.InsertFrom(ctx, m, []string{"name", "amount"}, s.Select("shop").SelectSum("price", "x").GroupBy("shop").Having("x", ">", 12))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		rows, err := m.OrderBy("name", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []any{"north", int64(30), "west", int64(100)}, []any{rows[0].Name, *rows[0].Amount, rows[1].Name, *rows[1].Amount})
		require.False(t, rows[0].CreatedAt.IsZero())
		require.Equal(t, rows[0].CreatedAt, rows[1].UpdatedAt)
		// Of its own rows, without a model, and with a CTE and a union.
		n, err = dbfleet.InsertFrom(ctx, fl.DB("main").Table("totals"), []string{"name", "amount"}, m.Select("name").SelectValue(dbfleet.Col[int64]("amount").Plus(1), "y").Where("name", "=", "west"))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = dbfleet.InsertFrom(ctx, fl.DB("main").Table("totals"), []string{"name", "amount"}, dbfleet.From(s.Select("shop", "price").Where("id", "<", 3), "few").Select("shop", "price").UnionAll(s.Select("shop", "price").Where("id", "=", 6)))
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		sum, err := dbfleet.Sum[int64](ctx, m, "amount")
		require.NoError(t, err)
		require.EqualValues(t, 130+101+130, sum)
		n, err = dbfleet.InsertFrom(ctx, m, []string{"name"}, s.Select("shop").Where("id", "<", 0))
		require.NoError(t, err)
		require.Zero(t, n)

		other := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database), "second": conformance.ConnectionTo(fl.Database)})
		var none *dbfleet.Query[total]
		for want, call := range map[string]func() (int64, error){
			`the subquery belongs to connection "second"`: func() (int64, error) {
				return dbfleet.InsertFrom(ctx, other.DB("main").Table("totals"), []string{"name"}, other.DB("second").Table("sales").Select("shop"))
			},
			"2 columns for a query that gives 1": func() (int64, error) { return dbfleet.InsertFrom(ctx, m, []string{"name", "amount"}, s.Select("shop")) },
			"InsertFrom has no columns":          func() (int64, error) { return dbfleet.InsertFrom(ctx, m, nil, s.Select("shop")) },
			`InsertFrom has the column "name" twice`: func() (int64, error) {
				return dbfleet.InsertFrom(ctx, m, []string{"name", "name"}, s.Select("shop", "buyer"))
			},
			`has no column "nope"`: func() (int64, error) { return dbfleet.InsertFrom(ctx, m, []string{"nope"}, s.Select("shop")) },
			"what else is asked would be lost": func() (int64, error) {
				return dbfleet.InsertFrom(ctx, m.Where("id", "=", 1), []string{"name"}, s.Select("shop"))
			},
			"the query of the rows is nil": func() (int64, error) { return dbfleet.InsertFrom(ctx, m, []string{"name"}, none) },
			"where to insert is nil":       func() (int64, error) { return dbfleet.InsertFrom(ctx, none, []string{"name"}, s.Select("shop")) },
		} {
			_, err := call()
			require.ErrorContains(t, err, want)
		}
		_, err = dbfleet.InsertFrom(ctx, m, []string{"name"}, s.Select("buyer"))
		require.ErrorIs(t, err, dbfleet.ErrNotNull)
		count, err := m.Query().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 6, count, "all or none")
	})
}

func TestWrite_ChangesNoMoreRowsThanItsLimit(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		ctx := t.Context()
		n, err := s.Where("shop", "=", "south").OrWhere("shop", "=", "north").OrderWith(s.price.Desc(), s.id.Asc()).Limit(2).Update(ctx, dbfleet.Row{"count": 1000})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, []int64{1, 2}, s.ids(t, s.Where("count", "=", 1000)), "the dearest two of both shops")
		n, err = s.Query().AllRows().OrderBy("id", dbfleet.Desc).Limit(1).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = s.Where("id", ">", 0).Limit(0).Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, []int64{1, 2, 3, 4, 5}, s.ids(t, s.Query()))
		_, err = s.Query().Limit(1).Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		_, err = s.Where("id", ">", 0).Limit(-1).Delete(ctx)
		require.ErrorContains(t, err, "limit")
		_, err = s.Where("id", ">", 0).Limit(1).Offset(1).Delete(ctx)
		require.ErrorContains(t, err, "offset: a DELETE does not take it")
		_, err = s.Where("id", ">", 0).OrderBy("id", dbfleet.Asc).Delete(ctx)
		require.ErrorContains(t, err, "order by: a DELETE does not take it without a limit")
		gone, err := dbfleet.DeleteReturning(ctx, s.Where("shop", "=", "south").OrderBy("id", dbfleet.Asc).Limit(2))
		require.NoError(t, err)
		require.Len(t, gone, 2)
		require.Equal(t, []int64{1, 2, 5}, s.ids(t, s.Query()))
		_, err = fl.DB("main").Table("sales").Where("id", "=", 5).Limit(1).Delete(ctx)
		if fl.Database.Dialect == "mysql" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, "found by the primary key, which only a model tells")
	})
}

// Many take work at once: nobody takes more than asked, and nothing is taken twice.
func TestWrite_WithALimitTakesEachRowOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE jobs (tenant {bigint} NOT NULL, id {bigint} NOT NULL, owner {bigint}, taken {bigint} NOT NULL, PRIMARY KEY (tenant, id))`)
		type job struct {
			Tenant, ID int64
			Owner      *int64
			Taken      int64
		}
		jobs := conformance.Model[job](t, fl.Registry, dbfleet.ModelConfig{Table: "jobs", PrimaryKey: []string{"tenant", "id"}})
		var list []job
		for i := range int64(60) {
			list = append(list, job{Tenant: i % 2, ID: i / 2})
		}
		require.NoError(t, jobs.CreateMany(ctx, list))
		taken := dbfleet.Field(jobs, func(j *job) *int64 { return &j.Taken })
		var wg sync.WaitGroup
		got := make([]int64, 6)
		for w := range got {
			wg.Go(func() {
				for range 40 {
					n, err := jobs.Query().WhereNull("owner").OrderBy("id", dbfleet.Asc).OrderBy("tenant", dbfleet.Asc).Limit(3).Update(ctx, dbfleet.Row{"owner": w, "taken": taken.Plus(1)})
					if dbfleet.IsRetryable(err) { // a deadlock, which changes nothing
						continue
					}
					if err != nil || n > 3 {
						t.Errorf("%d rows, %v", n, err)
						return
					}
					got[w] += n
				}
			})
		}
		wg.Wait()
		sum := int64(0)
		for _, n := range got {
			sum += n
		}
		most, err := dbfleet.Max[int64](ctx, jobs, "taken")
		require.NoError(t, err)
		require.LessOrEqual(t, most, int64(1), "a row was taken twice")
		all, err := dbfleet.Sum[int64](ctx, jobs, "taken")
		require.NoError(t, err)
		require.Equal(t, sum, all, "what was told is what was done")
		require.EqualValues(t, 60, all)
	})
}

func TestWrite_ReadsCTEsWhereTheDatabaseHasThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		ctx := t.Context()
		dear := dbfleet.CTE{Name: "dear", Query: s.Where("price", ">=", 20).Select("id")}
		rows := fl.DB("main").Table("dear").Select("id")
		q := s.Filter(s.id.InQuery(rows)).WithCTE(dear)
		n, err := q.Update(ctx, dbfleet.Row{"count": 0})
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, "give it to the subqueries that read it")
			q = s.Filter(s.id.InQuery(rows.WithCTE(dear)))
			n, err = q.Update(ctx, dbfleet.Row{"count": 0})
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, []int64{2, 6}, s.ids(t, s.Where("count", "=", 0)))
		n, err = q.OrderBy("id", dbfleet.Desc).Limit(1).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, []int64{2}, s.ids(t, s.Where("count", "=", 0)))
	})
}
