package writes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type bill struct {
	ID        int64
	AccountID int64
	Total     int64
	Note      string
	UpdatedAt time.Time
	DeletedAt *time.Time
	Rev       int64
}

type payer struct {
	ID    int64
	Name  string
	Total int64
	Rev   int64
}

type joinedWrites struct {
	bills  *dbfleet.Model[bill]
	payers *dbfleet.Model[payer]
	total  dbfleet.Col[int64]
	limit  dbfleet.Col[int64]
	soft   bool
}

// billing has bills of two payers, whose tables have columns of the same names.
func billing(t *testing.T, fl conformance.Fleet, soft string) joinedWrites {
	t.Helper()
	fl.Create(t, `CREATE TABLE payers (id {id}, name VARCHAR(20) NOT NULL, total {bigint} NOT NULL, rev {bigint} NOT NULL)`,
		`CREATE TABLE bills (id {id}, account_id {bigint} NOT NULL, total {bigint} NOT NULL, note VARCHAR(20) NOT NULL, updated_at {time} NOT NULL, deleted_at {time}, rev {bigint} NOT NULL)`)
	w := joinedWrites{
		soft:   soft != "",
		bills:  conformance.Model[bill](t, fl.Registry, dbfleet.ModelConfig{Table: "bills", Timestamps: true, Version: "rev", SoftDelete: soft}),
		payers: conformance.Model[payer](t, fl.Registry, dbfleet.ModelConfig{Table: "payers"}),
	}
	w.total = dbfleet.Field(w.bills, func(b *bill) *int64 { return &b.Total })
	w.limit = dbfleet.Field(w.payers, func(p *payer) *int64 { return &p.Total })
	require.NoError(t, w.payers.CreateMany(t.Context(), []payer{{1, "ann", 100, 7}, {2, "bob", 200, 7}, {3, "bob", 200, 7}}))
	require.NoError(t, w.bills.CreateMany(t.Context(), []bill{{AccountID: 1, Total: 10}, {AccountID: 2, Total: 20}, {AccountID: 2, Total: 30}, {AccountID: 9, Total: 40}}))
	return w
}

func (w joinedWrites) totals(t *testing.T) map[int64]int64 {
	t.Helper()
	q := w.bills.Query()
	if w.soft {
		q = q.WithDeleted()
	}
	list, err := q.Get(t.Context())
	require.NoError(t, err)
	out := map[int64]int64{}
	for _, b := range list {
		out[b.ID] = b.Total
	}
	return out
}

func TestUpdate_OfRowsWithJoins(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w, ctx := billing(t, fl, "deleted_at"), t.Context()
		joined := w.bills.Query().Join("payers", "payers.id", "=", "bills.account_id")
		gone, err := w.bills.Find(ctx, 3)
		require.NoError(t, err)
		require.NoError(t, w.bills.Delete(ctx, &gone))

		n, err := joined.Where("payers.name", "=", "bob").Update(ctx, dbfleet.Row{"total": w.total.Add(w.limit), "note": dbfleet.RawValue[string]("payers.name")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the deleted row is left out")
		require.Equal(t, map[int64]int64{1: 10, 2: 220, 3: 30, 4: 40}, w.totals(t))
		b, err := w.bills.Find(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, "bob", b.Note)
		require.EqualValues(t, 2, b.Rev, "its own version, not the payer's")

		n, err = joined.Where("payers.name", "=", "bob").Update(ctx, dbfleet.Row{"note": "bob"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "a row that has the value already has matched")
		n, err = joined.Where("name", "=", "ann").OrWhere("bills.id", "=", 4).Increment(ctx, "total", 5)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "a row without a match is left out, whatever the conditions say")
		require.Equal(t, map[int64]int64{1: 15, 2: 220, 3: 30, 4: 40}, w.totals(t))

		_, err = joined.Update(ctx, dbfleet.Row{"note": "x"})
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		n, err = joined.AllRows().Update(ctx, dbfleet.Row{"note": "x"})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		for want, q := range map[string]*dbfleet.Query[bill]{
			"LEFT JOIN":    w.bills.Query().LeftJoin("payers", "payers.id", "=", "bills.account_id"),
			"given as SQL": w.bills.Query().JoinRaw("JOIN payers ON payers.id = bills.account_id"),
			"with a limit": joined.Limit(1),
		} {
			_, err = q.Where("bills.id", "=", 1).Update(ctx, dbfleet.Row{"note": "y"})
			require.ErrorContains(t, err, want)
		}
		if fl.Database.Dialect != "mysql" {
			_, err = dbfleet.UpdateReturning(ctx, joined.Where("bills.id", "=", 1), dbfleet.Row{"note": "y"})
			require.ErrorContains(t, err, "returns its rows")
		}
	})
}

// A row that several rows are joined to is changed once, and counted once.
func TestUpdate_OfARowWithSeveralMatches(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w, ctx := billing(t, fl, ""), t.Context()
		n, err := w.bills.Query().Join("payers AS p", "p.total", ">", "bills.total").Where("bills.id", "<=", 2).Increment(ctx, "total", 1)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, map[int64]int64{1: 11, 2: 21, 3: 30, 4: 40}, w.totals(t))
		n, err = w.bills.Query().Join("payers AS p", "p.total", ">", "bills.total").Where("bills.id", "<=", 2).Update(ctx, dbfleet.Row{"total": w.limit.Of("p")})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Contains(t, []int64{100, 200}, w.totals(t)[1], "the value of one of them")
		n, err = w.bills.Query().Join("payers AS p", "p.rev", ">", "bills.rev").Where("bills.id", "=", 3).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// A table joined with itself, and the values of the row as it was before.
func TestUpdate_OfATableJoinedWithItself(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w, ctx := billing(t, fl, ""), t.Context()
		n, err := w.bills.Query().Join("bills AS other", "other.account_id", "=", "bills.account_id").
			Filter(w.total.Lt(25)).Where("other.total", ">", 25).Update(ctx, dbfleet.Row{"total": w.total.Of("other")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, map[int64]int64{1: 10, 2: 30, 3: 30, 4: 40}, w.totals(t))
	})
}

func TestDelete_OfRowsWithJoins(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w, ctx := billing(t, fl, "deleted_at"), t.Context()
		joined := w.bills.Query().Join("payers", "payers.id", "=", "bills.account_id")
		n, err := joined.Where("payers.name", "=", "bob").Where("bills.total", ">", 25).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		b, err := w.bills.Query().OnlyDeleted().First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, b.ID)
		require.NotNil(t, b.DeletedAt)

		n, err = dbfleet.ForceDeleteRows(ctx, joined.Where("payers.name", "=", "bob"))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, map[int64]int64{1: 10, 3: 30, 4: 40}, w.totals(t), "the deleted row stays")
		n, err = dbfleet.ForceDeleteRows(ctx, joined.WithDeleted().Where("payers.name", "=", "bob").OrWhere("bills.id", "=", 4))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, map[int64]int64{1: 10, 4: 40}, w.totals(t))
		_, err = joined.Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)

		n, err = fl.DB("main").Table("bills").Join("payers", "payers.id", "=", "bills.account_id").Where("payers.name", "=", "ann").Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "of a table without a model")
		require.Equal(t, map[int64]int64{4: 40}, w.totals(t))
	})
}
