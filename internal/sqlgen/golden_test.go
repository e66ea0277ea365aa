package sqlgen

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

var update = flag.Bool("update", false, "write the golden files")

// statement is one whose SQL is pinned; what a dialect refuses is pinned too.
type statement struct {
	name   string
	render func(d *dialect.Dialect) (string, []any, error)
}

func selecting(name string, q Query) statement {
	return statement{name, func(d *dialect.Dialect) (string, []any, error) { return Select(&q, env(d, users)) }}
}

// numbering is selecting on a server that numbers rows.
func numbering(name string, q Query) statement {
	return statement{name, func(d *dialect.Dialect) (string, []any, error) {
		e := env(d, users)
		e.Numbers = d == dialect.MySQL
		return Select(&q, e)
	}}
}

// upTo are the numbers from 1 on.
func upTo(n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i + 1)
	}
	return list
}

func untyped(name string, q Query) statement {
	return statement{name, func(d *dialect.Dialect) (string, []any, error) { return Select(&q, env(d, nil)) }}
}

// equalTo are the conditions that a column is equal to each of the keys.
func equalTo(column string, keys ...any) []Cond {
	conds := make([]Cond, len(keys))
	for i, key := range keys {
		conds[i] = Compare(column, Eq, key)
	}
	return conds
}

// paged is a page of users by city and, downwards, age.
func paged(k Keyset) Query {
	q := From("users").WithCond(Compare("id", Gt, 0)).WithCond(Compare("name", Eq, "x").Or()).WithOrder(Order{Column: "city"}).WithOrder(Order{Column: "age", Desc: true})
	keys, why := q.KeysetColumns([]string{"id"})
	if why != "" {
		panic(why)
	}
	return q.WithKeyset(k, keys, []string{"id"}).WithLimit(11)
}

func raw(sql string, args ...any) *Expr { return &Expr{SQL: sql, Args: args} }

