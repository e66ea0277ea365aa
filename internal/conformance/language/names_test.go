package language

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hostile are texts that mean something in SQL; none is a name of the table's.
var hostile = []string{
	"1 OR 1=1", "price = 0 OR 1=1 --", "id; DROP TABLE canary; --", `id"; DROP TABLE canary; --`, "id`; DROP TABLE canary; --", `id') UNION SELECT secret FROM canary --`,
	`x" FROM canary --`, "x` FROM canary --", "sales.*, (SELECT secret FROM canary)", "(SELECT secret FROM canary)", "id\x00", "\xff", "", " ", ".", "a.b.c.d", "*", "?", "$1", ":id", `\`, `\"`, "'", "/*", "--",
	"canary.secret", "CANARY.SECRET", strings.Repeat("x", 300), "\u2028", "id\n--", "NULL", "CURRENT_USER",
}

// hazard 344, 345, 359: whatever takes a name takes any text, and it stays a name: it is
// refused, or read as the name of something that is not there, and the canary lives.
func TestNames_NoneBecomesSQL(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE canary (id {id}, secret {text} NOT NULL)", "INSERT INTO canary (secret) VALUES ('sings')")
		db := fl.DB("main")
		for _, name := range hostile {
			col := dbfleet.Col[int64](name)
			word := dbfleet.Col[string](name)
			window := dbfleet.Window{PartitionBy: []dbfleet.Term{col}, OrderBy: []dbfleet.Order{col.Asc().NullsLast()}}
			value := func(e dbfleet.Term) *dbfleet.Query[sale] { return s.Query().SelectValue(e, "value") }
			// On a model, a column that it lacks is refused, wherever it stands.
			for entry, q := range map[string]*dbfleet.Query[sale]{
				"filter":      s.Filter(col.Gt(1)),
				"of":          s.Filter(s.id.Of(name).Gt(1)),
				"plus":        s.Filter(col.Plus(1).Gt(1)),
				"add":         s.Filter(s.price.Add(col).Gt(1)),
				"compare":     s.Filter(dbfleet.Compare(s.price, "=", col)),
				"in query":    s.Filter(col.InQuery(s.Select("id"))),
				"query":       s.Filter(s.id.InQuery(s.Select(name))),
				"like":        s.Filter(word.LikeExact("x")),
				"ilike":       s.Filter(word.ILike("x")),
				"lower":       s.Filter(dbfleet.Lower(word).Eq("x")),
				"case":        s.Filter(dbfleet.Case[int64]().When(col.Eq(1), 1).Else(2).Eq(1)),
				"coalesce":    s.Filter(dbfleet.Coalesce[int64](s.price, col).Eq(1)),
				"order with":  s.Query().OrderWith(col.Desc().NullsFirst()),
				"order value": s.Query().OrderWith(col.Plus(1).Asc()),
				"select":      value(col),
				"concat":      value(dbfleet.Concat(word, dbfleet.Value(name))),
				"count of":    value(dbfleet.CountOf(col)),
				"sum where":   value(dbfleet.SumOf(s.price).Where(col.Eq(1))),
				"window":      value(dbfleet.RowNumber().Over(window)),
				"lag":         value(dbfleet.Lag(col, 1).Over(dbfleet.Window{})),
				"group":       s.Select("shop").GroupBy(name),
				"having":      s.Select("shop").GroupBy("shop").Having(name, "=", 1),
				"value":       s.Where("price", "=", col),
				"raw":         s.Query().WhereRaw("? = 1", col),
				"join":        s.Query().Join("sales AS b", "b.id", "=", name),
			} {
				_, err := q.Get(ctx)
				require.Error(t, err, "%s %q", entry, name)
			}
			for entry, err := range map[string]error{
				"update":      get(s.Where("id", "=", 1).Update(ctx, map[string]any{name: 1})),
				"set":         get(s.Where("id", "=", 1).Update(ctx, map[string]any{"price": col})),
				"insert from": get(dbfleet.InsertFrom(ctx, s, []string{name}, s.Select("id"))),
				"delete":      get(s.Filter(col.Eq(1)).Limit(1).Delete(ctx)),
				"limit":       get(s.Where("id", "=", 1).OrderWith(col.Asc()).Limit(1).Delete(ctx)),
				"unit":        get(value(dbfleet.Truncate(s.soldAt, dbfleet.Unit(name))).Get(ctx)),
				"operator":    get(s.Filter(dbfleet.Compare(s.id, name, s.price)).Get(ctx)),
			} {
				require.Error(t, err, "%s %q", entry, name)
			}
			// What makes a name up may be anything that the database takes for one.
			for entry, run := range map[string]func() error{
				"alias":   func() error { return get(value(s.price.Plus(1)).Select("id").SelectValue(s.id, name).Get(ctx)) },
				"from":    func() error { return get(dbfleet.From(s.Select("id"), name).Get(ctx)) },
				"from of": func() error { return get(dbfleet.From(s.Select("id"), "f").Filter(col.Gt(1)).Get(ctx)) },
				"table": func() error {
					return get(db.Table(name).Filter(col.Plus(1).Gt(1)).OrderWith(col.Asc().NullsLast()).Get(ctx))
				},
				"columns": func() error {
					return get(db.Table("sales").Filter(col.Plus(1).Gt(1)).OrderWith(word.Asc().NullsLast()).Get(ctx))
				},
				"as":        func() error { return get(s.Query().As(name).Filter(s.id.Of(name).Gt(100)).Get(ctx)) },
				"joined as": func() error { return get(s.Query().Join("sales AS "+name, "sales.id", "=", "sales.price").Get(ctx)) },
				"into": func() error {
					return get(dbfleet.InsertFrom(ctx, db.Table(name), []string{name}, s.Select("id").Limit(0)))
				},
				"cte": func() error {
					return get(db.Table(name).WithCTE(dbfleet.CTE{Name: name, Query: s.Select("id")}).Get(ctx))
				},
				"parameters": func() error { return get(s.Query().WhereRaw("id = :id", dbfleet.Named(name, 1)).Get(ctx)) },
			} {
				if err := run(); err != nil {
					require.NotContains(t, err.Error(), "sings", "%s %q", entry, name)
				}
			}
		}
		songs, err := dbfleet.Pluck[string](ctx, db.Table("canary"), "secret")
		require.NoError(t, err)
		require.Equal(t, []string{"sings"}, songs, "the canary")
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, s.ids(t, s.Query()))
		require.Equal(t, []int64{10, 20, 5, 7, 0, 100}, column[int64](t, s, s.price))
	})
}
