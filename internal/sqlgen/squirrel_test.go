package sqlgen

import (
	"fmt"
	"strings"
	"testing"

	sq "github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

type notSQL struct{}

func (notSQL) ToSql() (string, []any, error) { return "", nil, fmt.Errorf("no SQL") }

type literally string

func (l literally) ToSql() (string, []any, error) { return string(l), nil, nil }

// What squirrel would send as it is, meaning something else, is refused: at the
// top and however deep inside a statement.
func TestSquirrel_TrapsAreRefused(t *testing.T) {
	t.Parallel()
	one := sq.Select("id").From("users")
	for claim, tc := range map[string]struct {
		s    sq.Sqlizer
		says string
	}{
		"nil":                           {nil, "empty"},
		"nil pointer":                   {(*sq.SelectBuilder)(nil), "nil"},
		"error":                         {notSQL{}, "no SQL"},
		"no SQL":                        {literally("  "), "renders no SQL"},
		"empty Eq":                      {sq.Eq{}, "empty condition"},
		"empty NotEq":                   {sq.NotEq{}, "empty condition"},
		"empty Lt":                      {sq.Lt{}, "empty condition"},
		"empty ILike":                   {sq.ILike{}, "empty condition"},
		"empty And":                     {sq.And{}, "empty condition"},
		"empty Or":                      {sq.Or{}, "empty condition"},
		"pointer to empty Eq":           {&sq.Eq{}, "empty condition"},
		"empty Eq in And":               {sq.And{sq.Eq{"id": 1}, sq.Eq{}}, "empty condition"},
		"empty Eq in Where":             {one.Where(sq.Eq{}), "empty condition"},
		"empty Eq in And in Where":      {one.Where(sq.And{sq.Eq{"id": 1}, sq.Or{sq.Eq{}}}), "empty condition"},
		"empty map in Where":            {one.Where(map[string]any{}), "empty condition"},
		"empty Eq in Having":            {one.GroupBy("id").Having(sq.Eq{}), "empty condition"},
		"empty Eq in UPDATE":            {sq.Update("users").Set("a", 1).Where(sq.Eq{}), "empty condition"},
		"empty Eq in DELETE":            {sq.Delete("users").Where(sq.Eq{}), "empty condition"},
		"empty Eq in a subquery":        {one.FromSelect(one.Where(sq.Eq{}), "x"), "empty condition"},
		"empty Eq in an expression":     {sq.Expr("id IN (?)", one.Where(sq.Eq{})), "empty condition"},
		"empty Eq in a union":           {one.Suffix("UNION ?", 1).SuffixExpr(sq.And{}), "empty condition"},
		"empty Eq in ConcatExpr":        {sq.ConcatExpr("NOT ", sq.Eq{}), "empty condition"},
		"key that is SQL":               {sq.Eq{"id = 1 OR 1": 1}, "not a column"},
		"key with a comment":            {sq.Eq{"id -- ": 1}, "not a column"},
		"key that breaks its quotes":    {sq.Eq{`"a" = "b`: 1}, "not a column"},
		"empty key":                     {sq.Gt{"": 1}, "not a column"},
		"key that is SQL, in Where":     {one.Where(sq.Eq{"1=1 OR id": 1}), "not a column"},
		"key that is SQL, in a map":     {one.Where(map[string]any{"1=1 OR id": 1}), "not a column"},
		"key that is SQL, in Or":        {one.Where(sq.Or{sq.Eq{"id": 1}, sq.Like{"1=1 OR id": "a"}}), "not a column"},
		"key that is SQL, in a Case":    {sq.Case().When(sq.Eq{"1=1 OR id": 1}, "1"), "not a column"},
		"column that is SQL, in INSERT": {sq.Insert("users").Columns("a) SELECT").Values(1), "not a column"},
		"column that is SQL, in a map":  {sq.Insert("users").SetMap(map[string]any{"a, b": 1}), "not a column"},
		"column that is SQL, in UPDATE": {sq.Update("users").Set("a = 1, b", 1).Where(sq.Eq{"id": 1}), "not a column"},
		"column that is SQL, in maps":   {sq.Update("users").SetMap(map[string]any{"a = 1, b": 1}).Where(sq.Eq{"id": 1}), "not a column"},
		"ragged rows":                   {sq.Insert("users").Columns("a", "b").Values(1, 2).Values(3), "row 1"},
		"ragged rows without columns":   {sq.Insert("users").Values(1, 2).Values(3), "row 1"},
		"too few values":                {sq.Insert("users").Columns("a", "b").Values(1), "row 0"},
		"pointer to ragged rows":        {at(sq.Insert("users").Columns("a").Values(1, 2)), "row 0"},
		"numbered placeholders":         {sq.Expr("id = $1", 1), "numbered placeholder $1"},
		"numbered in a subquery":        {sq.Expr("id IN (?)", one.Where(sq.Eq{"id": 1}).PlaceholderFormat(sq.Dollar)), "numbered placeholder"},
		"numbered in an alias":          {sq.Select("id").Column(sq.Alias(one.Where("a = ?", 1).PlaceholderFormat(sq.Dollar), "n")).From("x"), "numbered placeholder"},
		"too few arguments":             {sq.Expr("a = ? AND b = ?", 1), "2 placeholders for 1 arguments"},
		"too many arguments":            {sq.Expr("a = ?", 1, 2), "1 placeholders for 2 arguments"},
		"too few arguments in Where":    {one.Where("a = ? AND b = ?", 1), "2 placeholders for 1 arguments"},
		"other placeholders":            {sq.Expr("a = :1", 1), "0 placeholders for 1 arguments"},
		"open literal":                  {sq.Expr("a = 'x"), "quotes"},
		"open comment":                  {sq.Expr("a = 1 -- "), "comment"},
		"NUL":                           {sq.Expr("a = '\x00'"), "NUL"},
	} {
		for _, d := range dialects {
			q := From("users").WithCond(Raw(&Expr{Sqlizer: tc.s}))
			text, args, err := Select(&q, env(d, nil))
			var fault *StatementError
			require.ErrorAs(t, err, &fault, claim)
			require.Contains(t, err.Error(), tc.says, claim)
			require.Equal(t, "users", fault.Table, claim)
			require.Empty(t, text)
			require.Empty(t, args)
			if !strings.HasPrefix(claim, "open") {
				_, _, err = Text(&Expr{Sqlizer: tc.s}, env(d, nil))
				require.Error(t, err, claim)
			}
		}
	}
}

func at[V any](v V) *V { return &v }

func TestSquirrel_StatementsOfAnyFormatAreNumberedOnce(t *testing.T) {
	t.Parallel()
	inner := sq.Select("id").From("posts").Where(sq.Eq{"a": 1, "b": []int{2, 3}})
	for _, format := range []sq.PlaceholderFormat{sq.Question, sq.Dollar, sq.Colon, sq.AtP} {
		s := sq.Select(`"order"`, "u.name").From("users u").Where(sq.And{sq.Expr("id IN (?)", inner), sq.NotEq{"u.`x y`": 4}, sq.NotEq{"z": []int{}}}).
			JoinClause("JOIN t ON t.x = ?", 0).GroupBy("a").Having("n > ?", 5).OrderByClause("c = ?", 6).Limit(7).Suffix("FOR UPDATE /* ? */").PlaceholderFormat(format)
		for _, whole := range []sq.Sqlizer{s, &s} {
			text, args, err := Text(&Expr{Sqlizer: whole}, env(dialect.Postgres, nil))
			require.NoError(t, err)
			require.Equal(t, `SELECT "order", u.name FROM users u JOIN t ON t.x = $1 WHERE (id IN (SELECT id FROM posts WHERE a = $2 AND b IN ($3,$4)) AND u.`+"`x y`"+
				` <> $5 AND (1=1)) GROUP BY a HAVING n > $6 ORDER BY c = $7 LIMIT 7 FOR UPDATE /* ? */`, text)
			require.Equal(t, []any{int64(0), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6)}, args)
		}
	}
	for s, want := range map[sq.Sqlizer][2]bool{
		at(sq.Select("1")):                             {false, false},
		at(sq.Insert("t").Values(1)):                   {true, false},
		at(sq.Update("t").Set("a", 1)):                 {true, true},
		at(sq.Update("t").Set("a", 1).Where("id = 1")): {true, false},
		at(sq.Delete("t").Suffix("RETURNING *")):       {true, true},
		at(sq.Delete("t").Where(sq.Eq{"id": 1})):       {true, false},
		at(literally("DELETE FROM t")):                 {false, false},
	} {
		writes, unconditional := Verb(s)
		require.Equal(t, want, [2]bool{writes, unconditional})
	}
}

