package values

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect != "postgres" {
			// There are no arrays: told before anything is sent.
			fl.Create(t, `CREATE TABLE baskets (id {id}, tags {text}, nums {text})`)
			type small struct {
				ID   int64
				Tags []string `db:"tags"`
			}
			m := conformance.Model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "baskets"})
			require.ErrorIs(t, m.Create(ctx, &small{Tags: []string{"a"}}), dbfleet.ErrType)
			fl.Create(t, `INSERT INTO baskets (tags) VALUES ('{a}')`)
			_, err := m.First(ctx)
			require.ErrorIs(t, err, dbfleet.ErrType)
			return
		}
		// The connection is open before the types exist.
		require.NoError(t, fl.DB("main").Ping(ctx))
		fl.Create(t, `CREATE TYPE color AS ENUM ('red', 'deep "blue", dark')`, `CREATE DOMAIN small AS int CHECK (VALUE < 100)`, `CREATE TYPE pair AS (a int, b text)`,
			`CREATE TABLE baskets (id {id}, tags text[], nums bigint[], maybe text[], flags boolean[], floats float8[], colors color[], uuids uuid[], color color NOT NULL, domained small, p pair)`)
		m := conformance.Model[basket](t, fl.Registry, dbfleet.ModelConfig{Table: "baskets"})
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
			fl.Create(t, `ALTER TYPE color ADD VALUE IF NOT EXISTS 'green'`)
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
		fl.Create(t, `UPDATE baskets SET p = ROW(1, 'x y'), tags = '{{a,b},{c,d}}' WHERE id = 1`)
		row, err := fl.DB("main").Table("baskets").Select("p", "color", "colors", "domained", "tags").Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"p": `(1,"x y")`, "color": "red", "colors": nil, "domained": nil, "tags": "{{a,b},{c,d}}"}, row)
		_, err = m.Find(ctx, 1)
		require.Error(t, err, "nested arrays are told, not flattened")
		require.ErrorContains(t, err, `"tags"`)
		// NULL elements for a type that cannot hold them.
		fl.Create(t, `UPDATE baskets SET tags = '{a,NULL}' WHERE id = 1`)
		_, err = m.Find(ctx, 1)
		require.ErrorIs(t, err, dbfleet.ErrNull)
	})
}
