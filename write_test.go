package dbfleet_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// gadget has a column of every way in which a value comes about.
type gadget struct {
	ID                   int64
	Name                 string
	Active               bool
	Stock                int
	Price                float64
	Note                 *string
	Kind                 string // DEFAULT 'plain'
	Twice                int    // GENERATED
	CreatedAt, UpdatedAt time.Time
}

const gadgetsTable = `CREATE TABLE gadgets (id {id}, name {text} NOT NULL UNIQUE, active {bool} NOT NULL, stock {int} NOT NULL,
	price {float} NOT NULL, note {text}, kind VARCHAR(20) NOT NULL DEFAULT 'plain', twice {int} GENERATED ALWAYS AS (stock * 2) STORED,
	created_at {time} NOT NULL, updated_at {time} NOT NULL)`

func gadgets(t *testing.T, fl fleet) *dbfleet.Model[gadget] {
	t.Helper()
	fl.create(t, gadgetsTable)
	return model[gadget](t, fl.Registry, dbfleet.ModelConfig{
		Table: "gadgets", Timestamps: true, Generated: []string{"twice"}, Defaults: []string{"kind"},
		Fillable: []string{"name", "active", "stock", "note"},
	})
}

// hazard 90, hazard 91, promise 14: generated columns and defaults are left out
// of the insert and read back, a value of one's own is written.
func TestCreate_ReadsBackWhatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		plain := gadget{Name: "a", Stock: 7}
		require.NoError(t, m.Create(ctx, &plain))
		require.Positive(t, plain.ID)
		require.Equal(t, "plain", plain.Kind)
		require.Equal(t, 14, plain.Twice)
		own := gadget{ID: 500, Name: "b", Kind: "own", Twice: 99}
		require.NoError(t, m.Create(ctx, &own))
		require.EqualValues(t, 500, own.ID)
		require.Equal(t, "own", own.Kind)
		require.Zero(t, own.Twice)
		many := []gadget{{Name: "c", Stock: 1}, {Name: "d", Stock: 2, Kind: "own"}, {Name: "e", Stock: 3}, {Name: "f", Stock: 4}}
		require.NoError(t, m.CreateMany(ctx, many))
		for _, want := range append(many, plain, own) {
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		plain.Stock = 8
		require.NoError(t, m.Save(ctx, &plain), "the generated column is not written")
		_, err := m.Where("id", "=", plain.ID).Update(ctx, map[string]any{"twice": 1})
		require.ErrorContains(t, err, "generated")
		_, err = m.Query().Insert(ctx, map[string]any{"name": "x", "twice": 1})
		require.ErrorContains(t, err, "generated")
		require.ErrorContains(t, m.SaveColumns(ctx, &plain, "twice"), "generated")
	})
}

