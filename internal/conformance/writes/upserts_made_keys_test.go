package writes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type mailByCase struct {
	ID         int64
	Email, Low string
}

func mailsByCase(t *testing.T, fl conformance.Fleet) *dbfleet.Model[mailByCase] {
	t.Helper()
	fl.Create(t, `CREATE TABLE mails (id {id}, email VARCHAR(30) NOT NULL, low VARCHAR(30) GENERATED ALWAYS AS (LOWER(email)) STORED UNIQUE)`,
		`INSERT INTO mails (id, email) VALUES (1, 'A'), (2, 'B')`)
	return conformance.Model[mailByCase](t, fl.Registry, dbfleet.ModelConfig{Table: "mails", Generated: []string{"low"}})
}

// truth 324, 325
// The conflict's key is a generated column, as for emails that are unique whatever
// their case. Records do not know its value: what they hold decides nothing.
func TestUpsert_ByAGeneratedColumn(t *testing.T) {
	t.Parallel()
	byLow := dbfleet.Conflict{Key: []string{"low"}}
	nothing := dbfleet.Conflict{Key: []string{"low"}, DoNothing: true}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := mailsByCase(t, fl), t.Context()
		t.Run("update", func(t *testing.T) {
			r := mailByCase{Email: "a"}
			require.NoError(t, m.Upsert(ctx, &r, byLow))
			require.EqualValues(t, 1, r.ID)
		})
		for claim, r := range map[string]mailByCase{"nothing": {Email: "a"}, "nothing, and the record has an old value": {Email: "a", Low: "b"}} {
			t.Run(claim, func(t *testing.T) {
				err := m.Upsert(ctx, &r, nothing)
				if fl.Database.Dialect == "mysql" {
					require.NoError(t, err)
					require.EqualValues(t, 1, r.ID, "not the row of the value that the record has")
					return
				}
				var fault *dbfleet.StatementError
				require.ErrorAs(t, err, &fault)
				require.ErrorContains(t, err, "low")
				require.Zero(t, r.ID)
			})
		}
		t.Run("many", func(t *testing.T) {
			require.NoError(t, m.UpsertMany(ctx, []mailByCase{{Email: "a"}, {Email: "b"}}, byLow))
		})
		t.Run("many that are the same", func(t *testing.T) {
			var same *dbfleet.SameRowError
			require.ErrorAs(t, m.UpsertMany(ctx, []mailByCase{{Email: "a", Low: "x"}, {Email: "A", Low: "y"}}, byLow), &same)
		})
	})
}

// truth 324, 325
// The conflict's key is left to its default. The row is the one with the default, not
// the one with the record's zero value.
func TestUpsert_ByAKeyWithADefault(t *testing.T) {
	t.Parallel()
	type code struct {
		ID   int64
		Code string
		N    int
	}
	nothing := dbfleet.Conflict{Key: []string{"code"}, DoNothing: true}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE codes (id {id}, code VARCHAR(30) NOT NULL DEFAULT 'dflt' UNIQUE, n {int} NOT NULL)`,
			`INSERT INTO codes (id, code, n) VALUES (500, 'dflt', 1), (600, '', 2)`)
		m := conformance.Model[code](t, fl.Registry, dbfleet.ModelConfig{Table: "codes", Defaults: []string{"code"}})
		r := code{N: 5}
		require.NoError(t, m.Upsert(t.Context(), &r, dbfleet.Conflict{Key: []string{"code"}}))
		require.EqualValues(t, 500, r.ID, "which the database has updated")
		r = code{N: 6}
		err := m.Upsert(t.Context(), &r, nothing)
		if fl.Database.Dialect == "mysql" {
			require.NoError(t, err)
			require.EqualValues(t, 500, r.ID, "which the database has left as it was")
		} else {
			require.ErrorContains(t, err, "code")
			require.Zero(t, r.ID)
		}
		var same *dbfleet.SameRowError
		require.ErrorAs(t, m.UpsertMany(t.Context(), []code{{N: 7}, {Code: "dflt", N: 8}}, dbfleet.Conflict{Key: []string{"code"}}), &same)
	})
}
