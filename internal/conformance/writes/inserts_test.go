package writes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A listing is a row that is inserted without a record.
type listing struct {
	ID        int64
	Code      string
	Stock     int64
	Note      *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

func listings(t *testing.T, fl conformance.Fleet) *dbfleet.Model[listing] {
	t.Helper()
	fl.Create(t, `CREATE TABLE listings (id {id}, code VARCHAR(40) NOT NULL UNIQUE, stock {bigint} NOT NULL DEFAULT 7, note {text}, created_at {time}, updated_at {time})`)
	return conformance.Model[listing](t, fl.Registry, dbfleet.ModelConfig{Table: "listings", Timestamps: true})
}

// statementsOf counts the statements of a kind that are sent from now on.
func statementsOf(r *dbfleet.Registry, op string) func() int {
	n := 0
	r.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if e.Op == op {
			n++
		}
		return ctx
	})
	return func() int { return n }
}

func TestInsert_OfSeveralRowsIsOneStatement(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		count := statementsOf(fl.Registry, "insert")
		res, err := m.Query().Insert(ctx, dbfleet.Row{"code": "a", "note": nil}, dbfleet.Row{"code": "b", "note": "x"}, map[string]any{"code": "c", "note": "y"})
		require.NoError(t, err)
		require.Equal(t, dbfleet.Result{RowsAffected: 3}, res, "of several rows no key is told")
		require.Equal(t, 1, count())
		all, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 3)
		for i, l := range all {
			require.Equal(t, []string{"a", "b", "c"}[i], l.Code)
			require.EqualValues(t, 7, l.Stock, "the default")
			require.WithinDuration(t, time.Now(), l.CreatedAt, time.Minute)
		}
		res, err = m.Query().Insert(ctx)
		require.NoError(t, err)
		require.Zero(t, res)
		require.Equal(t, 1, count(), "no rows, no statement")

		// Rows that were read go into another table as they are.
		fl.Create(t, `CREATE TABLE others (id {bigint}, code VARCHAR(40), stock {bigint}, note {text}, created_at {time}, updated_at {time})`)
		rows, err := fl.DB("main").Table("listings").OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		_, err = fl.DB("main").Table("others").Insert(ctx, rows...)
		require.NoError(t, err)
		copied, err := fl.DB("main").Table("others").OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, rows, copied)
	})
}

func TestInsert_OfManyRowsIsAllOrNone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		rows := make([]dbfleet.Row, 2500)
		for i := range rows {
			rows[i] = dbfleet.Row{"code": fmt.Sprint(i), "stock": i}
		}
		count := statementsOf(fl.Registry, "insert")
		res, err := m.Query().Insert(ctx, rows...)
		require.NoError(t, err)
		require.EqualValues(t, 2500, res.RowsAffected)
		require.Equal(t, 3, count())
		_, err = m.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		rows[2400]["code"] = "0"
		_, err = m.Query().Insert(ctx, rows...)
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := m.Query().Insert(ctx, rows...)
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			_, err = m.Query().Insert(ctx, dbfleet.Row{"code": "after"})
			return err
		}), "a savepoint")
		n, err = m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestInsert_RowsOfOtherColumnsAreRefusedByName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		for says, rows := range map[string][]dbfleet.Row{
			`dbfleet: record 1: table "listings": the row lacks the column "note", which the first row has`:  {{"code": "a", "note": "x"}, {"code": "b"}},
			`dbfleet: record 1: table "listings": the row has the column "stock", which the first row lacks`: {{"code": "a"}, {"code": "b", "stock": 1}},
			`dbfleet: record 2: table "listings": the row lacks the column "code", which the first row has`:  {{"code": "a"}, {"code": "b"}, {"note": "c"}},
			`record 0: table "listings" has no column "cod"`:                                                 {{"cod": "a"}, {"cod": "b"}},
			`record 1: writes.listing.Stock (column "stock")`:                                                {{"code": "a", "stock": 1}, {"code": "b", "stock": "much"}},
		} {
			_, err := m.Query().Insert(ctx, rows...)
			require.ErrorContains(t, err, says)
			var at *dbfleet.RecordError
			require.ErrorAs(t, err, &at)
		}
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = m.Where("id", "=", 1).Insert(ctx, dbfleet.Row{"code": "a"})
		require.ErrorContains(t, err, "an insert has no conditions")
		_, err = m.Limit(1).Insert(ctx, dbfleet.Row{"code": "a"})
		require.ErrorContains(t, err, "limit: an INSERT does not take it")
	})
}

