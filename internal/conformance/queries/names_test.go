package queries

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// hazard 78, 79, 81: names of every kind are quoted, on each database its way.
func TestInject_OddNamesAreNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type odd struct {
			ID     int64
			UserID int64  `db:"userId"`
			Select string `db:"select"`
			Order  string `db:"order by"`
			Dotted string `db:"a.b"`
			Uni    string `db:"größe"`
			Semi   string `db:"x; DROP TABLE odd"`
			Mark   string `db:"what?"`
			Dollar string `db:"$1"`
			Group  string `db:"group"`
			True   string `db:"true"`
		}
		ctx := t.Context()
		columns := []string{"userId", "select", "order by", "a.b", "größe", "x; DROP TABLE odd", "what?", "$1", "group", "true"}
		const table = `Ta"b` + "`" + `le ?`
		d, ok := dialect.Lookup(fl.Database.Dialect)
		require.True(t, ok)
		quote := func(name string) string {
			quoted, err := sqlgen.QuoteIdent(d, name)
			require.NoError(t, err)
			return quoted
		}
		create := "CREATE TABLE " + quote(table) + " (id {id}"
		quotes := []string{"it's", `dou"ble`, "back`tick", `back\slash`}
		for i, c := range append(columns, quotes...) {
			create += ", " + quote(c) + map[bool]string{true: " {bigint}", false: " {text}"}[i == 0]
		}
		fl.Database.Exec(t, conformance.DDL(fl.Database.Dialect, create+")"))
		m := conformance.Model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: table})
		row := odd{UserID: 1, Select: "a", Order: "b", Dotted: "c", Uni: "d", Semi: "e", Mark: "f", Dollar: "g", Group: "h", True: "i"}
		require.NoError(t, m.Create(ctx, &row))
		other := row
		other.ID, other.UserID, other.True = 0, 2, "z"
		require.NoError(t, m.Create(ctx, &other))
		for i, c := range columns {
			v := any(string(rune('a' + i - 1)))
			if i == 0 {
				v = 1
			}
			got, err := m.Where("userId", "=", 1).Where(c, "=", v).WhereNotNull(c).OrderBy(c, "desc").Select(c, "id").First(ctx)
			require.NoError(t, err, c)
			require.Equal(t, row.ID, got.ID)
			got, err = m.Where(c, "=", v).Find(ctx, row.ID)
			require.NoError(t, err)
			require.Equal(t, row, got)
			_, err = m.Where("id", "=", row.ID).Update(ctx, map[string]any{c: v})
			require.NoError(t, err, c)
			list, err := m.Select(c).SelectRaw("COUNT(*) AS n").DiscardUnknownColumns().GroupBy(c).OrderBy("n", "asc").Get(ctx)
			require.NoError(t, err, c)
			require.NotEmpty(t, list)
			joined, err := m.Query().Join("nums", "nums.n", "=", "id").Get(ctx)
			require.Error(t, err, joined) // there is no table of that name, and that is all that is wrong
			require.NotErrorIs(t, err, dbfleet.ErrInvalidValue)
			as, err := m.Query().SelectAs("userId", c+" as").OrderBy(c+" as", "asc").Pluck(ctx, c+" as")
			require.NoError(t, err, c)
			require.Equal(t, []any{int64(1), int64(2)}, as)
		}
		min, err := m.Query().Min(ctx, "userId")
		require.NoError(t, err)
		require.EqualValues(t, 1, min)
		loose, err := fl.DB("main").Table(table).Where("userId", "=", 2).Where("größe", "=", "d").First(ctx)
		require.NoError(t, err)
		require.Equal(t, "z", loose["true"])
		for _, c := range quotes {
			one := fl.DB("main").Table(table).Where("userId", "=", 1)
			n, err := one.Update(ctx, map[string]any{c: "'" + c})
			require.NoError(t, err, c)
			require.EqualValues(t, 1, n)
			loose, err = fl.DB("main").Table(table).Where(c, "=", "'"+c).Select("id", c).SelectAs(c, c+c).GroupBy("id", c).OrderBy(c, "asc").First(ctx)
			require.NoError(t, err, c)
			require.Equal(t, dbfleet.Row{"id": row.ID, c: "'" + c, c + c: "'" + c}, loose)
		}
	})
}

// The names that QuoteIdent lets pass are read back by the database as they are.
func FuzzIdentifier(f *testing.F) {
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	for _, name := range append([]string{"a", `a"b`, `""`, "a.b", "Größe", "🐘", "a\nb", `\`, `\"`, "'", "/*", "--", "[x]"}, evil...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := sqlgen.QuoteIdent(dialect.SQLite, name)
		if err != nil {
			return
		}
		rows, err := db.QueryContext(t.Context(), "SELECT 1 AS "+quoted)
		require.NoError(t, err, "%q", quoted)
		defer func() { require.NoError(t, rows.Close()) }()
		columns, err := rows.Columns()
		require.NoError(t, err)
		require.Equal(t, []string{name}, columns)
		require.True(t, rows.Next())
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
	})
}

