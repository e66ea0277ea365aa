package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type ledger struct {
	ID    int64
	Total string
	Count int64
}

type ledgers struct {
	*dbfleet.Model[ledger]
	id, count dbfleet.Col[int64]
	total     dbfleet.Col[string]
}

func newLedgers(t *testing.T, fl conformance.Fleet) ledgers {
	t.Helper()
	decimal := map[string]string{"sqlite": "NUMERIC", "postgres": "NUMERIC(30,2)", "mysql": "DECIMAL(30,2)"}[fl.Database.Dialect]
	fl.Create(t, "CREATE TABLE ledgers (id {bigint} PRIMARY KEY, total "+decimal+" NOT NULL, count {bigint} NOT NULL)")
	m := conformance.Model[ledger](t, fl.Registry, dbfleet.ModelConfig{Table: "ledgers"})
	return ledgers{
		Model: m, id: dbfleet.Field(m, func(l *ledger) *int64 { return &l.ID }), count: dbfleet.Field(m, func(l *ledger) *int64 { return &l.Count }),
		total: dbfleet.Field(m, func(l *ledger) *string { return &l.Total }),
	}
}

// truth 547: to MariaDB the sum of a subquery, a count and the like are of another type than
// a column of numbers; they are compared as numbers all the same.
func TestCompare_SumsOfSubqueriesAreNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // which has no decimals of so many digits
		}
		l, ctx := newLedgers(t, fl), t.Context()
		require.NoError(t, l.CreateMany(ctx, []ledger{{1, "90071992547409930000.01", 1}, {2, "90071992547409930000.02", 1}, {3, "10", 1}, {4, "7", 1}}))
		own := l.Query().As("o").SelectSum("total", "sum").WhereRaw("o.id = ledgers.id")
		sum := dbfleet.QueryValue[string](own)
		list := []string{"90071992547409930000.01", "7"}
		for name, q := range map[string]dbfleet.Queryable{
			"subquery": l.Filter(sum.In(list...)), "SQL": l.Filter(dbfleet.RawValue[string]("(SELECT SUM(o.total) FROM ledgers o WHERE o.id = ledgers.id)").In(list...)),
			"case": l.Filter(dbfleet.Case[string]().WhenOf(l.id.Gt(0), sum).ElseNull().In(list...)),
			"from": dbfleet.From(l.Select("id").SelectSub(own, "sum"), "f").WhereIn("sum", list),
		} {
			ids, err := dbfleet.Pluck[int64](ctx, q, "id")
			require.NoError(t, err, name)
			require.ElementsMatch(t, []int64{1, 4}, ids, name)
		}
		others, err := dbfleet.Pluck[int64](ctx, l.Filter(sum.NotIn(list...)).OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 3}, others)
		n, err := l.Filter(sum.In(list...)).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

// truth 547
func TestArithmetic_OfSubqueriesAndCountsIsThatOfNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l, ctx := newLedgers(t, fl), t.Context()
		require.NoError(t, l.CreateMany(ctx, []ledger{{1, "3", 5}, {2, "4", 6}}))
		all := l.Query().As("o")
		sum, count := dbfleet.QueryValue[string](all.SelectSum("total", "v")), dbfleet.QueryValue[int64](all.SelectCount("v"))
		type row struct{ V int64 }
		for name, e := range map[string]dbfleet.Term{
			"sum": sum.Add(l.total), "twice": sum.Times("2").Minus("4"), "count": count.Times(5), "SQL": dbfleet.RawValue[int64]("(SELECT COUNT(*) FROM ledgers)").Plus(8),
			"quotient": dbfleet.DivInt[int64](dbfleet.QueryValue[int64](all.SelectSum("count", "v")), dbfleet.Value[int64](1)).Minus(1), "number": dbfleet.RowNumber().Over(dbfleet.Window{}).Plus(9),
		} {
			rows, err := dbfleet.Into[row](l.Where("id", "=", 1).SelectValue(e, "v")).Get(ctx)
			require.NoError(t, err, name)
			require.Equal(t, []row{{10}}, rows, name)
		}
	})
}

// truth 548: a value of Go within a Case or Coalesce is what the columns around it are.
func TestCoalesce_OfACaseOfValuesIsOfTheColumnsAround(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l, ctx := newLedgers(t, fl), t.Context()
		require.NoError(t, l.CreateMany(ctx, []ledger{{1, "2", 1}, {2, "10", 1}, {3, "-1", 1}}))
		or := dbfleet.Case[string]().When(l.id.Gt(7), "5").ElseNull()
		for name, x := range map[string]dbfleet.Expression[string]{
			"Coalesce": dbfleet.Coalesce[string](l.total, or), "Case": dbfleet.Case[string]().WhenOf(l.id.Lt(7), l.total).ElseOf(or),
			"Case before": dbfleet.Case[string]().WhenOf(l.id.Gt(7), or).ElseOf(l.total), "three": dbfleet.Coalesce[string](l.total, dbfleet.Coalesce[string](or, dbfleet.Value("5"))),
		} {
			ids, err := dbfleet.Pluck[int64](ctx, l.Query().OrderWith(x.Asc()), "id")
			if fl.Database.Dialect == "postgres" { // which makes a text of the inner one
				require.Error(t, err, name)
				continue
			}
			require.NoError(t, err, name)
			require.Equal(t, []int64{3, 1, 2}, ids, name)
			type row struct{ V int64 }
			rows, err := dbfleet.Into[row](l.Query().SelectValue(dbfleet.MaxOf[string](x), "v")).Get(ctx)
			require.NoError(t, err, name)
			require.Equal(t, []row{{10}}, rows, name)
			found, err := dbfleet.Pluck[int64](ctx, dbfleet.From(l.Select("id").SelectValue(x, "v"), "f").Where("v", ">", "5"), "id")
			require.NoError(t, err, name)
			require.Equal(t, []int64{2}, found, name)
		}
	})
}

// truth 549: a value of Go is no order, and no column's place.
func TestOrder_ByAValueOfGoIsNone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l, ctx := newLedgers(t, fl), t.Context()
		require.NoError(t, l.CreateMany(ctx, []ledger{{1, "2", 1}, {2, "10", 1}, {3, "-1", 1}}))
		for _, n := range []int64{1, 2, 9} {
			rows, err := l.Query().OrderWith(dbfleet.Value(n).Desc(), l.id.Asc()).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []int64{1, 2, 3}, []int64{rows[0].ID, rows[1].ID, rows[2].ID}, n)
		}
		type row struct{ V int64 }
		ones, err := dbfleet.Into[row](l.Query().SelectValue(dbfleet.Value[int64](1), "v").Limit(1)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []row{{1}}, ones)
	})
}
