package dbfleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// evil are texts that mean something in SQL.
var evil = []string{
	"1 OR 1=1", "id = 1 OR 1=1 --", "id; DROP TABLE people; --", `id" = "id`, "id` = `id", "id' = 'id", "people.*, (SELECT 1)", "id\x00", "", " ", ".", "people.",
	".id", "people..id", "*", "COUNT(*)", "id ASC, name", "id -- ", "id/**/", "$1", "?", "??", "ID", "Name", "id ", " id", "\xff", strings.Repeat("x", 70), "people.people.id", "rowid", "true",
}

// hazard 344, 345: what a model does not know as a column, an operator or a
// direction is an error that names it, and nothing is sent.
func TestInject_NamesAreCheckedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		count, _ := sent(fl.Registry)
		type Q = *dbfleet.Query[person]
		for _, name := range evil {
			for where, q := range map[string]Q{
				"where":       l.people.Where(name, "=", 1),
				"where nil":   l.people.Where(name, "=", nil),
				"or where":    l.people.Where("id", "=", 1).OrWhere(name, "<", 1),
				"in":          l.people.WhereIn(name, []int{1}),
				"in nothing":  l.people.WhereIn(name, []int{}),
				"not in none": l.people.Query().WhereNotIn(name, []int{}),
				"null":        l.people.Query().WhereNull(name),
				"between":     l.people.Query().WhereBetween(name, 1, 2),
				"like":        l.people.Where(name, "LIKE", "a"),
				"column":      l.people.Query().WhereColumn("id", "=", name),
				"left column": l.people.Query().WhereColumn(name, "=", "id"),
				"group":       l.people.Query().WhereGroup(func(q Q) Q { return q.Where(name, "=", 1) }),
				"not":         l.people.Query().WhereNot(func(q Q) Q { return q.Where(name, "=", 1) }),
				"filter":      l.people.Filter(dbfleet.Or(dbfleet.Col[int](name).Eq(1), dbfleet.Col[int](name).Gt(2))),
				"order":       l.people.OrderBy(name, dbfleet.Asc),
				"group by":    l.people.Select("city").GroupBy(name),
				"having":      l.people.Select("city").GroupBy("city").Having(name, "=", 1),
				"select as":   l.people.Query().SelectAs(name, "x"),
				"join":        l.people.Query().Join("posts", name, "=", "people.id"),
				"exists":      l.people.Query().WhereExists(l.posts.Query().WhereColumn(name, "=", "people.id")),
				"in a query":  l.people.WhereIn("id", l.posts.Select("person_id").Where(name, "=", 1)),
				"union":       l.people.Query().Union(l.people).OrderBy(name, "asc"),
				"update":      l.people.Where("id", "=", 1),
				"increment":   l.people.Where("id", "=", 1),
				"sum":         l.people.Query(),
				"pluck":       l.people.Query(),
			} {
				if where == "select as" && name == "*" {
					continue // SelectAs("*") is the database's syntax error
				}
				var err error
				switch where {
				case "update":
					_, err = q.Update(ctx, map[string]any{name: 1})
				case "increment":
					_, err = q.Increment(ctx, name, 1)
				case "sum":
					_, err = q.Limit(2).Sum(ctx, name)
				case "pluck":
					_, err = dbfleet.Pluck[any](ctx, q, name)
				default:
					_, err = q.Get(ctx)
				}
				told := false
				var unknown *dbfleet.UnknownColumnError
				var bad *dbfleet.StatementError
				switch {
				case errors.As(err, &unknown):
					told = strings.HasSuffix(unknown.Column, name) && len(unknown.Known) > 0
				case errors.As(err, &bad):
					told = true
				}
				require.True(t, told, "%s %q: %v", where, name, err)
			}
		}
		for _, op := range []string{"", " ", "= 1 OR 1=", "=1 --", "==", "=>", "LIKE '%' OR 1", "IS NULL OR", "; DROP", "IN (1) OR id", "REGEXP", "~", "@>", "<=>", "$gt", "NOTIN", "NOT  IN", "= ", strings.Repeat("=", 100)} {
			var told *dbfleet.OperatorError
			for where, q := range map[string]Q{
				"where":  l.people.Where("id", op, 1),
				"or":     l.people.Query().OrWhere("id", op, 1),
				"nil":    l.people.Where("id", op, nil),
				"list":   l.people.Where("id", op, []int{}),
				"column": l.people.Query().WhereColumn("id", op, "age"),
				"having": l.people.Select("city").GroupBy("city").Having("city", op, 1),
				"join":   l.people.Query().Join("posts", "posts.person_id", op, "people.id"),
				"left":   l.people.Query().LeftJoin("posts", "posts.person_id", op, "people.id").OrderBy("id", "asc"),
				"nested": l.people.Query().WhereGroup(func(q Q) Q { return q.WhereNot(func(q Q) Q { return q.Where("id", op, 1) }) }),
			} {
				_, err := q.Get(ctx)
				require.ErrorAs(t, err, &told, "%s %q", where, op)
				require.Equal(t, op, told.Operator)
				require.NotEmpty(t, told.Column)
				_, err = q.Count(ctx)
				require.ErrorAs(t, err, &told, "%s %q", where, op)
			}
			_, err := l.people.Where("id", op, 1).Delete(ctx)
			require.ErrorAs(t, err, &told)
			_, err = l.people.Where("id", op, 1).Update(ctx, map[string]any{"age": 1})
			require.ErrorAs(t, err, &told)
		}
		for _, direction := range []dbfleet.Direction{"", "up", "ASC NULLS FIRST", "asc, name", "desc;", "ASC --", " asc"} {
			var told *dbfleet.OperatorError
			_, err := l.people.OrderBy("name", direction).Get(ctx)
			require.ErrorAs(t, err, &told)
			require.Equal(t, "name", told.Column)
			require.Equal(t, string(direction), told.Operator)
			_, err = l.people.OrderBy("name", direction).Count(ctx)
			require.ErrorAs(t, err, &told)
		}
		require.Zero(t, count(), "nothing was sent")
		for _, direction := range []dbfleet.Direction{"asc", "ASC", "Desc", "DESC"} {
			_, err := l.people.OrderBy("name", direction).Get(ctx)
			require.NoError(t, err)
		}
	})
}