func goldenStatements() []statement {
	all := From("users")
	posts := sub{From("posts"), known{"id", "user_id", "title"}}
	where := func(c ...Cond) Query {
		q := all
		for _, c := range c {
			q = q.WithCond(c)
		}
		return q
	}
	insert := func(name string, in Insert) statement {
		return statement{name, func(d *dialect.Dialect) (string, []any, error) {
			text, err := InsertText(&in, d)
			return text, nil, err
		}}
	}
	inserting := func(name string, q Query, in Insert, rows ...[]any) statement {
		return statement{name, func(d *dialect.Dialect) (string, []any, error) { return InsertRows(&q, &in, rows, env(d, users)) }}
	}
	writing := func(name string, q Query, sets ...Set) statement {
		return statement{name, func(d *dialect.Dialect) (string, []any, error) {
			if sets == nil {
				return Delete(&q, env(d, users))
			}
			return Update(&q, sets, env(d, users))
		}}
	}
	keyed := where(Compare("id", Eq, 1))
	return []statement{
		selecting("all", all),
		untyped("untyped", From("app.users").WithCond(Compare("users.id", Eq, 1))),
		selecting("comparisons", where(Compare("id", Eq, 1), Compare("id", NotEq, 2), Compare("id", Lt, 3), Compare("id", LtEq, 4), Compare("id", Gt, 5), Compare("users.id", GtEq, 6))),
		selecting("null", where(Compare("id", Eq, nil), Compare("id", NotEq, nil).Or(), Compare("id", Is, nil), Compare("id", IsNot, nil))),
		selecting("null-safe", where(Compare("id", Is, 1), Compare("id", IsNot, 2))),
		selecting("like", where(Compare("name", Like, "a%"), Compare("name", NotLike, "b_"), Compare("name", ILike, "c%"), Compare("name", NotILike, "d"))),
		selecting("in", where(Compare("id", In, []int{1, 2, 3}), Compare("age", NotIn, []int{4}))),
		selecting("in a padded list", where(Compare("id", In, []int{1, 2, 3, 4, 5}), Compare("age", NotIn, []any{nil, 6, 7, 8, 9, 10, 11, 12}), Compare("id", Eq, 13))),
		selecting("in with null", where(Compare("id", In, []any{1, nil}), Compare("id", NotIn, []any{nil, 2}), Compare("id", In, []any{nil}), Compare("id", NotIn, []any{nil}))),
		selecting("in nothing", where(Compare("id", In, []int{}), Compare("id", NotIn, []int{}).Or())),
		selecting("between", where(Compare("age", Between, []int{1, 2}), Compare("age", NotBetween, []int{3, 4}))),
		selecting("in numbers as text", where(Compare("id", In, []any{"1.50", 2, "x"}), Compare("age", NotIn, []string{"1", "2"}), Compare("city", In, []string{"a", "b"}))),
		selecting("in many numbers as text", where(Compare("id", In, decimals(17)), Compare("age", NotIn, append(decimals(17), "x", nil)))),
		selecting("between numbers as text", where(Compare("age", Between, []string{"1.5", "2"}), Compare("age", NotBetween, []any{"3", 4}).Or(), Compare("name", Between, []string{"a", "b"}))),
		selecting("number", where(Compare("age", Gt, number("1.5")), Raw(raw("age < ?", number("2"))))),
		selecting("equal to a number", where(Compare("age", Eq, number("1.5")))),
		selecting("columns", where(CompareColumns("id", Lt, "users.age"))),
		selecting("groups", where(Compare("id", Eq, 1), Group(Compare("id", Eq, 2), Compare("id", Eq, 3).Or(), Not(Compare("id", Eq, 4), Group(Compare("id", Eq, 5))))).WithCond(Not(Compare("age", Gt, 6)).Or())),
		selecting("raw", where(Raw(raw("a = ? OR b = 'it''s ?' /* ? */", 1)), Raw(raw("c IN ?", posts.WithColumns(Column{Name: "id"}).WithCond(Compare("title", Eq, "x")).asSub(posts.table))), Compare("id", Eq, raw("age * ?", 2)), Compare("id", In, raw("SELECT ?", 3)))),
		selecting("question mark operator", where(Raw(raw("tags ?? 'x' AND id = ?", 1)))),
		selecting("squirrel", where(Raw(&Expr{Sqlizer: squirrel.Or{squirrel.Eq{"id": []int{1, 2}}, squirrel.Lt{"users.age": 3}}}))),
		selecting("exists", where(Exists(posts.WithCond(CompareColumns("posts.user_id", Eq, "users.id")).asSub(posts.table)), NotExists(posts))),
		selecting("correlated self", where(Exists(all.WithAlias("w").WithCond(CompareColumns("w.boss_id", Eq, "users.id")).asSub(users)))),
		selecting("in query", where(Compare("id", In, posts.WithColumns(Column{Name: "user_id"}).WithCond(Compare("id", Gt, 1)).asSub(posts.table)), Compare("id", Eq, 2))),
		selecting("in bounded query", where(Compare("id", NotIn, posts.WithColumns(Column{Name: "user_id"}).WithOrder(Order{Column: "id"}).WithLimit(2).asSub(posts.table)))),
		selecting("list", all.WithColumns(Column{Name: "id"}, Column{Name: "name", As: "called"}, Column{Name: "*"}, Column{Name: "users.*"}, Column{Expr: raw("LENGTH(name) + ?", 1), As: "n"}, Column{Sub: posts.WithColumns(Column{Expr: raw("MAX(id)")}).asSub(posts.table), As: "last"})),
		selecting("arguments of no type", all.WithColumns(Column{Expr: raw("?, ? AS a,COALESCE(?, 1) , ?", 1, "x", 2, 3)})),
		selecting("distinct", all.WithDistinct().WithColumns(Column{Name: "city"}).WithOrder(Order{Column: "city", Desc: true})),
		selecting("joins", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithJoin("LEFT JOIN", "app.tags", "tags.post_id", LtEq, "posts.id").WithJoin("CROSS JOIN", "days", "", NoOp, "").WithRawJoin(raw("JOIN x ON x.y = ?", 1)).WithCond(Compare("posts.title", Eq, "a")).WithCond(Compare("id", Eq, 2)).WithCond(Compare("x.z", Eq, 3))),
		selecting("self join", all.WithAlias("b").WithJoin("JOIN", "users", "users.boss_id", Eq, "b.id").WithCond(Compare("age", Gt, 1))),
		selecting("groups of rows", all.WithColumns(Column{Name: "city"}, Column{Expr: raw("COUNT(*) AS n")}).WithGroups("city", "users.age").WithHaving(Compare("city", Eq, "x")).WithHaving(Raw(raw("COUNT(*) > ?", 1)).Or()).WithOrder(Order{Column: "n"})),
		selecting("orders", all.WithOrder(Order{Column: "id"}).WithOrder(Order{Column: "users.age", Desc: true}).WithOrder(Order{Expr: raw("id % ?", 2)})),
		selecting("limit", all.WithLimit(10)),
		selecting("limit zero", all.WithLimit(0)),
		selecting("fixed limit", all.WithFixedLimit(1)),
		selecting("fixed limit and offset", all.WithFixedLimit(1).WithOffset(5)),
		selecting("offset", all.WithOffset(5)),
		selecting("limit and offset", all.WithLimit(10).WithOffset(5)),
		selecting("negative limit", all.WithLimit(-1)),
		selecting("limit of each", where(Compare("city", Eq, "x")).WithOrder(Order{Column: "name", Desc: true}).WithLimit(3).WithEach(equalTo("age", 1, 2), []string{"id"}, true)),
		selecting("limit of each whole number", where(Compare("city", Eq, "x"), Compare("name", Eq, "y").Or()).WithOrder(Order{Column: "name", Desc: true}).WithLimit(3).WithEachInt("age", []int64{1, 2}, []string{"id"}, true)),
		selecting("limit of each whole number of an alias and a join", all.WithAlias("u").WithJoin("JOIN", "posts", "posts.user_id", Eq, "u.id").WithLimit(1).WithEachInt("age", []int64{4}, []string{"id"}, false)),
		numbering("numbered rows of each whole number", where(Compare("city", Eq, "x"), Compare("name", Eq, "y").Or()).WithOrder(Order{Column: "name", Desc: true}).WithLimit(3).WithEachInt("age", upTo(17), []string{"id"}, true)),
		numbering("numbered rows of a list of an alias", all.WithAlias("u").WithColumns(Column{Name: "id"}, Column{Name: "u.age"}).WithFixedLimit(1).WithOffset(2).WithEachInt("u.age", upTo(16), []string{"id"}, false)),
		numbering("numbered rows of keys of several columns", all.WithOrder(Order{Column: "id", Desc: true}).WithLimit(2).WithEachOf(several(minNumbered), []string{"id"}, true)),
		numbering("rows of few keys of several columns", all.WithLimit(2).WithEachOf(several(2), []string{"id"}, false)),
		numbering("rows of each whole number asked apart", all.WithLimit(1).WithEachInt("age", upTo(16), []string{"id"}, true).AskedApart()),
		selecting("too many whole numbers", all.WithLimit(1).WithEachInt("age", make([]int64, MaxEach+1), []string{"id"}, false)),
		selecting("fixed limit and offset of each", all.WithOrder(Order{Expr: raw("age + ?", 1)}).WithFixedLimit(1).WithOffset(2).WithEach(equalTo("age", 1, nil, 3, 4, 5), []string{"id", "city"}, false)),
		selecting("offset of each of a join", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithOffset(2).WithEach(equalTo("age", 1), []string{"id"}, true)),
		selecting("limit of each of a list", all.WithColumns(Column{Name: "name"}, Column{Name: "name"}).WithLimit(0).WithEach(equalTo("age", 1), []string{"id"}, false)),
		selecting("negative limit of each", all.WithLimit(-1).WithEach(equalTo("age", 1), []string{"id"}, false)),
		selecting("negative offset of each", all.WithLimit(1).WithOffset(-1).WithEach(equalTo("age", 1), []string{"id"}, false)),
		selecting("limit of each key of several columns", all.WithLimit(2).WithEach([]Cond{Group(Compare("age", Eq, 1), Compare("city", Eq, "x")), Group(Compare("age", Eq, 2), Compare("city", Eq, "y"))}, []string{"id"}, false)),
		selecting("marks of keys of several columns", all.WithMarks([]Cond{Group(Compare("age", Eq, 1), Compare("city", Eq, "x")), Group(Compare("age", Eq, 2), Compare("city", Eq, "y"))})),
		selecting("CTE", where(Compare("id", Gt, 9)).WithCTE(CTE{Name: "old", Query: sub{where(Compare("age", Gt, 60)).WithColumns(Column{Name: "id"}), users}}).WithJoin("JOIN", "old", "old.id", Eq, "users.id")),
		selecting("recursive CTE", From("tree").WithColumns(Column{Name: "id"}).WithCTE(
			CTE{Name: "roots", Query: sub{where(Compare("id", Eq, 1)).WithColumns(Column{Name: "id"}), users}},
			CTE{Name: "tree", Recursive: true, Query: sub{From("roots").WithColumns(Column{Name: "id"}).WithUnion(sub{all.WithColumns(Column{Name: "id"}).WithJoin("JOIN", "tree", "tree.id", Eq, "users.age"), users}, true), nil}})),
		selecting("CTE in the place of a table", where(Compare("age", Gt, 60)).WithColumns(Column{Name: "id"}).WithCTE(CTE{Name: "users", Query: sub{all.WithColumns(Column{Name: "id"}), users}})),
		selecting("count over a CTE", From("old").WithCTE(CTE{Name: "old", Query: sub{where(Compare("age", Gt, 60)), users}}).WithDistinct().Aggregated("COUNT", "")),
		selecting("CTE with a dot", all.WithCTE(CTE{Name: "a.b", Query: posts})),
		selecting("SQL inside SQL", where(Raw(raw("id = ? OR age IN (?)", raw("? + 1", 1), raw("?, ?", 2, 3))))),
		inserting("insert of rows", all, Insert{Table: "users", Columns: []string{"age", "name"}, Rows: 2}, []any{int64(1), "x"}, []any{raw("? + 1", 1), sub{From("posts").WithColumns(Column{Name: "title"}), nil}}),
		inserting("insert that returns", all.WithColumns(Column{Name: "id"}, Column{Expr: raw("age + ?", 1), As: "more"}).Returning(), Insert{Table: "users", Columns: []string{"age"}, Rows: 1}, []any{int64(1)}),
		inserting("insert with a limit", all.WithLimit(1), Insert{Table: "users", Columns: []string{"age"}, Rows: 1}, []any{int64(1)}),
		writing("update that returns", where(Compare("id", Eq, 1)).Returning(), Set{Column: "age", Value: raw("age + ?", 1)}),
		writing("delete that returns", where(Compare("id", Eq, 1)).WithColumns(Column{Name: "name"}).Returning()),
		writing("delete with a CTE", where(Compare("id", Eq, 1)).WithCTE(CTE{Name: "old", Query: posts})),
		selecting("marks", where(Compare("id", Gt, 5)).WithMarks(equalTo("name", "a", "b", "c"))),
		selecting("padded marks", where(Compare("id", Gt, 5).Or()).WithMarks(equalTo("name", "a", "b", "c", "d", "e"))),
		selecting("negative offset", all.WithOffset(-1)),
		selecting("union", keyed.WithUnion(where(Compare("id", Eq, 2)).asSub(users), false).WithUnion(all.WithLimit(1).WithCond(Compare("id", Eq, 3)).asSub(users), true).WithOrder(Order{Column: "users.id"}).WithLimit(4)),
		selecting("for update", all.WithLock(ForUpdate)),
		selecting("for share", all.WithLock(ForShare)),
		selecting("skip locked", all.WithLock(ForUpdateSkipLocked)),
		selecting("nowait", all.WithLock(ForUpdateNoWait)),
		selecting("lock in a read's subquery", where(Exists(posts.WithLock(ForUpdate).asSub(posts.table)))),
		selecting("count", keyed.WithOrder(Order{Column: "id"}).Aggregated("COUNT", "")),
		selecting("count limit", keyed.WithLimit(3).Aggregated("COUNT", "")),
		selecting("count distinct", all.WithDistinct().WithColumns(Column{Name: "city"}, Column{Name: "users.city"}).Aggregated("COUNT", "")),
		selecting("sum", all.Aggregated("SUM", "age")),
		selecting("avg", all.Aggregated("SUM", "users.age", "COUNT", "AVG")),
		selecting("max with its row", all.WithLimit(3).Aggregated("MAX", "age", AllValues)),
		selecting("sum limit", all.WithColumns(Column{Name: "name"}).WithOrder(Order{Column: "age"}).WithLimit(2).Aggregated("SUM", "age")),
		selecting("exists query", keyed.WithOrder(Order{Column: "id"}).WithFixedLimit(1).ForExistence()),
		selecting("implicit", all.WithImplicit(Compare("city", Eq, "x"), Group(Compare("age", Lt, 3), Compare("age", Is, nil).Or()))),
		selecting("implicit beside or", where(Compare("id", Eq, 1), Compare("id", Eq, 2).Or()).WithImplicit(Compare("city", Eq, "x")).WithOrder(Order{Column: "id"})),
		selecting("implicit counted", where(Compare("id", Eq, 1), Compare("id", Eq, 2).Or()).WithImplicit(Not(Compare("city", Eq, "x"))).WithLimit(3).Aggregated("COUNT", "")),
		selecting("first page", paged(Keyset{})),
		selecting("page behind", paged(Keyset{After: []Key{{Value: "a"}, {Value: int64(3)}, {Value: int64(7)}}})),
		selecting("page behind NULLs", paged(Keyset{After: []Key{{}, {}, {Value: int64(7)}}})),
		selecting("page before", paged(Keyset{Back: true, After: []Key{{Value: "1.50", Decimal: true}, {}, {Value: int64(7)}}})),
		selecting("page with the row itself", paged(Keyset{With: true, After: []Key{{Value: "a"}, {Value: int64(3)}, {Value: int64(7)}}})),
		selecting("page of long texts", paged(Keyset{Whole: true, After: []Key{{Value: "a"}, {Value: int64(3)}, {Value: int64(7)}}})),
		selecting("unknown column", where(Compare("nope", Eq, 1))),
		selecting("unknown table", where(Compare("nope.id", Eq, 1))),
		selecting("reserved, quoted, odd names", From("select").WithColumns(Column{Name: "name", As: `a"b`}, Column{Name: "name", As: "c`d"}, Column{Name: "name", As: "Größe'; --"})),
		untyped("dots", From("a.b").WithCond(Compare("c.d.e", Eq, 1))),
		untyped("NUL", From("a\x00b")),
		untyped("not UTF-8", From("a\xffb")),
		untyped("empty part", From("a..b")),
		untyped("63", From(strings.Repeat("x", 63))),
		untyped("64", From(strings.Repeat("x", 64))),
		untyped("65", From(strings.Repeat("x", 65))),
		untyped("64 letters of two bytes", From(strings.Repeat("ü", 64))),
		writing("update", keyed, Set{Column: "name", Value: "x"}, Set{Column: "age", Value: 1, Add: true}, Set{Column: "city", Value: raw("UPPER(?)", "y")}, Set{Column: "boss_id", Value: posts.WithColumns(Column{Expr: raw("MAX(id)")}).asSub(posts.table)}),
		writing("additions", keyed, Set{Column: "age", Value: -2, Add: true, Sum: Unsigned}, Set{Column: "name", Value: 2, Add: true, Sum: Decimal}, Set{Column: "city", Value: raw("? * 2", 3), Add: true, Minus: true}, Set{Column: "boss_id", Value: 0.5, Add: true, Sum: Float}),
		writing("update with joins", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithJoin("JOIN", "app.tags AS t", "t.post_id", LtEq, "posts.id").WithCond(Compare("posts.title", Eq, "a")).WithCond(Compare("age", Gt, 2).Or()),
			Set{Column: "name", Value: &Expr{Term: ColumnTerm("posts.title")}}, Set{Column: "age", Value: 1, Add: true}),
		writing("update with a cross join", all.WithJoin("CROSS JOIN", "days", "", NoOp, "").WithCond(Compare("id", Eq, 2)), Set{Column: "name", Value: "x"}),
		writing("update with a left join", all.WithJoin("LEFT JOIN", "posts", "posts.user_id", Eq, "users.id").WithCond(Compare("id", Eq, 2)), Set{Column: "name", Value: "x"}),
		writing("update with a join and a limit", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithCond(Compare("id", Eq, 2)).WithLimit(1), Set{Column: "name", Value: "x"}),
		writing("update with a join that returns", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithCond(Compare("id", Eq, 2)).Returning(), Set{Column: "name", Value: "x"}),
		writing("update with a join and no condition", all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id"), Set{Column: "name", Value: "x"}),
		writing("update with a raw join", all.WithRawJoin(raw("JOIN x ON x.y = ?", 1)).WithCond(Compare("id", Eq, 2)), Set{Column: "name", Value: "x"}),
		writing("delete with a join", all.WithJoin("JOIN", "posts AS p", "p.user_id", Eq, "users.id").WithCond(Compare("p.title", Eq, "a")).WithCond(Compare("id", Eq, 2).Or())),
		writing("update all", all.WithAllRows(), Set{Column: "name", Value: nil}),
		writing("update nothing", keyed, []Set{}...),
		writing("update without condition", all, Set{Column: "name", Value: 1}),
		writing("update with an empty group", all.WithCond(Group(Group())), Set{Column: "name", Value: 1}),
		writing("update with limit", keyed.WithLimit(1), Set{Column: "name", Value: 1}),
		writing("delete", keyed),
		writing("delete with a locking subquery", where(Compare("id", In, posts.WithColumns(Column{Name: "user_id"}).WithLimit(1).WithLock(ForUpdateSkipLocked).asSub(posts.table)))),
		writing("delete without condition", all),
		insert("insert", Insert{Table: "users", Columns: []string{"id", "name"}, Rows: 2}),
		insert("insert defaults", Insert{Table: "users", Rows: 1, Returning: []string{"id", "age"}}),
		insert("upsert", Insert{Table: "users", Columns: []string{"id", "name"}, Rows: 1, Conflict: Replace, Keys: []string{"id"}, Sets: []string{"name"}}),
		selecting("arithmetic", all.WithColumns(
			Column{Expr: &Expr{Term: Arithmetic{Op: '+', Left: ColumnTerm("age"), Right: Literal{int64(1)}, Sum: Whole}}, As: "next"},
			Column{Expr: &Expr{Term: Arithmetic{Op: '-', Left: ColumnTerm("age"), Right: ColumnTerm("id"), Sum: Unsigned}}, As: "rest"},
			Column{Expr: &Expr{Term: Arithmetic{Op: '*', Left: ColumnTerm("age"), Right: Literal{2.5}, Sum: Float}}, As: "more"}),
		),
		selecting("arithmetic of decimals", all.WithColumns(
			Column{Expr: &Expr{Term: Arithmetic{Op: '+', Left: ColumnTerm("age"), Right: ColumnTerm("id"), Sum: Decimal}}, As: "sum"},
			Column{Expr: &Expr{Term: Arithmetic{Op: '*', Left: ColumnTerm("age"), Right: ColumnTerm("id"), Sum: Decimal}}, As: "product"},
			Column{Expr: &Expr{Term: Arithmetic{Op: '*', Left: ColumnTerm("age"), Right: Literal{"3"}, Sum: Decimal}}, As: "thrice"})),
		selecting("quotients", all.WithColumns(
			Column{Expr: &Expr{Term: Quotient{Left: ColumnTerm("age"), Right: ColumnTerm("id"), Sum: Whole}}, As: "whole"},
			Column{Expr: &Expr{Term: Quotient{Left: ColumnTerm("age"), Right: Literal{int64(2)}, Sum: Unsigned}}, As: "half"},
			Column{Expr: &Expr{Term: DecimalQuotient{Left: ColumnTerm("age"), Right: ColumnTerm("id"), Digits: 2}}, As: "part"},
			Column{Expr: &Expr{Term: DecimalQuotient{Left: Literal{"1.5"}, Right: ColumnTerm("id")}}, As: "rounded"})),
		selecting("frames", all.WithColumns(
			Column{Expr: &Expr{Term: Over{Func: Aggregate{Func: SumOf, Of: ColumnTerm("age")}, Frame: Frame{FrameRows, -2, 0}}}, As: "rows"},
			Column{Expr: &Expr{Term: Over{Func: Aggregate{Func: MeanOf, Of: ColumnTerm("age")}, Partition: []Term{ColumnTerm("city")}, Order: []Order{{Column: "id"}}, Frame: Frame{FrameRange, math.MinInt, 3}}}, As: "range"})),
		selecting("frame to the end", all.WithColumns(
			Column{Expr: &Expr{Term: Over{Func: Ranking{Func: LastValue, Of: ColumnTerm("age")}, Order: []Order{{Column: "id"}}, Frame: Frame{FrameRows, 0, math.MaxInt}}}, As: "last"})),
		selecting("windows that need a sort each", all.WithColumns(
			Column{Expr: &Expr{Term: Over{Func: Aggregate{Func: SumOf, Of: ColumnTerm("age")}}}, As: "all"},
			Column{Expr: &Expr{Term: Over{Func: Aggregate{Func: SumOf, Of: ColumnTerm("age")}, Partition: []Term{ColumnTerm("city")}}}, As: "city"},
			Column{Expr: &Expr{Term: Over{Func: Ranking{Func: RowNumber}, Order: []Order{{Column: "id"}}}}, As: "place"})),
		selecting("frame of groups", all.WithColumns(
			Column{Expr: &Expr{Term: Over{Func: Aggregate{Func: SumOf, Of: ColumnTerm("age")}, Order: []Order{{Column: "id"}}, Frame: Frame{FrameGroups, -1, 1}}}, As: "groups"})),
		{"clock", func(d *dialect.Dialect) (string, []any, error) { return Clock(d), nil, nil }},
		insert("upsert that tells", Insert{Table: "app.users", Columns: []string{"id", "name"}, Rows: 1, Conflict: Replace, Keys: []string{"id"}, Sets: []string{"name"}, Tells: true, Returning: []string{"id"}}),
		insert("upsert that tells the id", Insert{Table: "users", Columns: []string{"email", "name"}, Rows: 1, Conflict: Replace, Keys: []string{"email"}, Sets: []string{"name"}, Tells: true, KeepID: "id"}),
		insert("upsert of none that tells", Insert{Table: "users", Columns: []string{"id", "name"}, Rows: 2, Conflict: Ignore, Keys: []string{"id"}, Tells: true, Returning: []string{"id"}}),
		insert("upsert unless equal", Insert{Table: "users", Columns: []string{"id", "name", "city", "updated_at", "rev"}, Rows: 1, Conflict: Replace, Keys: []string{"id"}, Sets: []string{"name", "updated_at", "city"}, Equal: []string{"name", "city"}, Raise: "rev"}),
		insert("upsert unless equal that tells", Insert{Table: "users", Columns: []string{"id", "name"}, Rows: 1, Conflict: Replace, Keys: []string{"id"}, Sets: []string{"name"}, Equal: []string{"name"}, Tells: true, Returning: []string{"id"}}),
		insert("insert or keep", Insert{Table: "users", Columns: []string{"id", "name"}, Rows: 1, Conflict: Ignore, Keys: []string{"id"}}),
	}
}

func (q Query) asSub(t Table) sub { return sub{q, t} }

// decimals are n numbers as text.
func decimals(n int) (list []any) {
	for i := range n {
		list = append(list, strconv.Itoa(i)+".25")
	}
	return list
}

func number(text string) *Number {
	d, _ := value.ParseDecimal(text)
	return &Number{Decimal: d}
}

// jsonStatements look into the column city.
func jsonStatements() []statement {
	at := func(kind JSONKind, steps ...JSONStep) JSONValue {
		return JSONValue{JSONPath: JSONPath{ColumnTerm("city"), steps}, Kind: kind}
	}
	key := func(k string) JSONStep { return JSONStep{Key: k} }
	element := func(i int) JSONStep { return JSONStep{Index: i, Element: true} }
	text := at(JSONText, key(`a"b\<`), element(1))
	where := func(c ...Cond) Query {
		q := From("users")
		for _, c := range c {
			q = q.WithCond(c)
		}
		return q
	}
	return []statement{
		selecting("json text", where(CompareTerm(text, Eq, "x"), CompareTerm(text, In, []any{"x", nil}), CompareTerm(text, Like, "x%"), CompareTerm(text, Is, nil))),
		selecting("json numbers", where(CompareTerm(at(JSONWhole, key("n")), Gt, 1), CompareTerm(at(JSONFloat, element(0), key("n")), Between, []any{1.5, 2.5}))),
		selecting("json bool", where(CompareTerm(at(JSONBool), Eq, true))),
		selecting("json type", where(CompareTerm(at(JSONTypeName, key("a"), element(0)), IsNot, nil))),
		selecting("json contains", where(CompareTerm(JSONHas{text.JSONPath, JSONText, Literal{"x"}}, Eq, true), CompareTerm(JSONHas{JSONPath{ColumnTerm("city"), nil}, JSONWhole, Literal{int64(1)}}, Eq, true))),
		selecting("json selected and sorted", where().WithColumns(Column{Expr: &Expr{Term: text}, As: "t"}).WithOrder(Order{Expr: &Expr{Term: text}, Desc: true})),
		selecting("json key with a hyphen", where(CompareTerm(at(JSONText, key("-a")), Eq, "x"))),
		selecting("encrypted compared", where(Compare("ssn", Eq, "x"))),
		selecting("encrypted compared behind its table", where(Compare("users.ssn", Eq, "x"))),
		selecting("encrypted sorted", where().WithOrder(Order{Column: "ssn"})),
	}
}

func TestGolden_EveryStatementInEveryDialect(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		var b strings.Builder
		for _, s := range slices.Concat(goldenStatements(), jsonStatements()) {
			text, args, err := s.render(d)
			fmt.Fprintf(&b, "# %s\n", s.name)
			if err != nil {
				fmt.Fprintf(&b, "! %s\n\n", err)
				continue
			}
			fmt.Fprintf(&b, "%s\n", text)
			if len(args) > 0 {
				fmt.Fprintf(&b, "%v\n", args)
			}
			b.WriteString("\n")
		}
		path := filepath.Join("testdata", "golden", d.Name+".golden")
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), b.String(), "go test ./internal/sqlgen -update writes %s", path)
	}
}

