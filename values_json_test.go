package dbfleet_test

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE pages (id {id}, conf {json}, free {json}, ptr {json}, raw {json})`)
		m := model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages"})
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE docs (id {id}, doc {json}, raw {json})`)
		m := model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		p := page{Doc: dbfleet.JSONOf(map[string]int{"é": 1}), Raw: json.RawMessage(`{"é":1}`)}
		require.NoError(t, m.Create(ctx, &p))
		for name, q := range map[string]*dbfleet.Query[page]{
			"json": m.Where("doc", "=", p.Doc), "raw": m.Where("raw", "=", p.Raw), "text": m.Where("raw", "=", `{"é":1}`), "bytes": m.Where("raw", "=", []byte(`{"é":1}`)),
		} {
			n, err := q.Count(ctx)
			require.NoError(t, err, name)
			require.EqualValues(t, 1, n, name)
		}
		member := map[string]string{"sqlite": `doc ->> '$.é' = ?`, "postgres": `(doc ->> 'é')::int = ?`, "mysql": `JSON_VALUE(doc, '$.é') = ?`}[fl.db.Dialect]
		n, err := m.Query().WhereRaw(member, 1).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		// What is no JSON is refused by who reads it, if not by the database.
		_, err = fl.DB("main").Table("docs").Insert(ctx, dbfleet.Row{"doc": "{"})
		if fl.db.Dialect == "sqlite" {
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
		o := model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"})
		err = o.Create(ctx, &odd{Doc: dbfleet.JSONOf(map[string]any{"f": func() {}})})
		require.ErrorContains(t, err, `"doc"`)
		type wrong struct {
			ID  int64
			Doc dbfleet.JSON[[]string]
		}
		_, err = model[wrong](t, fl.Registry, dbfleet.ModelConfig{Table: "docs"}).Find(ctx, p.ID)
		var ce *dbfleet.ColumnError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "doc", ce.Column)
		require.NotContains(t, err.Error(), "é", "no value in an error")
	})
}

type uid [16]byte