// As a value, or as a name of a table without a model, any text is harmless:
// it is found as itself, or it is an unknown name.
func TestInject_TextIsNeverSQL(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		people := fl.DB("main").Table("people")
		for i, text := range evil {
			if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
				continue // not text for every database
			}
			id := int64(100 + i)
			require.NoError(t, l.people.Create(ctx, &person{ID: id, Name: text, City: "evil"}))
			for claim, q := range map[string]*dbfleet.Query[person]{
				"=":        l.people.Where("name", "=", text),
				"in":       l.people.WhereIn("name", []string{text}),
				"like":     l.people.Where("name", "LIKE", dbfleet.EscapeLike(text)),
				"between":  l.people.Query().WhereBetween("name", text, text),
				"is":       l.people.Where("name", "IS", text),
				"raw":      l.people.Query().WhereRaw("name = ?", text),
				"squirrel": l.people.Filter(dbfleet.Expr(squirrel.Eq{"name": text})),
				"having":   l.people.Select("id").GroupBy("id", "name").Having("name", "=", text),
			} {
				found := ids(t, q.Where("city", "=", "evil").Where("id", "=", id))
				if claim == "having" {
					found = ids(t, l.people.Select("id").Where("id", "=", id).GroupBy("id", "name").Having("name", "=", text))
				}
				require.Equal(t, []int64{id}, found, "%s %q", claim, text)
				require.LessOrEqual(t, len(ids(t, q)), 3, "%s %q", claim, text) // spaces and letter case are MySQL's own
			}
		}
		for _, name := range evil {
			for where, q := range map[string]*dbfleet.Query[dbfleet.Row]{
				"where":  people.Where(name, "=", "x"),
				"order":  people.OrderBy(name, "asc"),
				"select": people.Select("id", name+"x"),
				"table":  fl.DB("main").Table(name),
				"join":   people.CrossJoin(name),
			} {
				known := strings.EqualFold(strings.Trim(name, " "), "id") || name == "Name" || name == "rowid" || name == "people.people.id"
				if known && where != "table" && where != "join" || name == "*" && where == "select" {
					continue // letter case and spaces are the database's affair
				}
				got, err := q.Get(ctx)
				require.Error(t, err, "%s %q %v", where, name, got)
			}
		}
		n, err := people.Count(ctx)
		require.NoError(t, err)
		require.Greater(t, n, int64(20), "all is still there")
	})
}

