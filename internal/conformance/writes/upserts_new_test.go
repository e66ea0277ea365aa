package writes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type pair struct {
	ID    int64
	Email string
	N     int
}

func importedPairs(t *testing.T, fl conformance.Fleet) *dbfleet.Model[pair] {
	t.Helper()
	fl.Create(t, `CREATE TABLE twos (id {id}, email VARCHAR(10) NOT NULL UNIQUE, n {int} NOT NULL)`)
	m := conformance.Model[pair](t, fl.Registry, dbfleet.ModelConfig{Table: "twos"})
	// Rows that were imported with their ids, as by every copy of another database.
	require.NoError(t, m.CreateMany(t.Context(), []pair{{1, "a", 1}, {2, "b", 2}, {3, "c", 3}}))
	return m
}

// truth 611
// A record without an id is new: an upsert of it must not overwrite whatever row has
// the id that the sequence gives next. Create says ErrUnique there.
func TestUpsert_OfARecordWithoutAKeyOverwritesNoRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := importedPairs(t, fl)
		fresh := pair{Email: "new", N: 9}
		err := m.Upsert(t.Context(), &fresh, dbfleet.Conflict{})
		if err != nil {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
		}
		got, err := m.Find(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, pair{1, "a", 1}, got)
	})
}

// truth 611
func TestUpsertMany_OfRecordsWithoutAKeyOverwritesNoRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := importedPairs(t, fl)
		err := m.UpsertMany(t.Context(), []pair{{3, "c", 30}, {0, "new", 9}, {0, "newer", 9}}, dbfleet.Conflict{})
		if err != nil {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
		}
		got, err := m.WhereIn("id", []int{1, 2}).OrderBy("id", dbfleet.Asc).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []pair{{1, "a", 1}, {2, "b", 2}}, got)
	})
}

// truth 611
// Two records of one call, one of them with the id that the sequence gives to the other.
func TestUpsertMany_LosesNoRecordOfItsOwn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE twos (id {id}, email VARCHAR(10) NOT NULL UNIQUE, n {int} NOT NULL)`)
		m := conformance.Model[pair](t, fl.Registry, dbfleet.ModelConfig{Table: "twos"})
		for _, rs := range [][]pair{{{1, "one", 1}, {0, "new", 2}}, {{0, "x", 1}, {2, "y", 2}, {0, "z", 3}}} {
			want := int64(0) // of each, if one is refused
			if m.UpsertMany(t.Context(), rs, dbfleet.Conflict{}) == nil {
				want = 1
			}
			for _, r := range rs {
				n, err := m.Where("email", "=", r.Email).Count(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, n, "%v", rs)
			}
		}
	})
}

// truth 611
// DoNothing of a new record whose id the sequence gives again: what did not happen is
// not "no row found".
func TestUpsert_DoNothingOfARecordWithoutAKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := importedPairs(t, fl)
		fresh := pair{Email: "new", N: 9}
		if err := m.Upsert(t.Context(), &fresh, dbfleet.Conflict{DoNothing: true}); err != nil {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
		}
	})
}

// truth 612
// A record all of whose columns are left to the database is upserted as it is created.
func TestUpsert_OfARecordOfDefaults(t *testing.T) {
	t.Parallel()
	type counted struct{ ID, A int64 }
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE defaulted (id {id}, a {bigint} NOT NULL DEFAULT 4)`)
		m := conformance.Model[counted](t, fl.Registry, dbfleet.ModelConfig{Table: "defaulted", Defaults: []string{"a"}})
		require.NoError(t, m.Create(t.Context(), &counted{}))
		for _, c := range []dbfleet.Conflict{{}, {DoNothing: true}} {
			require.NotPanics(t, func() {
				one, many := counted{}, []counted{{}, {A: 5}, {ID: 700}}
				require.NoError(t, m.Upsert(t.Context(), &one, c))
				require.Positive(t, one.ID)
				require.NoError(t, m.UpsertMany(t.Context(), many, c))
			})
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// truth 324
// Keys that the database makes are not the same because they are all zero in Go.
func TestUpsertMany_OfKeysThatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	type token struct{ ID, Name string }
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE tokens (id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(8)))), name TEXT)`,
			"postgres": `CREATE TABLE tokens (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), name TEXT)`,
			"mysql":    `CREATE TABLE tokens (id UUID PRIMARY KEY DEFAULT UUID(), name TEXT)`}[fl.Database.Dialect])
		m := conformance.Model[token](t, fl.Registry, dbfleet.ModelConfig{Table: "tokens", Defaults: []string{"id"}})
		one := token{Name: "a"}
		require.NoError(t, m.Upsert(t.Context(), &one, dbfleet.Conflict{}), "one by one they are upserted")
		require.NotEmpty(t, one.ID)
		many := []token{{Name: "b"}, {Name: "c"}}
		require.NoError(t, m.CreateMany(t.Context(), many))
		many = []token{{Name: "d"}, {Name: "e"}}
		require.NoError(t, m.UpsertMany(t.Context(), many, dbfleet.Conflict{}))
		require.NotEqual(t, many[0].ID, many[1].ID)
	})
}