// hazard 113: zero values can be written, what is not named stays.
func TestSave_WritesZeroValues(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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

// Affected counts are rows found: MySQL's own count would leave out those that
// had the values already.
func TestUpdate_CountsTheRowsItFound(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE stock (id {id}, name {text}, n {int})`)
		type item struct {
			ID   int64
			Name string
			N    *int
		}
		m := model[item](t, fl.Registry, dbfleet.ModelConfig{Table: "stock"})
		two := 2
		items := []item{{Name: "a", N: &two}, {Name: "b", N: &two}, {Name: "c"}}
		require.NoError(t, m.CreateMany(ctx, items))

		for range 2 {
			n, err := m.WhereIn("name", []string{"a", "b", "zz"}).Update(ctx, map[string]any{"n": 2})
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		}
		require.NoError(t, m.Save(ctx, &items[0]), "nothing changes, the row is there")
		n, err := m.Query().AllRows().Increment(ctx, "n", 3)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = m.Where("name", "=", "a").Decrement(ctx, "n", uint8(1))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 4, *got[0].N)
		require.Equal(t, 5, *got[1].N)
		require.Nil(t, got[2].N, "NULL stays NULL")

		sub := m.Where("name", "=", "b").Select("n")
		n, err = m.Where("name", "=", "c").Update(ctx, map[string]any{"n": dbfleet.SQL("1 + ?", 6), "name": "cc"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		c, err := m.Where("name", "=", "cc").First(ctx)
		require.NoError(t, err)
		require.Equal(t, 7, *c.N)
		if fl.db.Dialect != "mysql" { // which cannot read the table that it updates
			_, err = m.Where("name", "=", "cc").Update(ctx, map[string]any{"n": sub})
			require.NoError(t, err)
		}

		n, err = m.Where("name", "=", "nobody").Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = m.Where("n", ">", 3).Delete(ctx)
		require.NoError(t, err)
		require.Positive(t, n)
		n, err = m.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		left, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, left)
		_ = n
	})
}

// promise: missing WHERE refused. hazard 72: an empty list is no row, and never
// every row.
func TestWrite_WithoutConditionIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE stock (id {id}, n {int})`)
		type item struct {
			ID int64
			N  int
		}
		m := model[item](t, fl.Registry, dbfleet.ModelConfig{Table: "stock"})
		require.NoError(t, m.CreateMany(ctx, []item{{N: 1}, {N: 2}}))
		table := fl.DB("main").Table("stock")

		set := map[string]any{"n": 0}
		none := func(q *dbfleet.Query[item]) *dbfleet.Query[item] { return q }
		for name, q := range map[string]*dbfleet.Query[item]{
			"nothing": m.Query(), "empty group": m.Query().WhereGroup(none), "empty groups": m.Query().WhereGroup(none).OrWhereGroup(none),
			"empty filter": m.Filter(), "empty And": m.Filter(dbfleet.And()),
		} {
			_, err := q.Update(ctx, set)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
			_, err = q.Delete(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
			_, err = q.Increment(ctx, "n", 1)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
		}
		_, err := table.Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		_, err = table.Update(ctx, set)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)

		for name, q := range map[string]*dbfleet.Query[item]{
			"WhereIn": m.WhereIn("id", []int64{}), "WhereIn nil slice": m.WhereIn("id", []int64(nil)), "IN": m.Where("id", "IN", []string{}),
		} {
			n, err := q.Update(ctx, set)
			require.NoError(t, err, name)
			require.Zero(t, n, name)
			n, err = q.Delete(ctx)
			require.NoError(t, err, name)
			require.Zero(t, n, name)
		}
		for name, q := range map[string]*dbfleet.Query[item]{
			"limit": m.Where("n", ">", 0).Limit(1), "order": m.Where("n", ">", 0).OrderBy("n", dbfleet.Asc), "offset": m.Where("n", ">", 0).Offset(1),
			"join": m.Where("n", ">", 0).Join("stock", "stock.id", "=", "stock.id"), "distinct": m.Where("n", ">", 0).Distinct(),
		} {
			var refused *dbfleet.StatementError
			_, err := q.Delete(ctx)
			require.ErrorAs(t, err, &refused, name)
			_, err = q.Update(ctx, set)
			require.ErrorAs(t, err, &refused, name)
		}
		sum, err := m.Query().Sum(ctx, "n")
		require.NoError(t, err)
		require.InDelta(t, 3, sum, 0, "nothing was changed")

		var empty *dbfleet.StatementError
		for _, set := range []map[string]any{nil, {}} {
			_, err := m.Where("id", "=", 1).Update(ctx, set)
			require.ErrorAs(t, err, &empty)
			_, err = m.Query().AllRows().Update(ctx, set)
			require.ErrorAs(t, err, &empty)
		}
		var unknown *dbfleet.UnknownColumnError
		_, err = m.Where("id", "=", 1).Update(ctx, map[string]any{"m": 1})
		require.ErrorAs(t, err, &unknown)
		_, err = m.Where("id", "=", 1).Increment(ctx, "m", 1)
		require.ErrorAs(t, err, &unknown)
		_, err = m.Where("id", "=", 1).Increment(ctx, "n", "one")
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = m.Where("id", "=", 1).Decrement(ctx, "n", "one")
		require.Error(t, err)
	})
}