// hazard 78, 79, 81: names of every kind are quoted, on each database its way.
func TestInject_OddNamesAreNames(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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
		d, ok := dialect.Lookup(fl.db.Dialect)
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
		fl.db.Exec(t, ddl(fl.db.Dialect, create+")"))
		m := model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: table})
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
			list, err := m.Select(c).SelectRaw("COUNT(*) AS n").GroupBy(c).OrderBy("n", "asc").Get(ctx)
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
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		longest := map[string]int{"postgres": 63, "mysql": 64, "sqlite": 0}[fl.db.Dialect]
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
		if fl.db.Dialect == "mysql" {
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`name <> 'it\'s ?' AND id = ? # ?`+"\n", 1)))
		}
		if fl.db.Dialect == "postgres" {
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`name <> E'it\'s ?' AND id = ? AND '{"a":1}'::jsonb ?? 'a' AND $$?$$ <> $q$ ? $q$`, 1)))
			require.Equal(t, []int64{1}, ids(t, l.people.Query().WhereRaw(`id = 42 -? - 83`, -42)), "hazard 347: no comment is made of a negative number")
		} else {
			_, err := l.people.Query().WhereRaw("a ?? b").Get(ctx)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault)
		}
	})
}

// Any statement of squirrel runs on the query's route and is mapped.
func TestQuery_RunsAnySquirrelStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		inner := squirrel.Select("person_id").From("posts").Where(squirrel.Gt{"views": 8})
		for _, format := range []squirrel.PlaceholderFormat{squirrel.Question, squirrel.Dollar, squirrel.AtP} {
			s := squirrel.Select("p.*").From("people p").Where(squirrel.Expr("p.id IN (?)", inner)).Where(squirrel.Eq{"p.active": true, "p.city": []string{"london", "paris"}}).
				OrderBy("p.id DESC").Limit(5).PlaceholderFormat(format)
			list, err := l.people.With(postsOf(l)).GetStatement(ctx, s)
			require.NoError(t, err)
			require.Len(t, list, 2)
			require.Equal(t, "eve", list[0].Name)
			require.Equal(t, []string{"one", "two"}, titles(list[1].Posts))
			list, err = l.people.Query().GetStatement(ctx, &s)
			require.NoError(t, err)
			require.Len(t, list, 2)
		}
		rows, err := fl.DB("main").Table("people").GetStatement(ctx, squirrel.Select("city", "COUNT(*) AS n").From("people").GroupBy("city").Having("COUNT(*) > ?", 1).OrderBy("city"))
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"city": "london", "n": int64(2)}, {"city": "paris", "n": int64(2)}}, rows)
		none, err := l.people.Query().GetStatement(ctx, squirrel.Select("*").From("people").Where("1 = 0"))
		require.NoError(t, err)
		require.NotNil(t, none)

		count, last := sent(fl.Registry)
		n, err := l.people.Query().ExecStatement(ctx, squirrel.Update("people").Set("city", "oslo").Where(squirrel.Eq{"id": []int{1, 2}}).PlaceholderFormat(squirrel.Dollar))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, dbfleet.RolePrimary, last().Route.Role)
		n, err = l.people.Query().ExecStatement(ctx, squirrel.Insert("people").Columns("name", "city", "active", "id").Values("new", "x", false, 77).Values("newer", "x", true, 78))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Or{squirrel.Eq{"id": 77}, squirrel.Eq{"id": 78}}))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		before := count()
		for claim, run := range map[string]func() error{
			"delete of all": func() error { _, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people")); return err },
			"update of all": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Update("people").Set("age", 1))
				return err
			},
			"with returning": func() error {
				_, err := l.people.Query().GetStatement(ctx, squirrel.Delete("people").Suffix("RETURNING *"))
				return err
			},
			"empty group": func() error {
				_, err := l.people.Query().WhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q }).Delete(ctx)
				return err
			},
			"empty or group": func() error {
				_, err := l.people.Query().OrWhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q }).Update(ctx, map[string]any{"age": 1})
				return err
			},
			"empty And": func() error {
				_, err := l.people.Filter(dbfleet.And(), dbfleet.And(dbfleet.And())).Delete(ctx)
				return err
			},
			"no filters": func() error { _, err := l.people.Filter().Delete(ctx); return err },
		} {
			require.ErrorIs(t, run(), dbfleet.ErrMissingWhere, claim)
		}
		for claim, run := range map[string]func() error{
			"empty Eq": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Eq{}))
				return err
			},
			"raw key": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Eq{"1=1 OR id": 1}))
				return err
			},
			"conditions": func() error {
				_, err := l.people.Where("id", "=", 1).ExecStatement(ctx, squirrel.Delete("people").Where("id = 2"))
				return err
			},
			"ragged": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Insert("people").Columns("a", "b").Values(1))
				return err
			},
			"nil":       func() error { _, err := l.people.Query().GetStatement(ctx, nil); return err },
			"no Not":    func() error { _, err := l.people.Filter(dbfleet.Not()).Delete(ctx); return err },
			"no Or":     func() error { _, err := l.people.Filter(dbfleet.Or()).Delete(ctx); return err },
			"zero Cond": func() error { _, err := l.people.Filter(dbfleet.Cond{}).Get(ctx); return err },
			"zero query": func() error {
				_, err := (&dbfleet.Query[person]{}).WhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q.Where("a", "=", 1) }).Get(ctx)
				return err
			},
			"zero not": func() error {
				_, err := (&dbfleet.Query[person]{}).WhereNot(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q.Where("a", "=", 1) }).Get(ctx)
				return err
			},
			"zero sub": func() error { _, err := l.people.Query().WhereExists(&dbfleet.Query[post]{}).Get(ctx); return err },
		} {
			var fault *dbfleet.StatementError
			require.ErrorAs(t, run(), &fault, claim)
		}
		require.Equal(t, before, count(), "nothing was sent")
		n, err = l.people.Query().AllRows().ExecStatement(ctx, squirrel.Update("people").Set("age", 1))
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
		idle(t, fl.Registry, "main")
	})
}

// A subquery that lives on another connection is an error, never a guess.
func TestQuery_SubqueriesStayOnTheirConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(fl.db), "other": connectionTo(fl.db)})
		l := newLibrary(t, fleet{r, fl.db})
		count, _ := sent(r)
		for claim, q := range map[string]*dbfleet.Query[person]{
			"in":      l.people.WhereIn("id", l.posts.DB("other").Select("person_id")),
			"exists":  l.people.DB("other").Query().WhereExists(l.posts),
			"union":   l.people.Query().Union(l.people.DB("other")),
			"select":  l.people.Query().SelectSub(l.posts.DB("other").Query().SelectRaw("MAX(id)"), "last"),
			"raw":     l.people.Query().WhereRaw("id IN ?", l.posts.DB("other").Select("id")),
			"unknown": l.people.WhereIn("id", l.posts.DB("nope").Select("id")),
		} {
			_, err := q.Get(t.Context())
			require.Error(t, err, claim)
			require.Contains(t, err.Error(), "connection", claim)
		}
		require.Zero(t, count())
		got, err := l.people.DB("other").WhereIn("id", l.posts.DB("other").Select("person_id")).Count(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, 3, got)
	})
}
