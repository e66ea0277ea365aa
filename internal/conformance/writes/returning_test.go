package writes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func codes(list []listing) []string {
	out := []string{}
	for _, l := range list {
		out = append(out, fmt.Sprintf("%s%d", l.Code, l.Stock))
	}
	slices.Sort(out)
	return out
}

func TestReturning_InsertTellsWhatTheDatabaseMade(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		made, err := dbfleet.InsertReturning(ctx, m.Query(), dbfleet.Row{"code": "a"}, dbfleet.Row{"code": dbfleet.Raw("LOWER(?)", "B")})
		require.NoError(t, err)
		require.Equal(t, []string{"a7", "b7"}, codes(made))
		for _, l := range made {
			found, err := m.Find(ctx, l.ID)
			require.NoError(t, err)
			require.Equal(t, found, l)
		}
		made, err = dbfleet.InsertReturning(ctx, m.Select("id"), dbfleet.Row{"code": "c"})
		require.NoError(t, err)
		require.Positive(t, made[0].ID)
		require.Empty(t, made[0].Code, "not selected")
		none, err := dbfleet.InsertReturning(ctx, m.Query())
		require.NoError(t, err)
		require.Equal(t, []listing{}, none)
		rows, err := dbfleet.InsertReturning(ctx, fl.DB("main").Table("listings").Select("code").SelectRaw("stock + ? AS more", 1), dbfleet.Row{"code": "d"})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"code": "d", "more": int64(8)}}, rows)
		many := make([]dbfleet.Row, 1500)
		for i := range many {
			many[i] = dbfleet.Row{"code": fmt.Sprint("n", i), "stock": i}
		}
		made, err = dbfleet.InsertReturning(ctx, m.Query(), many...)
		require.NoError(t, err)
		require.Len(t, made, 1500)
		many[1400]["code"] = "a"
		_, err = m.Where("code", "LIKE", "n%").Delete(ctx)
		require.NoError(t, err)
		made, err = dbfleet.InsertReturning(ctx, m.Query(), many...)
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		require.Empty(t, made)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n, "all or none")
	})
}

func TestReturning_UpdateAndDeleteTellTheirRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		for i, code := range []string{"a", "b", "c"} {
			_, err := m.Query().Insert(ctx, dbfleet.Row{"code": code, "stock": i})
			require.NoError(t, err)
		}
		raised := dbfleet.Row{"stock": dbfleet.Raw("stock + ?", 10)}
		list, err := dbfleet.UpdateReturning(ctx, m.Where("code", "<>", "a"), raised)
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, `table "listings": MySQL and MariaDB have no UPDATE … RETURNING`)
			require.Empty(t, list)
			_, err = m.Where("code", "<>", "a").Update(ctx, raised)
		} else {
			require.Equal(t, []string{"b11", "c12"}, codes(list))
			for _, l := range list {
				found, err := m.Find(ctx, l.ID)
				require.NoError(t, err)
				require.Equal(t, found, l, "updated_at, too")
			}
			none, err := dbfleet.UpdateReturning(ctx, m.Where("code", "=", "nothing"), raised)
			require.NoError(t, err)
			require.Equal(t, []listing{}, none)
			_, err = dbfleet.UpdateReturning(ctx, m.Query(), raised)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
			_, err = dbfleet.UpdateReturning(ctx, m.Where("id", "=", 1), dbfleet.Row{"nothing": 1})
			var unknown *dbfleet.UnknownColumnError
			require.ErrorAs(t, err, &unknown)
		}
		require.NoError(t, err)
		list, err = dbfleet.DeleteReturning(ctx, m.Where("stock", ">", 10))
		require.NoError(t, err)
		require.Equal(t, []string{"b11", "c12"}, codes(list))
		left, err := m.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"a0"}, codes(left))
		_, err = dbfleet.DeleteReturning(ctx, m.Query())
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		_, err = dbfleet.DeleteReturning(ctx, m.Where("id", ">", 0).OrderBy("id", dbfleet.Asc).Offset(1))
		require.ErrorContains(t, err, "offset: a DELETE does not take it")
		list, err = dbfleet.DeleteReturning(ctx, m.Query().AllRows().Select("code"))
		require.NoError(t, err)
		require.Equal(t, []listing{{Code: "a"}}, list)
	})
}

// Nobody is told less than what happened: the rows are written, and not read.
func TestReturning_RowsThatDoNotFitAreWritten(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		type code struct{ Code int64 }
		codes := dbfleet.Table[code](fl.DB("main"), "listings")
		for _, c := range []string{"w", "x"} {
			_, err := m.Query().Insert(ctx, dbfleet.Row{"code": c})
			require.NoError(t, err)
		}
		unread, err := dbfleet.DeleteReturning(ctx, codes.Select("code").WhereRaw("code = ?", "w"))
		require.ErrorIs(t, err, dbfleet.ErrWritten)
		var column *dbfleet.ColumnError
		require.ErrorAs(t, err, &column)
		require.Empty(t, unread)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		list, err := dbfleet.DeleteReturning(ctx, m.Where("code", "=", "x").SelectAs("stock", "nothing"))
		require.NotErrorIs(t, err, dbfleet.ErrWritten, "what is known before is refused")
		require.ErrorContains(t, err, `"nothing"`)
		require.Empty(t, list)
		n, err = m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// A shop has listings, which are loaded with what a write returns.
type shop struct {
	ID       int64
	Name     string
	Listings []offer
}

type offer struct {
	ID, ShopID int64
}

func TestReturning_LoadsRelationsAndRunsInTransactions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE shops (id {id}, name {text})`, `CREATE TABLE offers (id {id}, shop_id {bigint})`)
		shops := conformance.Model[shop](t, fl.Registry, dbfleet.ModelConfig{Table: "shops"})
		offers := conformance.Model[offer](t, fl.Registry, dbfleet.ModelConfig{Table: "offers"})
		offersOf := dbfleet.HasMany(shops, offers, dbfleet.On("shop_id"), func(s *shop) *[]offer { return &s.Listings })
		require.NoError(t, shops.Create(ctx, &shop{Name: "a"}))
		require.NoError(t, offers.CreateMany(ctx, []offer{{ShopID: 1}, {ShopID: 1}}))
		undone := errors.New("undone")
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			list, err := dbfleet.DeleteReturning(ctx, shops.Where("id", "=", 1).Select("name").With(offersOf))
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, "a", list[0].Name)
			require.Len(t, list[0].Listings, 2)
			return undone
		}), undone)
		n, err := shops.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
