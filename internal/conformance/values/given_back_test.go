package values

import (
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// refusedColumn says that a read was refused, by table or model, column and reason.
func refusedColumn(t *testing.T, err error, column, reason string) {
	t.Helper()
	var ce *dbfleet.ColumnError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, column, ce.Column)
	require.ErrorIs(t, err, dbfleet.ErrRange)
	require.ErrorContains(t, err, reason)
}

// truth 416
func TestArrays_AreStoredByRawSQLAsTheirTextSays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "postgres" {
			return
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE grids (id BIGINT PRIMARY KEY, v INT[], words TEXT[])`)
		db := fl.DB("main")
		const nested = "{{1,2},{3,4}}"
		for id, v := range []any{nested, sql.NullString{String: nested, Valid: true}, &sql.NullString{String: nested, Valid: true}, sql.Null[string]{V: nested, Valid: true}, written(nested)} {
			_, err := db.ExecContext(ctx, "INSERT INTO grids (id, v) VALUES ($1, $2)", id, v)
			require.NoError(t, err)
			var text string
			require.NoError(t, db.QueryRowContext(ctx, "SELECT v::text FROM grids WHERE id = $1 AND v = $2", id, v).Scan(&text), "%T", v)
			require.Equal(t, nested, text, "%T", v)
		}
		_, err := db.ExecContext(ctx, "INSERT INTO grids (id, v) VALUES (90, $1)", sql.NullString{})
		require.NoError(t, err)
		type doc struct{ A int }
		_, err = db.ExecContext(ctx, "INSERT INTO grids (id, words) VALUES (91, $1)", dbfleet.JSONOf(doc{}))
		require.Error(t, err, "a document is no array")
		n, err := db.Table("grids").Where("id", "=", 91).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// written writes itself as text.
type written string

func (w written) Value() (driver.Value, error) { return string(w), nil }

// truth 416
func TestArrays_OfBytesAreNotReadAsTexts(t *testing.T) {
	t.Parallel()
	type row struct {
		ID int64
		V  []string `db:"v"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "postgres" {
			return
		}
		fl.Create(t, `CREATE TABLE parts (id BIGINT PRIMARY KEY, v BYTEA[])`, `INSERT INTO parts VALUES (1, '{"\\x61"}'), (2, NULL)`)
		m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "parts"})
		_, err := m.Find(t.Context(), 1)
		refusedColumn(t, err, "v", "bytes in a _bytea, which a []string would not give back")
		_, err = m.Find(t.Context(), 2)
		require.NoError(t, err)
	})
}

// truth 417
func TestJSON_NullIsReadByWhatWritesIt(t *testing.T) {
	t.Parallel()
	type doc struct{ A string }
	type narrow struct {
		ID int64
		V  dbfleet.JSON[doc]
	}
	type wide struct {
		ID int64
		V  dbfleet.JSON[*doc]
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE docs (id {id}, v {json})`, `INSERT INTO docs (id, v) VALUES (1, 'null'), (2, NULL), (3, '{"A":"x"}')`)
		m := conformance.Model[narrow](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		_, err := m.Find(ctx, 1)
		refusedColumn(t, err, "v", "JSON's null")
		for id, want := range map[int64]dbfleet.JSON[doc]{2: {}, 3: dbfleet.JSONOf(doc{"x"})} {
			got, err := m.Find(ctx, id)
			require.NoError(t, err)
			require.Equal(t, want, got.V)
		}
		texts, err := dbfleet.Pluck[dbfleet.JSON[doc]](ctx, m.Where("id", "=", 1), "v")
		require.NoError(t, err, "what is not written back")
		require.Len(t, texts, 1)
		w := conformance.Model[wide](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		got, err := w.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, dbfleet.JSONOf[*doc](nil), got.V)
		require.NoError(t, w.Save(ctx, &got))
		_, err = w.Find(ctx, 1)
		require.NoError(t, err)
	})
}
