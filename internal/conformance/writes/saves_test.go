package writes

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 113: zero values can be written, what is not named stays.
func TestSave_WritesZeroValues(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		note := "n"
		full := gadget{Name: "a", Active: true, Stock: 3, Price: 1.5, Note: &note}
		require.NoError(t, m.Create(ctx, &full))

		changed := full
		changed.Active, changed.Stock, changed.Price, changed.Note, changed.Name = false, 0, 0, nil, ""
		require.NoError(t, m.SaveColumns(ctx, &changed, "active", "note"))
		got, err := m.Find(ctx, full.ID)
		require.NoError(t, err)
		require.False(t, got.Active)
		require.Nil(t, got.Note)
		require.Equal(t, "a", got.Name)
		require.Equal(t, 3, got.Stock)
		require.Equal(t, full.CreatedAt, got.CreatedAt)
		require.False(t, got.UpdatedAt.Before(full.UpdatedAt))

		require.NoError(t, m.Save(ctx, &changed))
		got, err = m.Find(ctx, full.ID)
		require.NoError(t, err)
		require.Empty(t, got.Name)
		require.Zero(t, got.Stock)
		require.Zero(t, got.Price)

		n, err := m.Where("id", "=", full.ID).Update(ctx, map[string]any{"stock": 5, "note": "x", "active": true})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Where("id", "=", full.ID).Update(ctx, map[string]any{"stock": 0, "note": nil, "active": false})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		got, err = m.Find(ctx, full.ID)
		require.NoError(t, err)
		require.Zero(t, got.Stock)
		require.Nil(t, got.Note)
		require.False(t, got.Active)

		require.ErrorContains(t, m.SaveColumns(ctx, &changed), "no column")
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, m.SaveColumns(ctx, &changed, "nmae"), &unknown)
		require.Equal(t, "nmae", unknown.Column)
		require.Contains(t, unknown.Known, "name")
	})
}

// hazard 111: Save brings nothing back that was deleted.
func TestSave_OfAMissingRowIsNotFound(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		g := gadget{Name: "a"}
		require.NoError(t, m.Create(ctx, &g))
		require.NoError(t, m.Delete(ctx, &g))
		before := g
		require.ErrorIs(t, m.Save(ctx, &g), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Save(ctx, &g), sql.ErrNoRows)
		require.Equal(t, before, g, "an error leaves the record as it was")
		require.ErrorIs(t, m.SaveColumns(ctx, &g, "name"), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Delete(ctx, &g), dbfleet.ErrNotFound)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		g.ID = 0
		require.NoError(t, m.Save(ctx, &g), "without an id it is created")
		require.Positive(t, g.ID)
		var refused *dbfleet.StatementError
		require.ErrorAs(t, m.Delete(ctx, &gadget{}), &refused)
		require.ErrorAs(t, m.SaveColumns(ctx, &gadget{}, "name"), &refused)
		require.ErrorAs(t, m.Create(ctx, nil), &refused)
		require.ErrorAs(t, m.Save(ctx, nil), &refused)
		require.ErrorAs(t, m.Delete(ctx, nil), &refused)
		require.ErrorAs(t, m.Upsert(ctx, nil, dbfleet.Conflict{}), &refused)
		require.ErrorAs(t, m.Fill(nil, nil), &refused)

		var zero *dbfleet.Model[gadget]
		require.ErrorAs(t, zero.Create(ctx, &g), &refused)
		require.ErrorAs(t, zero.Upsert(ctx, nil, dbfleet.Conflict{}), &refused)
		require.ErrorAs(t, zero.CreateMany(ctx, []gadget{g}), &refused)
		require.ErrorAs(t, zero.Fill(&g, nil), &refused)
	})
}