// hazard 111: Save brings nothing back that was deleted.
func TestSave_OfAMissingRowIsNotFound(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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

// promise: a failed create changes nothing, in the record neither.
func TestCreate_ThatFailsLeavesTheRecordAsItWas(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		require.NoError(t, m.Create(ctx, &gadget{Name: "taken"}))
		again := gadget{Name: "taken"}
		require.ErrorIs(t, m.Create(ctx, &again), dbfleet.ErrUnique)
		require.Equal(t, gadget{Name: "taken"}, again)
		many := []gadget{{Name: "x"}, {Name: "y", Kind: "other"}, {Name: "taken"}}
		require.ErrorIs(t, m.CreateMany(ctx, many), dbfleet.ErrUnique)
		require.Equal(t, []gadget{{Name: "x"}, {Name: "y", Kind: "other"}, {Name: "taken"}}, many)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// unreadable has a default that its field cannot hold.
type unreadable struct {
	ID    int64
	Label string // DEFAULT NULL
}

// A record that is in the database and cannot be read back keeps its key, and
// the error says that it is there; in a transaction it is undone with the rest.
func TestCreate_ThatCannotBeReadBackIsTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE labels (id {id}, label {text})`)
		m := model[unreadable](t, fl.Registry, dbfleet.ModelConfig{Table: "labels", Defaults: []string{"label"}})
		var r unreadable
		err := m.Create(ctx, &r)
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.ErrorContains(t, err, "was created")
		require.Positive(t, r.ID, "the key is known")
		require.Equal(t, 1, count(t, m))
		r = unreadable{}
		err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { return m.Create(ctx, &r) })
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.NotContains(t, err.Error(), "was created")
		require.Zero(t, r, "as it was before")
		require.Equal(t, 1, count(t, m))
		many := []unreadable{{}, {}}
		require.ErrorIs(t, m.CreateMany(ctx, many), dbfleet.ErrNull)
		require.Equal(t, []unreadable{{}, {}}, many)
		require.Equal(t, 1, count(t, m), "several are all there or none")
	})
}

// Keys that are composite, text or UUID are written as they are.
func TestKeys_OfEveryKind(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t,
			`CREATE TABLE seats (hall {int} NOT NULL, seat {int} NOT NULL, guest {text}, PRIMARY KEY (hall, seat))`,
			`CREATE TABLE codes (code VARCHAR(20) PRIMARY KEY, label {text})`,
			`CREATE TABLE docs (id {uuid} PRIMARY KEY, label {text})`)
		type seat struct {
			Hall, Seat int
			Guest      string
		}
		seats := model[seat](t, fl.Registry, dbfleet.ModelConfig{Table: "seats", PrimaryKey: []string{"hall", "seat"}})
		require.NoError(t, seats.CreateMany(ctx, []seat{{0, 0, "zero"}, {0, 1, "a"}, {1, 0, "b"}}))
		b := seat{1, 0, "bb"}
		require.NoError(t, seats.Save(ctx, &b))
		zero := seat{Guest: "changed"}
		require.NoError(t, seats.Save(ctx, &zero), "0 is a value in a composite key")
		got, err := seats.Find(ctx, 0, 0)
		require.NoError(t, err)
		require.Equal(t, zero, got)
		_, err = seats.Find(ctx, 1)
		require.Error(t, err)
		require.NoError(t, seats.Delete(ctx, &b))
		n, err := seats.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "one row was deleted")

		type code struct{ Code, Label string }
		codes := model[code](t, fl.Registry, dbfleet.ModelConfig{Table: "codes", PrimaryKey: []string{"code"}})
		c := code{"DE", "Germany"}
		require.NoError(t, codes.Create(ctx, &c))
		c.Label = "Deutschland"
		require.NoError(t, codes.Save(ctx, &c))
		require.ErrorIs(t, codes.Save(ctx, &code{Code: "XX"}), dbfleet.ErrNotFound)
		require.Error(t, codes.Save(ctx, &code{}), "an empty key finds nothing")
		found, err := codes.Find(ctx, "DE")
		require.NoError(t, err)
		require.Equal(t, c, found)

		type doc struct {
			ID    [16]byte
			Label string
		}
		docs := model[doc](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		d := []doc{{ID: [16]byte{1, 2, 15: 9}, Label: "one"}, {ID: [16]byte{2}, Label: "two"}}
		require.NoError(t, docs.CreateMany(ctx, d))
		d[0].Label = "uno"
		require.NoError(t, docs.Save(ctx, &d[0]))
		for _, want := range d {
			one, err := docs.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, one)
		}
	})
}

// promise 8: timestamps, in UTC and as precise as every database keeps them.
func TestTimestamps_AreSetAndReadBackTheSame(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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
		nm := model[nullable](t, fl.Registry, dbfleet.ModelConfig{Table: "gadgets", Timestamps: true})
		n := nullable{Name: "d"}
		require.NoError(t, nm.Create(ctx, &n))
		require.NotNil(t, n.CreatedAt)
		require.True(t, n.UpdatedAt.Valid)
	})
}

// promise 14: the id of a row inserted without a struct.
func TestInsert_TellsTheID(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE logs (id {id}, line {text}, n {int})`)
		logs := fl.DB("main").Table("logs")
		first, err := logs.Insert(ctx, map[string]any{"line": "a", "n": 1})
		require.NoError(t, err)
		second, err := logs.Insert(ctx, map[string]any{"line": nil})
		require.NoError(t, err)
		require.Greater(t, second.LastInsertID, first.LastInsertID)
		third, err := logs.Insert(ctx, nil)
		require.NoError(t, err, "a row of defaults")
		require.Positive(t, third.LastInsertID)
		row, err := logs.Where("id", "=", second.LastInsertID).First(ctx)
		require.NoError(t, err)
		require.Nil(t, row["line"])

		for i := range 2 { // inserted, then updated
			require.NoError(t, logs.Upsert(ctx, map[string]any{"id": 77, "line": "up", "n": i}, "id"))
		}
		row, err = logs.Where("id", "=", 77).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, row["n"])
		require.NoError(t, logs.Upsert(ctx, map[string]any{"id": 77}, "id"), "nothing to set")
		require.Error(t, logs.Upsert(ctx, map[string]any{"n": 1}, "id"), "the key is not in the row")
		require.Error(t, logs.Upsert(ctx, map[string]any{"id": 1}))
		n, err := logs.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
	})
}