// hazard 52
func TestUUIDs_InEveryFormAndColumn(t *testing.T) {
	t.Parallel()
	type thing struct {
		ID   int64
		A    [16]byte
		B    uid
		C    string
		D    *[16]byte
		E    sql.Null[uid]
		Bin  []byte
		Text [16]byte
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE things (id {id}, a {uuid}, b {uuid}, c {uuid}, d {uuid}, e {uuid}, bin `+
			map[string]string{"sqlite": "BLOB", "postgres": "BYTEA", "mysql": "BINARY(16)"}[fl.db.Dialect]+`, text {text})`)
		m := model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
		u := [16]byte{0x01, 0x92, 0xfe, 0, 0x10, 0x20, 0x70, 0x40, 0x80, 0x50, 0x60, 0x70, 0xff, 'a', 0, 1}
		const text = "0192fe00-1020-7040-8050-6070ff610001"
		x := thing{A: u, B: u, C: text, D: &u, E: sql.Null[uid]{V: u, Valid: true}, Bin: u[:], Text: u}
		require.NoError(t, m.Create(ctx, &x))
		got, err := m.Find(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		row, err := fl.DB("main").Table("things").Find(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"id": x.ID, "a": text, "b": text, "c": text, "d": text, "e": text, "bin": u[:], "text": text}, row, "one byte order everywhere")
		for _, column := range []string{"a", "b", "c", "d", "e", "text"} {
			for name, v := range map[string]any{
				"array": u, "type": uid(u), "text": text, "pointer": &u, "upper": "0192FE00-1020-7040-8050-6070FF610001", "bare": "0192fe0010207040805060" + "70ff610001",
			} {
				if column == "c" && (name == "bare" || name == "upper" && fl.db.Dialect == "sqlite") {
					continue // a string field takes text as it is
				}
				n, err := m.Where(column, "=", v).Count(ctx)
				require.NoError(t, err, "%s as %s", column, name)
				require.EqualValues(t, 1, n, "%s as %s", column, name)
			}
			n, err := m.WhereIn(column, []uid{u, {}}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			n, err = m.WhereIn(column, []string{text}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		n, err := m.Where("bin", "=", u[:]).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Where("a", "=", "no uuid").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = m.Where("a", "=", 5).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
		all, err := dbfleet.Pluck[uid](ctx, m, "a")
		require.NoError(t, err)
		require.Equal(t, []uid{u}, all)
		// From binary columns too.
		type binary struct {
			ID  int64
			Bin [16]byte
		}
		b, err := dbfleet.Table[binary](fl.DB("main"), "things").First(ctx)
		require.NoError(t, err)
		require.Equal(t, u, b.Bin)
		fl.create(t, "UPDATE things SET text = 'no uuid'")
		_, err = m.Find(ctx, x.ID)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `"text"`)
	})
}

type color string

// hazards 56, 58
func TestPostgres_ArraysEnumsAndTypesOfItsOwn(t *testing.T) {
	t.Parallel()
	type basket struct {
		ID     int64
		Tags   []string        `db:"tags"`
		Nums   []int64         `db:"nums"`
		Maybe  []*string       `db:"maybe"`
		Flags  []bool          `db:"flags"`
		Floats []float64       `db:"floats"`
		Days   []color         `db:"colors"`
		UUIDs  [][16]byte      `db:"uuids"`
		Color  color           `db:"color"`
		Small  sql.Null[int32] `db:"domained"`
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		if fl.db.Dialect != "postgres" {
			// There are no arrays: told before anything is sent.
			fl.create(t, `CREATE TABLE baskets (id {id}, tags {text}, nums {text})`)
			type small struct {
				ID   int64
				Tags []string `db:"tags"`
			}
			m := model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "baskets"})
			require.ErrorIs(t, m.Create(ctx, &small{Tags: []string{"a"}}), dbfleet.ErrType)
			fl.create(t, `INSERT INTO baskets (tags) VALUES ('{a}')`)
			_, err := m.First(ctx)
			require.ErrorIs(t, err, dbfleet.ErrType)
			return
		}
		// The connection is open before the types exist.
		require.NoError(t, fl.DB("main").Ping(ctx))
		fl.create(t, `CREATE TYPE color AS ENUM ('red', 'deep "blue", dark')`, `CREATE DOMAIN small AS int CHECK (VALUE < 100)`, `CREATE TYPE pair AS (a int, b text)`,
			`CREATE TABLE baskets (id {id}, tags text[], nums bigint[], maybe text[], flags boolean[], floats float8[], colors color[], uuids uuid[], color color NOT NULL, domained small, p pair)`)
		m := model[basket](t, fl.Registry, dbfleet.ModelConfig{Table: "baskets"})
		words := []string{"", " ", "a b", `qu"ote`, `back\slash`, "com,ma", "{brace}", "NULL", "null", "é😀", "tab\t", "new\nline", "'single'"}
		u := [16]byte{1, 2, 3}
		records := []basket{
			{Color: "red"},
			{Tags: []string{}, Nums: []int64{}, Maybe: []*string{}, Flags: []bool{}, Floats: []float64{}, Days: []color{}, UUIDs: [][16]byte{}, Color: "red"},
			{Tags: words, Nums: []int64{-1 << 63, 0, 1<<63 - 1}, Maybe: []*string{nil, ptr("NULL"), ptr(""), nil}, Flags: []bool{true, false}, Floats: []float64{0.1, -1e300},
				Days: []color{`deep "blue", dark`, "red"}, UUIDs: [][16]byte{u, {}}, Color: `deep "blue", dark`, Small: sql.Null[int32]{V: 99, Valid: true}},
		}
		for range 2 {
			for i := range records {
				records[i].ID = 0
			}
			require.NoError(t, m.CreateMany(ctx, records))
			for _, r := range records {
				got, err := m.Find(ctx, r.ID)
				require.NoError(t, err)
				require.Equal(t, r, got)
				require.NoError(t, m.Save(ctx, &got))
			}
			// A value is added while statements are prepared.
			fl.create(t, `ALTER TYPE color ADD VALUE IF NOT EXISTS 'green'`)
			g := basket{Color: "green", Days: []color{"green"}}
			require.NoError(t, m.Create(ctx, &g))
			got, err := m.Find(ctx, g.ID)
			require.NoError(t, err)
			require.Equal(t, g, got)
		}
		n, err := m.Where("color", "=", "green").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = m.WhereIn("color", []color{"green", "red"}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
		n, err = m.Where("tags", "=", words).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = m.Query().WhereRaw("? = ANY(tags)", `qu"ote`).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = m.Query().WhereRaw("nums && ?", []int64{0}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = m.Where("id", "=", records[0].ID).Update(ctx, dbfleet.Row{"tags": []string{"x"}, "nums": nil})
		require.NoError(t, err)
		require.ErrorIs(t, m.Create(ctx, &basket{Color: "mauve"}), dbfleet.ErrInvalidValue)
		require.ErrorIs(t, m.Create(ctx, &basket{Color: "red", Small: sql.Null[int32]{V: 100, Valid: true}}), dbfleet.ErrCheck)

		// Types that nobody knows are text.
		fl.create(t, `UPDATE baskets SET p = ROW(1, 'x y'), tags = '{{a,b},{c,d}}' WHERE id = 1`)
		row, err := fl.DB("main").Table("baskets").Select("p", "color", "colors", "domained", "tags").Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"p": `(1,"x y")`, "color": "red", "colors": nil, "domained": nil, "tags": "{{a,b},{c,d}}"}, row)
		_, err = m.Find(ctx, 1)
		require.Error(t, err, "nested arrays are told, not flattened")
		require.ErrorContains(t, err, `"tags"`)
		// NULL elements for a type that cannot hold them.
		fl.create(t, `UPDATE baskets SET tags = '{a,NULL}' WHERE id = 1`)
		_, err = m.Find(ctx, 1)
		require.ErrorIs(t, err, dbfleet.ErrNull)
	})
}