// hazard 345: mass assignment takes the columns that were allowed, and values
// that are values.
func TestFill_TakesFillableColumnsOnly(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		g, err := m.CreateFrom(ctx, map[string]any{"name": "a", "active": true, "stock": "12", "note": "n"})
		require.NoError(t, err)
		require.Positive(t, g.ID)
		require.Equal(t, 12, g.Stock)

		for column, value := range map[string]any{
			"id": 5, "price": 1.0, "created_at": time.Now(), "nonsense": 1, "Name": "x", "id OR 1=1": 1, "": 1, "gadgets.name": "x", "twice": 1,
		} {
			var refused *dbfleet.NotFillableError
			_, err := m.CreateFrom(ctx, map[string]any{"name": "b", column: value})
			require.ErrorAs(t, err, &refused, column)
			require.Equal(t, column, refused.Column)
			require.Contains(t, err.Error(), `"stock"`, "the known ones are named")
		}
		for name, values := range map[string]map[string]any{
			"operator": {"name": map[string]any{"$gt": ""}}, "list": {"name": []any{1, 2}}, "nested": {"stock": map[string]any{"inc": 1}},
			"text": {"stock": "many"}, "too large": {"stock": "99999999999999999999"}, "fraction": {"stock": 1.5}, "null": {"stock": nil},
			"sql": {"name": dbfleet.Raw("CURRENT_USER")},
		} {
			kept := gadget{Name: "kept", Stock: 1, Active: true}
			before := kept
			values["active"] = false
			require.Error(t, m.Fill(&kept, values), name)
			require.Equal(t, before, kept, "%s: nothing was set", name)
		}
		for name, value := range map[string]any{
			"operator": map[string]any{"$gt": 0}, "list": []int{1, 2}, "struct": struct{ A int }{1}, "text": "1 OR 1=1",
		} {
			_, err := m.Where("id", "=", value).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrType, name)
			_, err = m.Where("id", "=", g.ID).Update(ctx, map[string]any{"stock": value})
			require.ErrorIs(t, err, dbfleet.ErrType, name)
			_, err = m.Query().Insert(ctx, map[string]any{"name": "c", "stock": value})
			require.ErrorIs(t, err, dbfleet.ErrType, name)
		}
		_, err = m.Where("id OR 1=1", "=", 1).Get(ctx)
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		locked := conformance.Model[gadget](t, fl.Registry, dbfleet.ModelConfig{Table: "gadgets"})
		var refused *dbfleet.NotFillableError
		require.ErrorAs(t, locked.Fill(&g, map[string]any{"name": "x"}), &refused, "nothing is fillable by default")
	})
}

// promise 8: timestamps, in UTC and as precise as every database keeps them.
func TestTimestamps_AreSetAndReadBackTheSame(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		start := time.Now().Add(-time.Millisecond)
		g := gadget{Name: "a"}
		require.NoError(t, m.Create(ctx, &g))
		require.Equal(t, time.UTC, g.CreatedAt.Location())
		require.Equal(t, g.CreatedAt, g.UpdatedAt)
		require.True(t, g.CreatedAt.After(start))
		got, err := m.Find(ctx, g.ID)
		require.NoError(t, err)
		require.Equal(t, g, got)

		past := time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
		old := gadget{Name: "b", CreatedAt: past, UpdatedAt: past}
		require.NoError(t, m.Create(ctx, &old))
		require.Equal(t, past, old.CreatedAt, "one's own is kept")
		require.True(t, old.UpdatedAt.After(past))

		_, err = m.Where("id", "=", g.ID).Update(ctx, map[string]any{"stock": 1})
		require.NoError(t, err)
		later, err := m.Find(ctx, g.ID)
		require.NoError(t, err)
		require.Equal(t, g.CreatedAt, later.CreatedAt)
		require.True(t, later.UpdatedAt.After(g.UpdatedAt))
		_, err = m.Where("id", "=", g.ID).Update(ctx, map[string]any{"updated_at": past})
		require.NoError(t, err)
		later, err = m.Find(ctx, g.ID)
		require.NoError(t, err)
		require.Equal(t, past, later.UpdatedAt, "a value of one's own wins")

		res, err := m.Query().Insert(ctx, map[string]any{"name": "c", "active": true, "stock": 1, "price": 2})
		require.NoError(t, err)
		require.EqualValues(t, 1, res.RowsAffected)
		inserted, err := m.Find(ctx, res.LastInsertID)
		require.NoError(t, err)
		require.True(t, inserted.CreatedAt.After(start))
		require.Equal(t, inserted.CreatedAt, inserted.UpdatedAt)

		type nullable struct {
			ID        int64
			Name      string
			Active    bool
			Stock     int
			Price     float64
			CreatedAt *time.Time
			UpdatedAt sql.NullTime
		}
		nm := conformance.Model[nullable](t, fl.Registry, dbfleet.ModelConfig{Table: "gadgets", Timestamps: true})
		n := nullable{Name: "d"}
		require.NoError(t, nm.Create(ctx, &n))
		require.NotNil(t, n.CreatedAt)
		require.True(t, n.UpdatedAt.Valid)
	})
}
