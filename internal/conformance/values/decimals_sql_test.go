package values

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 544
func TestDecimal_IsANumberInListsOfSQLToo(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		exactDecimals(t, fl)
		fl.Create(t, `CREATE TABLE parts (id {id}, price {decimal})`)
		prices, parts := fl.DB("main").Table("prices"), fl.DB("main").Table("parts")
		for _, price := range []string{"1.5", "4.5", "7"} {
			_, err := parts.Insert(ctx, dbfleet.Row{"price": price})
			require.NoError(t, err)
		}
		if fl.Database.Dialect == "sqlite" { // where texts are found as they are written
			_, err := prices.Where("id", "=", 6).Update(ctx, dbfleet.Row{"d": "9007199254740993"})
			require.NoError(t, err)
		}
		list := []any{dbfleet.Decimal("1.000000000000000001"), dbfleet.Decimal("9007199254740993"), 5}
		if fl.Database.Dialect == "postgres" {
			list = list[:2] // which takes texts and numbers for no list
		}
		ids := func(q dbfleet.Queryable) []int64 {
			found, err := dbfleet.Pluck[int64](ctx, q, "id")
			require.NoError(t, err)
			return found
		}
		byID := func(q *dbfleet.Query[dbfleet.Row]) []int64 { return ids(q.OrderBy("id", dbfleet.Asc)) }
		require.Equal(t, []int64{2, 6}, byID(prices.WhereRaw("d IN (?)", list)))
		require.Equal(t, []int64{1, 3, 4, 5, 7}, byID(prices.WhereRaw("d NOT IN (:list)", dbfleet.Named("list", list))))
		require.Equal(t, []int64{2, 6}, byID(prices.Filter(dbfleet.Raw("d IN (?)", list))))
		named := func(text string, list any) []int64 {
			found, err := dbfleet.Select[int64](ctx, fl.DB("main"), text, dbfleet.Named("list", list))
			require.NoError(t, err)
			return found
		}
		require.Equal(t, []int64{2, 6}, named("SELECT id FROM prices WHERE d IN (:list) ORDER BY id", list))
		require.Equal(t, []int64{1, 3, 4, 5, 7}, named("SELECT id FROM prices WHERE d NOT IN (:list) ORDER BY id", list))
		require.Equal(t, []int64{2, 3}, named("SELECT id FROM parts WHERE price + 1 IN (:list) ORDER BY id", []any{dbfleet.Decimal("5.50"), dbfleet.Decimal("8"), dbfleet.Decimal("9.0")}))
		_, err := dbfleet.Select[int64](ctx, fl.DB("main"), "SELECT id FROM parts WHERE price IN (:list)", dbfleet.Named("list", []any{dbfleet.Decimal("1.5"), dbfleet.Decimal("x")}))
		require.ErrorIs(t, err, dbfleet.ErrType)
		n, err := prices.WhereRaw("d IN (?)", list).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		// Beside an expression, of which SQLite makes no text.
		require.Equal(t, []int64{2, 3}, byID(parts.WhereRaw("price + 1 IN (?)", []any{dbfleet.Decimal("5.50"), dbfleet.Decimal("8"), dbfleet.Decimal("9.0")})))
		require.Equal(t, []int64{1}, byID(parts.Select("id").GroupBy("id").HavingRaw("SUM(price) NOT IN (?)", []any{dbfleet.Decimal("4.50"), dbfleet.Decimal("7.0")})))
		long := []any{dbfleet.Decimal("12345678901234567"), dbfleet.Decimal("77")}
		require.Equal(t, []int64{2}, byID(parts.WhereRaw("12345678901234565 + id IN (?)", long)))
		require.Equal(t, []int64{1, 3}, byID(parts.WhereRaw("12345678901234565 + id NOT IN (?)", long)))
		_, err = parts.WhereRaw("price IN (?)", []any{dbfleet.Decimal("1.5"), dbfleet.Decimal("x")}).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
	})
}
