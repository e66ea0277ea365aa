package language

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// The ways that docs/language.md names where databases differ.

func TestLimits_TextsOfDocumentsAreToldInGroupsByWhatIsBehindThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, "CREATE TABLE notes (id {id}, doc {json})")
		type note struct {
			ID  int64
			Doc json.RawMessage
		}
		m, ctx := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"}), t.Context()
		require.NoError(t, m.CreateMany(ctx, []note{{Doc: json.RawMessage(`{"s":"a"}`)}, {Doc: json.RawMessage(`{"s":"a "}`)}, {Doc: json.RawMessage(`{"s":"a"}`)}}))
		path := dbfleet.JSONPath[string](dbfleet.Field(m, func(n *note) *json.RawMessage { return &n.Doc }), "s")
		groups, err := dbfleet.Pluck[string](ctx, m.Query().SelectValue(dbfleet.Concat(path, dbfleet.Value("|")), "text").SelectCount("n").GroupBy("text").OrderBy("n", dbfleet.Desc), "text")
		require.NoError(t, err)
		require.Equal(t, []string{"a|", "a |"}, groups)
	})
}

func TestLimits_AComputedColumnOfSQLiteHasATypeToBeFoundByADecimal(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, "CREATE TABLE prices (id {id}, price NUMERIC NOT NULL, bare AS (price * 2), twice NUMERIC AS (price * 2))",
		"CREATE VIEW doubles AS SELECT id, CAST(price * 2 AS NUMERIC) AS twice, price * 2 AS bare FROM prices", "INSERT INTO prices (price) VALUES (3), (4)")
	for _, table := range []string{"prices", "doubles"} {
		for column, want := range map[string][]int64{"twice": {1}, "bare": {}} {
			ids, err := dbfleet.Pluck[int64](t.Context(), fl.DB("main").Table(table).Where(column, "=", "6"), "id")
			require.NoError(t, err)
			require.ElementsMatch(t, want, ids, "%s.%s", table, column)
		}
	}
}
