package queries

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// quotesOf quotes names as the database of a test does, apart from the library.
func quotesOf(fl conformance.Fleet) func(name string) string {
	q := map[string]string{"sqlite": `"`, "postgres": `"`, "mysql": "`"}[fl.Database.Dialect]
	return func(name string) string { return q + strings.ReplaceAll(name, q, q+q) + q }
}

// truth 123
func TestNames_AModelHasColumnsOfAnyName(t *testing.T) {
	t.Parallel()
	type odd struct {
		ID     int64
		Single string `db:"it's"`
		Double string `db:"dou\"ble"`
		Back   string "db:\"back`tick\""
		Lead   string `db:" lead"`
		Comma  string `db:"last, first"`
		Line   string `db:"two\nlines"`
		Tab    string `db:"a\tb"`
		Semi   string `db:"'; DROP TABLE odd; --"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		quote := quotesOf(fl)
		names := []string{"it's", `dou"ble`, "back`tick", " lead", "last, first", "two\nlines", "a\tb", "'; DROP TABLE odd; --"}
		columns := "id {id}"
		for _, n := range names {
			columns += ", " + quote(n) + " {text} NOT NULL"
		}
		fl.Create(t, "CREATE TABLE odd ("+columns+")")
		m, err := dbfleet.NewModel[odd](fl.Registry, dbfleet.ModelConfig{Table: "odd", Fillable: names, Defaults: names[:1]})
		require.NoError(t, err)
		row := odd{Single: "a", Double: "b", Back: "c", Lead: "d", Comma: "e", Line: "f", Tab: "g", Semi: "h"}
		require.NoError(t, m.Create(ctx, &row))
		other := row
		other.ID = 0
		require.NoError(t, m.CreateMany(ctx, []odd{other, other}))
		got, err := m.Find(ctx, row.ID)
		require.NoError(t, err)
		require.Equal(t, row, got)
		for i, n := range names {
			was := string(rune('a' + i))
			require.NoError(t, m.Fill(&got, map[string]any{n: was + "!"}))
			require.NoError(t, m.Save(ctx, &got))
			found, err := m.Where(n, "=", was+"!").WhereNotNull("odd."+n).OrderBy(n, dbfleet.Desc).Get(ctx)
			require.NoError(t, err, n)
			require.Equal(t, []odd{got}, found, n)
			found, err = m.Query().As("o").Join("odd AS p", "p."+n, "=", "o."+n).Where("p.id", "=", got.ID).OrderBy(n, dbfleet.Asc).Get(ctx)
			require.NoError(t, err, n)
			require.Equal(t, []odd{got}, found, n)
			plucked, err := dbfleet.Pluck[string](ctx, m.Select(n).GroupBy(n).Having(n, "<>", was), n)
			require.NoError(t, err, n)
			require.Equal(t, []string{was + "!"}, plucked, n)
			plucked, err = dbfleet.Pluck[string](ctx, m.Query().SelectAs("id", "too "+n).SelectAs(n, "n").OrderBy("too "+n, dbfleet.Asc).Limit(1), n)
			require.NoError(t, err, n)
			require.Equal(t, []string{was + "!"}, plucked, n)
			highest, err := dbfleet.Max[string](ctx, m, n)
			require.NoError(t, err, n)
			require.Equal(t, was+"!", highest)
			k, err := m.Where("id", "=", got.ID).Update(ctx, map[string]any{n: was})
			require.NoError(t, err, n)
			require.EqualValues(t, 1, k)
			require.NoError(t, m.Fill(&got, map[string]any{n: was}))
		}
		require.NoError(t, m.Upsert(ctx, &got, dbfleet.Conflict{Key: []string{"id"}}))
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
	})
}

type twin struct {
	ID    int64
	Upper string `db:"Name"`
	Lower string `db:"name"`
	Ends  string `db:"end "`
}

// truth 124
func TestNames_ColumnsMayDifferInCaseWhereTheDatabaseTellsThemApart(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, err := dbfleet.NewModel[twin](fl.Registry, dbfleet.ModelConfig{Table: "twins"})
		if fl.Database.Dialect != "postgres" {
			var fault *dbfleet.ModelError
			require.ErrorAs(t, err, &fault)
			require.ErrorContains(t, err, `"Name" and "name" of the fields Upper and Lower differ only in case`)
			// Nor is it read or written there by another way.
			count, _ := sent(fl.Registry)
			_, err = dbfleet.Table[twin](fl.DB("main"), "twins").Get(ctx)
			require.ErrorContains(t, err, "differ only in case")
			sharded, err := dbfleet.NewModel[twin](fl.Registry, dbfleet.ModelConfig{Table: "twins", Shard: dbfleet.ShardBy("id", func(int64) string { return "main" })})
			require.NoError(t, err)
			require.ErrorContains(t, sharded.Create(ctx, &twin{ID: 1}), "differ only in case")
			require.Zero(t, count())
			return
		}
		require.NoError(t, err)
		fl.Create(t, `CREATE TABLE twins (id {id}, "Name" {text}, name {text}, "end " {text})`)
		row := twin{Upper: "U", Lower: "l", Ends: "e"}
		require.NoError(t, m.Create(ctx, &row))
		got, err := m.Where("Name", "=", "U").Where("name", "=", "l").Where("end ", "=", "e").OrderBy("Name", dbfleet.Asc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, row, got)
		got, err = m.Select("name").OrderBy("name", dbfleet.Asc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, twin{Lower: "l"}, got)
		got, err = m.Query().SelectRaw(`upper(name) AS NAME`).First(ctx)
		require.NoError(t, err, "an alias without quotes is in small letters")
		require.Equal(t, twin{Lower: "L"}, got)
	})
}

// truth 125
func TestNames_OnlyWhatNoDatabaseHasIsRefused(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	type nul struct {
		ID int64 `db:"a\x00b"`
	}
	type bytes struct {
		ID int64 `db:"a\xff"`
	}
	type none struct {
		ID int64 `db:""`
	}
	type option struct {
		ID int64 `db:"id,pk"`
	}
	for i, err := range []error{
		func() error {
			_, err := dbfleet.NewModel[nul](fl.Registry, dbfleet.ModelConfig{Table: "t"})
			return err
		}(),
		func() error {
			_, err := dbfleet.NewModel[bytes](fl.Registry, dbfleet.ModelConfig{Table: "t"})
			return err
		}(),
		func() error {
			_, err := dbfleet.NewModel[none](fl.Registry, dbfleet.ModelConfig{Table: "t"})
			return err
		}(),
		func() error {
			_, err := dbfleet.NewModel[option](fl.Registry, dbfleet.ModelConfig{Table: "t"})
			return err
		}(),
	} {
		var fault *dbfleet.ModelError
		require.ErrorAs(t, err, &fault, fmt.Sprint(i))
	}
}
