package values

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type settings struct {
	Theme string            `json:"theme"`
	Sizes []int             `json:"sizes,omitempty"`
	More  map[string]string `json:"more,omitempty"`
}

// hazards 53, 54
func TestJSON_DocumentsNullsAndNumbersStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	type page struct {
		ID   int64
		Conf dbfleet.JSON[*settings]
		Any  dbfleet.JSON[any] `db:"free"`
		Ptr  *dbfleet.JSON[settings]
		Raw  json.RawMessage
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE pages (id {id}, conf {json}, free {json}, ptr {json}, raw {json})`)
		m := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages"})
		big := map[string]any{"n": json.Number("12345678901234567890"), "f": json.Number("0.30000000000000004"), "s": "é😀\"\\", "list": []any{json.Number("1"), nil, true}}
		records := []page{
			{}, // SQL's NULL
			{Conf: dbfleet.JSONOf[*settings](nil), Any: dbfleet.JSONOf[any](nil), Raw: json.RawMessage("null")}, // JSON's null
			{Conf: dbfleet.JSONOf(&settings{}), Any: dbfleet.JSONOf[any](""), Ptr: ptr(dbfleet.JSONOf(settings{})), Raw: json.RawMessage(`""`)},
			{Conf: dbfleet.JSONOf(&settings{"dark", []int{1, 2}, map[string]string{"a": "ü"}}), Any: dbfleet.JSONOf[any](map[string]any{}), Raw: json.RawMessage(`{}`)},
			{Any: dbfleet.JSONOf[any](big), Raw: json.RawMessage(`[1]`)},
			{Any: dbfleet.JSONOf[any]([]any{}), Raw: json.RawMessage(`12345678901234567890`)},
			{Any: dbfleet.JSONOf[any](false), Raw: json.RawMessage(`"text"`)},
		}
		require.NoError(t, m.CreateMany(ctx, records))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, records, got)
		one := page{Any: dbfleet.JSONOf[any](big)}
		require.NoError(t, m.Create(ctx, &one))
		found, err := m.Find(ctx, one.ID)
		require.NoError(t, err)
		require.Equal(t, one, found)
		n, err := m.Query().WhereNull("free").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "JSON's null is not NULL")
		n, err = m.Query().WhereNull("raw").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		// Update and Save.
		_, err = m.Where("id", "=", one.ID).Update(ctx, dbfleet.Row{"free": dbfleet.JSONOf[any]("x"), "raw": json.RawMessage(`{"a": 1}`), "conf": nil})
		require.NoError(t, err)
		found, err = m.Find(ctx, one.ID)
		require.NoError(t, err)
		require.Equal(t, dbfleet.JSONOf[any]("x"), found.Any)
		require.JSONEq(t, `{"a": 1}`, string(found.Raw))
		require.False(t, found.Conf.Valid)
		found.Any = dbfleet.JSON[any]{}
		require.NoError(t, m.Save(ctx, &found))
		found, err = m.Find(ctx, one.ID)
		require.NoError(t, err)
		require.False(t, found.Any.Valid)

		// As text in rows without a struct, on all databases.
		row, err := fl.DB("main").Table("pages").Find(ctx, records[4].ID)
		require.NoError(t, err)
		require.IsType(t, "", row["free"])
		require.JSONEq(t, `{"n": 12345678901234567890, "f": 0.30000000000000004, "s": "é😀\"\\", "list": [1, null, true]}`, row["free"].(string))
		require.Contains(t, row["free"], "12345678901234567890", "no digit is lost")

		// JSON is JSON also in the record's own JSON.
		text, err := json.Marshal(got[4].Any)
		require.NoError(t, err)
		require.Contains(t, string(text), `12345678901234567890`)
		var back dbfleet.JSON[any]
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, got[4].Any, back)
		text, err = json.Marshal(dbfleet.JSON[int]{})
		require.NoError(t, err)
		require.Equal(t, "null", string(text))
	})
}

// hazard 55: JSON columns are text on MariaDB and SQLite, and compare so.
func TestJSON_IsSentAsText(t *testing.T) {
	t.Parallel()
	type page struct {
		ID  int64
		Doc dbfleet.JSON[map[string]int]
		Raw json.RawMessage
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE docs (id {id}, doc {json}, raw {json})`)
		m := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		p := page{Doc: dbfleet.JSONOf(map[string]int{"é": 1}), Raw: json.RawMessage(`{"é":1}`)}
		require.NoError(t, m.Create(ctx, &p))
		for name, q := range map[string]*dbfleet.Query[page]{
			"json": m.Where("doc", "=", p.Doc), "raw": m.Where("raw", "=", p.Raw), "text": m.Where("raw", "=", `{"é":1}`), "bytes": m.Where("raw", "=", []byte(`{"é":1}`)),
		} {
			n, err := q.Count(ctx)
			require.NoError(t, err, name)
			require.EqualValues(t, 1, n, name)
		}
		member := map[string]string{"sqlite": `doc ->> '$.é' = ?`, "postgres": `(doc ->> 'é')::int = ?`, "mysql": `JSON_VALUE(doc, '$.é') = ?`}[fl.Database.Dialect]
		n, err := m.Query().WhereRaw(member, 1).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		// What is no JSON is refused by who reads it, if not by the database.
		_, err = fl.DB("main").Table("docs").Insert(ctx, dbfleet.Row{"doc": "{"})
		if fl.Database.Dialect == "sqlite" {
			require.NoError(t, err)
			_, err = m.Query().WhereNull("raw").Get(ctx)
			require.Error(t, err)
			require.ErrorContains(t, err, `"doc"`)
		} else {
			require.Error(t, err)
		}
		type odd struct {
			ID  int64
			Doc dbfleet.JSON[map[string]any]
		}
		o := conformance.Model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		err = o.Create(ctx, &odd{Doc: dbfleet.JSONOf(map[string]any{"f": func() {}})})
		require.ErrorContains(t, err, `"doc"`)
		type wrong struct {
			ID  int64
			Doc dbfleet.JSON[[]string]
		}
		_, err = conformance.Model[wrong](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"}).Find(ctx, p.ID)
		var ce *dbfleet.ColumnError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "doc", ce.Column)
		require.NotContains(t, err.Error(), "é", "no value in an error")
	})
}