// hazard 359, 227: the text of a query's own parts never depends on values.
func TestRender_ValuesNeverReachTheText(t *testing.T) {
	t.Parallel()
	evil := `'; DROP TABLE users; -- " ` + "`" + ` \ $1 ?`
	for _, d := range dialects {
		texts := map[string]bool{}
		for _, v := range []any{evil, "x"} {
			q := From("users").WithCond(Compare("name", Eq, v)).WithCond(Compare("name", In, []any{v, v})).WithCond(Compare("name", Like, v).Or()).
				WithCond(Raw(raw("name = ?", v))).WithCond(Compare("name", Between, []any{v, v})).WithHaving(Compare("name", NotEq, v)).
				WithColumns(Column{Expr: raw("? AS a", v)}).WithOrder(Order{Expr: raw("name = ?", v)}).WithRawJoin(raw("JOIN x ON y = ?", v))
			text, args, err := Select(&q, env(d, nil))
			require.NoError(t, err)
			require.NotEmpty(t, args)
			texts[text] = true
			text, _, err = Update(at(From("users").WithCond(Compare("id", Eq, v))), []Set{{Column: "name", Value: v}}, env(d, nil))
			require.NoError(t, err)
			texts[text] = true
		}
		require.Len(t, texts, 2)
		for text := range texts {
			require.NotContains(t, text, "DROP")
		}
	}
}
