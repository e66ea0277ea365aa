package queries

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
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