// hazard 345: mass assignment takes the columns that were allowed, and values
// that are values.
func TestFill_TakesFillableColumnsOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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
			"sql": {"name": dbfleet.SQL("CURRENT_USER")},
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

		locked := model[gadget](t, fl.Registry, dbfleet.ModelConfig{Table: "gadgets"})
		var refused *dbfleet.NotFillableError
		require.ErrorAs(t, locked.Fill(&g, map[string]any{"name": "x"}), &refused, "nothing is fillable by default")
	})
}

// hazard 103: a trigger that skips a row leaves no wrong id behind.
func TestCreate_ThatATriggerSkipsIsAnError(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		if fl.db.Dialect == "mysql" {
			return // its triggers can refuse a row, not skip it
		}
		ctx := t.Context()
		fl.create(t, `CREATE TABLE picky (id {id}, name {text})`, `CREATE TABLE keyed (name VARCHAR(20) PRIMARY KEY)`)
		if fl.db.Dialect == "postgres" {
			fl.create(t, `CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.name = 'skip' THEN RETURN NULL; END IF; NEW.name := upper(NEW.name); RETURN NEW; END $$`)
			for _, table := range []string{"picky", "keyed"} {
				fl.create(t, `CREATE TRIGGER skip BEFORE INSERT ON `+table+` FOR EACH ROW EXECUTE FUNCTION skip()`)
			}
		} else {
			for _, table := range []string{"picky", "keyed"} {
				fl.create(t, `CREATE TRIGGER skip_`+table+` BEFORE INSERT ON `+table+` WHEN NEW.name = 'skip' BEGIN SELECT RAISE(IGNORE); END`)
			}
		}
		type picky struct {
			ID   int64
			Name string
		}
		m := model[picky](t, fl.Registry, dbfleet.ModelConfig{Table: "picky"})
		one := picky{Name: "a"}
		require.NoError(t, m.Create(ctx, &one))
		skipped := picky{Name: "skip"}
		require.ErrorContains(t, m.Create(ctx, &skipped), "0 rows")
		require.Zero(t, skipped.ID)
		many := []picky{{Name: "b"}, {Name: "skip"}, {Name: "c"}}
		require.ErrorContains(t, m.CreateMany(ctx, many), "2 rows were inserted for 3 records")
		require.Zero(t, many[0].ID)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "all or none")

		type keyed struct{ Name string }
		k := model[keyed](t, fl.Registry, dbfleet.ModelConfig{Table: "keyed", PrimaryKey: []string{"name"}})
		require.Error(t, k.Create(ctx, &keyed{"skip"}))
		require.Error(t, k.CreateMany(ctx, []keyed{{"x"}, {"skip"}}))
		require.NoError(t, k.Create(context.WithoutCancel(ctx), &keyed{"x"}))
	})
}

// hazard 119: explicit ids do not move PostgreSQL's sequence; the collision is told.
func TestCreate_AfterExplicitIDs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx, m := t.Context(), parcels(t, fl)
		require.NoError(t, m.Create(ctx, &parcel{ID: 1, Name: "a"}))
		next := parcel{Name: "b"}
		err := m.Create(ctx, &next)
		if fl.db.Dialect == "postgres" {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.Zero(t, next.ID)
			err = m.Create(ctx, &next)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, next.ID)
	})
}

// A key that the database makes and that is no number: returned where INSERT can, else
// refused before anything is sent.
func TestCreate_WithAKeyFromTheDatabase(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		def := map[string]string{"sqlite": "(lower(hex(randomblob(8))))", "postgres": "(md5(random()::text))", "mysql": "(UUID())"}[fl.db.Dialect]
		fl.create(t, `CREATE TABLE tokens (id VARCHAR(40) NOT NULL DEFAULT `+def+` PRIMARY KEY, n {int})`)
		type token struct {
			ID string
			N  int
		}
		m := model[token](t, fl.Registry, dbfleet.ModelConfig{Table: "tokens", Defaults: []string{"id"}})
		one, many := token{N: 1}, []token{{N: 2}, {ID: "own", N: 3}, {N: 4}}
		if fl.db.Dialect == "mysql" {
			counts := statements(t, fl.Registry)
			require.ErrorContains(t, m.Create(ctx, &one), "set it before")
			require.ErrorContains(t, m.CreateMany(ctx, many), "set it before")
			require.Zero(t, counts()["insert"])
			one.ID = "x"
			require.NoError(t, m.Create(ctx, &one))
			return
		}
		require.NoError(t, m.Create(ctx, &one))
		require.NoError(t, m.CreateMany(ctx, many))
		for _, want := range append(many, one) {
			require.NotEmpty(t, want.ID)
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