// Names too long for a database are refused instead of cut; NUL everywhere.
func TestInject_ImpossibleNamesAreRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		longest := map[string]int{"postgres": 63, "mysql": 64, "sqlite": 0}[fl.Database.Dialect]
		count, _ := sent(fl.Registry)
		if longest > 0 {
			var fault *dbfleet.StatementError
			_, err := l.people.Query().SelectAs("id", strings.Repeat("n", longest+1)).Get(ctx)
			require.ErrorAs(t, err, &fault)
			require.Contains(t, err.Error(), fmt.Sprint(longest))
			_, err = fl.DB("main").Table(strings.Repeat("t", longest+1)).Get(ctx)
			require.ErrorAs(t, err, &fault)
		}
		for _, bad := range []string{"a\x00b", "\xff", ""} {
			var fault *dbfleet.StatementError
			for claim, q := range map[string]*dbfleet.Query[dbfleet.Row]{
				"table":  fl.DB("main").Table("people" + bad + "."),
				"alias":  fl.DB("main").Table("people").As("a" + bad + "\x00"),
				"column": fl.DB("main").Table("people").Where("a\x00"+bad, "=", 1),
				"raw":    fl.DB("main").Table("people").WhereRaw("id = 1 \x00" + bad),
			} {
				_, err := q.Get(ctx)
				require.ErrorAs(t, err, &fault, "%s %q", claim, bad)
			}
		}
		// hazard 229: arguments and placeholders must match.
		for _, q := range []*dbfleet.Query[person]{
			l.people.Query().WhereRaw("id = ? AND age = ?", 1), l.people.Query().WhereRaw("id = 1", 1), l.people.Query().SelectRaw("? AS x"), l.people.Query().OrderByRaw("?"), l.people.Query().HavingRaw("? = ?", 1),
			l.people.Query().JoinRaw("JOIN posts ON ? = 1"), l.people.Query().WhereRaw(""), l.people.Filter(dbfleet.Raw(" ")), l.people.Filter(dbfleet.Expr(squirrel.Expr("id = ?"))),
			l.people.Query().WhereRaw("'?' = ?"), l.people.Query().WhereRaw("id = 1 -- "), l.people.Query().WhereRaw("name = 'x"), l.people.Query().OrderByRaw("id /* "),
		} {
			var fault *dbfleet.StatementError
			_, err := q.Get(ctx)
			require.ErrorAs(t, err, &fault)
		}
		require.Zero(t, count(), "nothing was sent")
		// Question marks that are no placeholders.
		require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw("name <> '?' AND id = ? /* ? */ AND name <> 'it''s ?'", 1)))
		require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw("id = ? -- ?\n AND 1 = 1", 1)))
		if fl.Database.Dialect == "mysql" {
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`name <> 'it\'s ?' AND id = ? # ?`+"\n", 1)))
		}
		if fl.Database.Dialect == "postgres" {
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`name <> E'it\'s ?' AND id = ? AND '{"a":1}'::jsonb ?? 'a' AND $$?$$ <> $q$ ? $q$`, 1)))
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`id = 42 -? - 83`, -42)), "hazard 347: no comment is made of a negative number")
		} else {
			_, err := l.people.Query().WhereRaw("a ?? b").Get(ctx)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault)
		}
	})
}

// hazards 78, 79, 81: a name means itself, whatever characters and meaning it
// has elsewhere.
func TestHazard_NamesOfEveryKindAreNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"userId", "select", "order", "true", "null", "rowid", "oid", "a b", "a-b", "1st", "ünï", "x'y", `x"y`, "x`y", "x;y", "x?y", "$1", "a--b", `a\b`, "%s", "/*c*/",
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		quote := func(name string) string {
			q := map[string]string{"sqlite": `"`, "postgres": `"`, "mysql": "`"}[fl.Database.Dialect]
			return q + strings.ReplaceAll(name, q, q+q) + q
		}
		columns := make([]string, len(names))
		for i, n := range names {
			columns[i] = quote(n) + " {int}"
		}
		table := "Some `Table\""
		fl.Create(t, "CREATE TABLE "+quote(table)+" ("+strings.Join(columns, ", ")+")")
		rows := fl.DB("main").Table(table)
		row := dbfleet.Row{}
		for i, n := range names {
			row[n] = i
		}
		_, err := rows.Insert(ctx, row)
		require.NoError(t, err)
		for i, n := range names {
			got, err := rows.Select(n).Where(n, "=", i).GroupBy(n).OrderBy(n, dbfleet.Asc).Get(ctx)
			require.NoError(t, err, n)
			require.Equal(t, []dbfleet.Row{{n: int64(i)}}, got)
			k, err := rows.Where(n, "=", i).Update(ctx, dbfleet.Row{n: i})
			require.NoError(t, err, n)
			require.EqualValues(t, 1, k, n)
		}
		for _, bad := range []string{"missing", "'x'", "1"} {
			_, err := rows.Where(bad, "=", 1).Get(ctx)
			require.Error(t, err, "%s is no column, and no literal", bad)
		}
	})
}
