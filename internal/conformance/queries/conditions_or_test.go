package queries

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestQuery_EveryConditionHasItsOr(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		age, name := dbfleet.Col[*int64]("age"), dbfleet.Col[string]("name")
		first := l.people.Where("id", "=", 1)
		for claim, tc := range map[string]struct {
			q    *dbfleet.Query[person]
			want []int64
		}{
			"in":               {first.OrWhereIn("city", []string{"rome", "paris"}), []int64{1, 2, 4, 5}},
			"in nothing":       {first.OrWhereIn("city", []string{}), []int64{1}},
			"in a query":       {first.OrWhereIn("id", l.people.Where("age", "<", 10).Select("id")), []int64{1, 6}},
			"not in":           {first.OrWhereNotIn("id", []int64{1, 2, 3}), []int64{1, 4, 5, 6}},
			"null":             {first.OrWhereNull("age"), []int64{1, 3}},
			"not null":         {l.people.Where("id", "=", 3).OrWhereNotNull("age"), []int64{1, 2, 3, 4, 5, 6}},
			"filter":           {first.OrFilter(age.Eq(at[int64](36)), dbfleet.Col[string]("city").Eq("paris")), []int64{1, 5}},
			"filter of an or":  {first.OrFilter(dbfleet.Or(age.IsNull(), name.Eq("bob"))), []int64{1, 2, 3}},
			"filter of none":   {first.OrFilter(), []int64{1}},
			"and binds closer": {first.OrWhereNull("age").Where("id", "=", 6), []int64{1}},
			"alone":            {l.people.Query().OrWhereNull("age"), []int64{3}},
		} {
			got, err := dbfleet.Pluck[int64](t.Context(), tc.q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err, claim)
			require.Equal(t, tc.want, got, claim)
		}
	})
}

func TestCol_PartsOfTextsAreTakenLiterally(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE texts (id {id}, body {text})")
		texts := fl.DB("main").Table("texts")
		all := []string{"100%", "100 percent", "a_b", "axb", `c:\dir`, `c:dir`, "%", "_", `\`, "", "é%é"}
		for i, body := range all {
			_, err := texts.Insert(ctx, dbfleet.Row{"id": i + 1, "body": body})
			require.NoError(t, err)
		}
		col := dbfleet.Col[string]("body")
		for claim, tc := range map[string]struct {
			c    dbfleet.Cond
			want []string
		}{
			"begins":             {col.StartsWith("100%"), []string{"100%"}},
			"begins with %":      {col.StartsWith("%"), []string{"%"}},
			"ends":               {col.EndsWith(`\dir`), []string{`c:\dir`}},
			"ends with a letter": {col.EndsWith("r"), []string{`c:\dir`, `c:dir`}},
			"contains _":         {col.Contains("_"), []string{"a_b", "_"}},
			"contains a slash":   {col.Contains(`\`), []string{`c:\dir`, `\`}},
			"contains %":         {col.Contains("%"), []string{"100%", "%", "é%é"}},
			"everything":         {col.Contains(""), all},
			"negated":            {dbfleet.Not(col.StartsWith("1"), col.EndsWith("%")), append([]string{"100 percent"}, all[2:]...)},
		} {
			got, err := dbfleet.Pluck[string](ctx, texts.Filter(tc.c).OrderBy("id", dbfleet.Asc), "body")
			require.NoError(t, err, claim)
			require.Equal(t, tc.want, got, claim)
		}
	})
}

// What StartsWith's documentation says of letters' case.
func TestCol_StartsWithTellsCaseAsTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		column := map[string]string{"mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}[fl.Database.Dialect]
		if column == "" {
			column = "TEXT"
		}
		fl.Create(t, "CREATE TABLE texts (id {id}, body "+column+")", "INSERT INTO texts (body) VALUES ('Anna')")
		n, err := fl.DB("main").Table("texts").Filter(dbfleet.Col[string]("body").StartsWith("aN")).Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, map[string]int{"sqlite": 1, "postgres": 0, "mysql": 1}[fl.Database.Dialect], n)
	})
}

// One's own SQL stands wherever a condition or a value does.
func TestRaw_IsAConditionAndAValue(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLibrary(t, fl)
		built := squirrel.Expr("? + 1", 1)
		ids := func(q *dbfleet.Query[person]) []int64 {
			got, err := dbfleet.Pluck[int64](ctx, q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err)
			return got
		}
		require.Equal(t, []int64{2}, ids(l.people.Filter(dbfleet.Raw("id = ?", 2))))
		require.Equal(t, []int64{2}, ids(l.people.Where("id", "=", dbfleet.Raw("1 + ?", 1))))
		require.Equal(t, []int64{2}, ids(l.people.Where("id", "=", dbfleet.Expr(built))))
		require.Equal(t, []int64{1, 2}, ids(l.people.WhereIn("id", dbfleet.Raw("?, ?", 1, 2))))
		require.Equal(t, []int64{2, 3}, ids(l.people.Query().WhereRaw("id = ? OR id = ?", dbfleet.Raw("1 + ?", 1), dbfleet.Expr(squirrel.Expr("3")))), "inside other SQL")
		_, err := l.people.Where("id", "=", 1).Update(ctx, dbfleet.Row{"age": dbfleet.Raw("age + ?", 1), "city": dbfleet.Expr(squirrel.Expr("UPPER(city)"))})
		require.NoError(t, err)
		_, err = l.people.Where("id", "=", 1).Increment(ctx, "age", dbfleet.Raw("? + 1", 1))
		require.NoError(t, err)
		ada, err := l.people.Find(ctx, 1)
		require.NoError(t, err)
		require.EqualValues(t, 39, *ada.Age)
		require.Equal(t, "LONDON", ada.City)
		// Another condition is no value.
		other := dbfleet.Col[int]("age").Gt(1)
		_, err = l.people.Where("id", "=", 1).Update(ctx, dbfleet.Row{"age": other})
		require.ErrorContains(t, err, "a condition is no value; Raw and Expr are")
		_, err = l.people.Where("id", "=", other).Get(ctx)
		require.ErrorContains(t, err, "a condition is no value; Raw and Expr are")
		_, err = l.people.Query().WhereRaw("id = ?", other).Get(ctx)
		require.ErrorContains(t, err, "a condition is no value; Raw and Expr are")
		_, err = l.people.Where("id", "=", dbfleet.Cond{}).Get(ctx)
		require.ErrorContains(t, err, "a condition is no value; Raw and Expr are")
		for _, q := range []*dbfleet.Query[person]{l.people.WhereIn("id", []any{1, dbfleet.Raw("2")}), l.people.Query().WhereBetween("id", dbfleet.Raw("1"), 2)} {
			_, err = q.Get(ctx)
			require.ErrorContains(t, err, `column "id"`)
			require.ErrorContains(t, err, "dbfleet.Cond")
		}
	})
}