func TestInsert_TakesSQLAndQueriesAsValues(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		one, err := m.Query().Insert(ctx, dbfleet.Row{"code": dbfleet.Raw("LOWER(?)", "FIRST"), "stock": dbfleet.Raw("1 + ?", 2)})
		require.NoError(t, err)
		require.Positive(t, one.LastInsertID)
		fl.Create(t, "CREATE TABLE stocks (stock {bigint})", "INSERT INTO stocks VALUES (3)") // MySQL reads no table that it writes
		_, err = m.Query().Insert(ctx,
			dbfleet.Row{"code": dbfleet.Expr(squirrel.Expr("UPPER(?)", "second")), "stock": fl.DB("main").Table("stocks").Select("stock")},
			dbfleet.Row{"code": "third", "stock": 9})
		require.NoError(t, err)
		all, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		got := []string{}
		for _, l := range all {
			got = append(got, fmt.Sprint(l.Code, l.Stock))
		}
		require.Equal(t, []string{"first3", "SECOND3", "third9"}, got)
	})
}

func TestInsert_RowsOfSeveralShardsAreRefused(t *testing.T) {
	t.Parallel()
	databases := map[string]dbfleet.ConnectionConfig{}
	for _, name := range []string{"main", "even", "odd"} {
		databases[name] = conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	}
	ctx, r := t.Context(), conformance.Open(t, databases)
	for _, name := range []string{"even", "odd"} {
		_, err := r.DB(name).ExecContext(ctx, "CREATE TABLE parts (id INTEGER PRIMARY KEY, shop INTEGER)")
		require.NoError(t, err)
	}
	type part struct{ ID, Shop int64 }
	parts := conformance.Model[part](t, r, dbfleet.ModelConfig{Table: "parts", Shard: dbfleet.ShardBy("shop", func(shop int64) string { return []string{"even", "odd"}[shop%2] })})
	_, err := parts.Query().Insert(ctx, dbfleet.Row{"id": 1, "shop": 2}, dbfleet.Row{"id": 2, "shop": 4})
	require.NoError(t, err)
	_, err = parts.Query().Insert(ctx, dbfleet.Row{"id": 1, "shop": 1}, dbfleet.Row{"id": 2, "shop": 4})
	require.ErrorContains(t, err, `record 1: table "parts": the row lives on shard "even", those before it on "odd"`)
	n, err := parts.Shard(2).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
}

func TestUpsert_OfARowTakesAConflict(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), listings(t, fl)
		q := m.Query()
		byCode := []string{"code"}
		find := func() listing {
			l, err := m.Where("code", "=", "a").First(ctx)
			require.NoError(t, err)
			return l
		}
		require.NoError(t, q.Upsert(ctx, dbfleet.Row{"code": "a", "stock": 1, "note": "x"}, dbfleet.Conflict{Key: byCode}))
		first := find()
		require.NoError(t, q.Upsert(ctx, dbfleet.Row{"id": first.ID + 100, "code": "a", "stock": 2, "note": "y"}, dbfleet.Conflict{Key: byCode}))
		second := find()
		require.Equal(t, first.ID, second.ID, "the row keeps its primary key")
		require.Equal(t, first.CreatedAt, second.CreatedAt)
		require.EqualValues(t, 2, second.Stock)
		require.NoError(t, q.Upsert(ctx, dbfleet.Row{"code": "a", "stock": 3, "note": "z"}, dbfleet.Conflict{Key: byCode, Update: []string{"stock"}}))
		require.EqualValues(t, 3, find().Stock)
		require.Equal(t, "y", *find().Note)
		require.NoError(t, q.Upsert(ctx, dbfleet.Row{"code": "a", "stock": 4}, dbfleet.Conflict{Key: byCode, DoNothing: true}))
		require.EqualValues(t, 3, find().Stock)
		require.NoError(t, q.Upsert(ctx, dbfleet.Row{"id": first.ID, "code": "a", "stock": dbfleet.Raw("2 + ?", 3)}), "by the primary key")
		require.EqualValues(t, 5, find().Stock)
		for says, c := range map[string][]dbfleet.Conflict{
			`table "listings": more than one Conflict`:                     {{}, {}},
			`the key column "id" is not in the row`:                        nil,
			`the column "note" of Conflict.Update is not in the row`:       {{Key: byCode, Update: []string{"note"}}},
			`table "listings": the key column "nothing" is not in the row`: {{Key: []string{"nothing"}}},
		} {
			require.ErrorContains(t, q.Upsert(ctx, dbfleet.Row{"code": "a"}, c...), says)
		}
		l := listing{Code: "b"}
		require.ErrorContains(t, m.Upsert(ctx, &l, dbfleet.Conflict{}, dbfleet.Conflict{}), "more than one Conflict")
		require.ErrorContains(t, m.UpsertMany(ctx, []listing{l}, dbfleet.Conflict{}, dbfleet.Conflict{}), "more than one Conflict")
		require.NoError(t, m.Upsert(ctx, &l), "by the primary key")
		l.Stock = 70
		require.NoError(t, m.UpsertMany(ctx, []listing{l}))
		found, err := m.Find(ctx, l.ID)
		require.NoError(t, err)
		require.EqualValues(t, 70, found.Stock)
	})
}