// Rows are numbered only where that takes nothing but the columns of the table, each once.
func TestNumberable_IsAShortListOfPlainColumns(t *testing.T) {
	t.Parallel()
	keys := upTo(minNumbered)
	all := From("users").WithLimit(3)
	asked := func(q Query, keys []int64) Query { return q.WithEachInt("age", keys, []string{"id"}, false) }
	require.True(t, new(asked(all, keys)).numberable(users))
	require.True(t, new(asked(all.WithOffset(maxNumbered-3), keys)).numberable(users))
	require.False(t, new(asked(all, keys)).numberable(nil))
	require.True(t, new(all.WithEachOf(several(minNumbered), []string{"id"}, false)).numberable(users))
	for name, q := range map[string]Query{
		"few keys":       asked(all, keys[1:]),
		"other keys":     all.WithEach(equalTo("age", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), nil, false),
		"no limit":       asked(From("users").WithOffset(1), keys),
		"none":           asked(all.WithLimit(0), keys),
		"negative":       asked(all.WithLimit(-1), keys),
		"long":           asked(all.WithLimit(maxNumbered+1), keys),
		"very long":      asked(all.WithLimit(math.MaxInt64).WithOffset(1), keys),
		"far":            asked(all.WithOffset(maxNumbered-2), keys),
		"backwards":      asked(all.WithOffset(-1), keys),
		"raw order":      asked(all.WithOrder(Order{Expr: raw("age")}), keys),
		"order of nulls": asked(all.WithOrder(Order{Column: "age", Nulls: NullsLast}), keys),
		"join":           asked(all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id"), keys),
		"CTE":            asked(all.WithCTE(CTE{Name: "posts", Query: sub{From("tags"), nil}}), keys),
		"subquery":       asked(FromQuery(From("users"), "users").WithLimit(3), keys),
		"alias":          asked(all.WithColumns(Column{Name: "age", As: "years"}), keys),
		"raw column":     asked(all.WithColumns(Column{Expr: raw("age")}), keys),
		"star":           asked(all.WithColumns(Column{Name: "users.*"}), keys),
	} {
		require.False(t, q.numberable(users), name)
	}
}

// truth 317
// The rows of each key are asked for together only where that changes none of them.
func TestDivisible_IsAQueryOfPlainRows(t *testing.T) {
	t.Parallel()
	all := From("users")
	alias := Column{Expr: raw("-age AS years")}
	for name, q := range map[string]Query{
		"all":            all,
		"order":          all.WithOrder(Order{Column: "age"}),
		"alias":          all.WithColumns(alias, Column{Name: "age"}).WithOrder(Order{Column: "age"}),
		"join and limit": all.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id").WithLimit(1),
	} {
		require.True(t, q.Divisible(true), name)
		require.True(t, q.Divisible(false), name)
	}
	rawOrder := all.WithColumns(Column{Name: "name"}).WithOrder(Order{Expr: raw("age")})
	require.True(t, rawOrder.Divisible(false))
	require.False(t, rawOrder.Divisible(true), "how it sorts is in its text")
	for name, q := range map[string]Query{
		"distinct":         all.WithDistinct(),
		"groups":           all.WithGroups("city"),
		"union":            all.WithUnion(all.asSub(users), true),
		"lock":             all.WithLock(ForUpdate),
		"order by alias":   all.WithColumns(alias).WithOrder(Order{Column: "years"}),
		"raw beside alias": all.WithColumns(alias).WithOrder(Order{Expr: raw("years")}),
		"other name":       all.WithColumns(Column{Name: "age", As: "name"}).WithOrder(Order{Column: "name"}),
	} {
		require.False(t, q.Divisible(true), name)
		require.False(t, q.Divisible(false), name)
	}
	require.True(t, new(all.WithColumns(Column{Name: "id", As: "age"})).Names("age"))
	require.False(t, new(all.WithColumns(Column{Name: "age"})).Names("age"))
	require.False(t, all.Names("age"))
}
