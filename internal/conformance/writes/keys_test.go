package writes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Keys that are composite, text or UUID are written as they are.
func TestKeys_OfEveryKind(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t,
			`CREATE TABLE seats (hall {int} NOT NULL, seat {int} NOT NULL, guest {text}, PRIMARY KEY (hall, seat))`,
			`CREATE TABLE codes (code VARCHAR(20) PRIMARY KEY, label {text})`,
			`CREATE TABLE docs (id {uuid} PRIMARY KEY, label {text})`)
		type seat struct {
			Hall, Seat int
			Guest      string
		}
		seats := conformance.Model[seat](t, fl.Registry, dbfleet.ModelConfig{Table: "seats", PrimaryKey: []string{"hall", "seat"}})
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
		codes := conformance.Model[code](t, fl.Registry, dbfleet.ModelConfig{Table: "codes", PrimaryKey: []string{"code"}})
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
		docs := conformance.Model[doc](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
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

// promise 14: the id of a row inserted without a struct.
func TestInsert_TellsTheID(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE logs (id {id}, line {text}, n {int})`)
		logs := fl.DB("main").Table("logs")
		first, err := logs.Insert(ctx, map[string]any{"line": "a", "n": 1})
		require.NoError(t, err)
		second, err := logs.Insert(ctx, map[string]any{"line": nil})
		require.NoError(t, err)
		require.Greater(t, second.LastInsertID, first.LastInsertID)
		third, err := logs.Insert(ctx, dbfleet.Row{})
		require.NoError(t, err, "a row of defaults")
		require.Positive(t, third.LastInsertID)
		row, err := logs.Where("id", "=", second.LastInsertID).First(ctx)
		require.NoError(t, err)
		require.Nil(t, row["line"])

		for i := range 2 { // inserted, then updated
			require.NoError(t, logs.Upsert(ctx, map[string]any{"id": 77, "line": "up", "n": i}, dbfleet.Conflict{Key: []string{"id"}}))
		}
		row, err = logs.Where("id", "=", 77).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, row["n"])
		require.NoError(t, logs.Upsert(ctx, map[string]any{"id": 77, "line": "up"}), "by the column id")
		require.NoError(t, logs.Upsert(ctx, map[string]any{"id": 77}, dbfleet.Conflict{Key: []string{"id"}}), "nothing to set")
		require.Error(t, logs.Upsert(ctx, map[string]any{"n": 1}, dbfleet.Conflict{Key: []string{"id"}}), "the key is not in the row")
		require.ErrorContains(t, logs.Upsert(ctx, map[string]any{"line": "x"}), `the key column "id" is not in the row`)
		n, err := logs.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
	})
}

// hazard 119: explicit ids do not move PostgreSQL's sequence; the collision is told.
func TestCreate_AfterExplicitIDs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), parcels(t, fl)
		require.NoError(t, m.Create(ctx, &parcel{ID: 1, Name: "a"}))
		next := parcel{Name: "b"}
		err := m.Create(ctx, &next)
		if fl.Database.Dialect == "postgres" {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.Zero(t, next.ID)
			err = m.Create(ctx, &next)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, next.ID)
	})
}

// truth 604
// A key that the database makes and that is no number.
func TestCreate_WithAKeyFromTheDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		def := map[string]string{"sqlite": "(lower(hex(randomblob(8))))", "postgres": "(md5(random()::text))", "mysql": "(UUID())"}[fl.Database.Dialect]
		fl.Create(t, `CREATE TABLE tokens (id VARCHAR(40) NOT NULL DEFAULT `+def+` PRIMARY KEY, n {int})`)
		type token struct {
			ID string
			N  int
		}
		m := conformance.Model[token](t, fl.Registry, dbfleet.ModelConfig{Table: "tokens", Defaults: []string{"id"}})
		one, many := token{N: 1}, []token{{N: 2}, {ID: "own", N: 3}, {N: 4}}
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

// hazard 119: ids that were given explicitly are no surprise, or a typed one.
func TestHazard_AnExplicitIDThatASequenceGivesAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.PurchasesTable)
		purchases := conformance.Model[conformance.Purchase](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"})
		require.NoError(t, purchases.Create(t.Context(), &conformance.Purchase{ID: 1}))
		next := conformance.Purchase{}
		err := purchases.Create(t.Context(), &next)
		if fl.Database.Dialect == "postgres" { // whose sequence does not know of it
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.Zero(t, next.ID)
			err = purchases.Create(t.Context(), &next)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, next.ID)
	})
}

// Find takes what Where takes for its key.
func TestModel_FindsByAKeyGivenAsSQL(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, usersTable)
		users := conformance.Model[user](t, fl.Registry, dbfleet.ModelConfig{Table: "users", Timestamps: true})
		u := user{Name: "Ada"}
		require.NoError(t, users.Create(ctx, &u))
		got, err := users.Find(ctx, dbfleet.Raw("? + 0", u.ID))
		require.NoError(t, err)
		require.Equal(t, u, got)
		_, err = users.Find(ctx, "not a number")
		require.ErrorIs(t, err, dbfleet.ErrType)
	})
}
