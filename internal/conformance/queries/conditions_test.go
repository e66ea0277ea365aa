package queries

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// promise 12, 13: every word of the language, against rows.
func TestQuery_EveryConditionFindsItsRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		type Q = *dbfleet.Query[person]
		age, name, id := dbfleet.Col[*int64]("age"), dbfleet.Col[string]("name"), dbfleet.Col[int64]("id")
		for claim, tc := range map[string]struct {
			q    Q
			want []int64
		}{
			"=":                   {l.people.Where("name", "=", "ada"), []int64{1}},
			"!=":                  {l.people.Where("age", "!=", 36), []int64{2, 4, 6}},
			"<>":                  {l.people.Where("city", "<>", "london"), []int64{2, 4, 5, 6}},
			"<":                   {l.people.Where("age", "<", 18), []int64{6}},
			"<=":                  {l.people.Where("age", "<=", 18), []int64{4, 6}},
			">":                   {l.people.Where("age", ">", 36), []int64{2}},
			">=":                  {l.people.Where("age", ">=", 36), []int64{1, 2, 5}},
			"= zero":              {l.people.Where("age", "=", 0), []int64{6}},
			"= false":             {l.people.Where("active", "=", false), []int64{2, 4, 6}},
			"= true as 1":         {l.people.Where("active", "=", 1), []int64{1, 3, 5}},
			"= nil":               {l.people.Where("age", "=", nil), []int64{3}},
			"= nil pointer":       {l.people.Where("age", "=", (*int64)(nil)), []int64{3}},
			"= invalid sql.Null":  {l.people.Where("age", "=", sql.NullInt64{}), []int64{3}},
			"!= nil":              {l.people.Where("age", "!=", nil), []int64{1, 2, 4, 5, 6}},
			"is nil":              {l.people.Where("age", "is", nil), []int64{3}},
			"is value":            {l.people.Where("age", "IS", 36), []int64{1, 5}},
			"is not nil":          {l.people.Where("age", "is NOT", nil), []int64{1, 2, 4, 5, 6}},
			"is not value":        {l.people.Where("age", "IS NOT", 36), []int64{2, 3, 4, 6}},
			"like":                {l.people.Where("name", "LIKE", "%a%"), []int64{1, 4}},
			"not like":            {l.people.Where("name", "not like", "%a%"), []int64{2, 3, 5, 6}},
			"ilike":               {l.people.Where("name", "ILIKE", "A%"), []int64{1}},
			"not ilike":           {l.people.Where("name", "NOT ILIKE", "%A%"), []int64{2, 3, 5, 6}},
			"in":                  {l.people.Where("id", "IN", []int{1, 2, 2, 9}), []int64{1, 2}},
			"not in":              {l.people.Where("id", "NOT IN", []int64{1, 2}), []int64{3, 4, 5, 6}},
			"between":             {l.people.Where("age", "BETWEEN", []int{18, 36}), []int64{1, 4, 5}},
			"not between":         {l.people.Where("age", "NOT BETWEEN", []int{18, 36}), []int64{2, 6}},
			"own table":           {l.people.Where("people.name", "=", "ada"), []int64{1}},
			"or":                  {l.people.Where("id", "=", 1).OrWhere("id", "=", 2).Where("age", ">", 40), []int64{1, 2}},
			"group":               {l.people.Where("age", ">", 40).WhereGroup(func(q Q) Q { return q.Where("id", "=", 1).OrWhere("id", "=", 2) }), []int64{2}},
			"or group":            {l.people.Where("id", "=", 6).OrWhereGroup(func(q Q) Q { return q.Where("age", "=", 36).Where("city", "=", "paris") }), []int64{5, 6}},
			"not":                 {l.people.Query().WhereNot(func(q Q) Q { return q.Where("age", ">=", 36).OrWhere("city", "=", "rome") }), []int64{6}},
			"where in":            {l.people.WhereIn("city", []string{"rome", "paris"}), []int64{2, 4, 5}},
			"where in query":      {l.people.WhereIn("id", l.posts.Select("person_id").Where("views", ">", 8)), []int64{1, 5}},
			"where not in":        {l.people.Query().WhereNotIn("city", []string{"rome", "paris"}), []int64{1, 3, 6}},
			"where not in query":  {l.people.Query().WhereNotIn("id", l.posts.Select("person_id").WhereNotNull("person_id")), []int64{3, 4, 6}},
			"null":                {l.people.Query().WhereNull("age"), []int64{3}},
			"not null":            {l.people.Query().WhereNotNull("boss_id"), []int64{2, 3, 4, 5}},
			"where between":       {l.people.Query().WhereBetween("age", 36, 41), []int64{1, 2, 5}},
			"column":              {l.people.Query().WhereColumn("id", "<", "age"), []int64{1, 2, 4, 5}},
			"exists":              {l.people.Query().WhereExists(l.posts.Query().WhereColumn("posts.person_id", "=", "people.id").Where("title", "=", "one")), []int64{1, 5}},
			"not exists":          {l.people.Query().WhereNotExists(l.posts.Query().WhereColumn("posts.person_id", "=", "people.id")), []int64{3, 4, 6}},
			"raw":                 {l.people.Query().WhereRaw("age + ? > ?", 1, 41), []int64{2}},
			"or raw":              {l.people.Where("id", "=", 3).OrWhereRaw("age = ? OR age = ?", 0, 18), []int64{3, 4, 6}},
			"raw with query":      {l.people.Query().WhereRaw("id IN ? AND age > ?", l.posts.Select("person_id").Where("views", "<", 8), 40), []int64{2}},
			"scalar query":        {l.people.Where("age", "=", l.people.Query().SelectRaw("MAX(age)")), []int64{2}},
			"value as SQL":        {l.people.Where("age", "=", dbfleet.Raw("id * ?", 36)), []int64{1}},
			"list as SQL":         {l.people.Where("id", "IN", dbfleet.Raw("SELECT person_id FROM posts WHERE views > ?", 8)), []int64{1, 5}},
			"filter":              {l.people.Filter(age.Eq(at[int64](36)), name.NotEq("eve")), []int64{1}},
			"filter null":         {l.people.Filter(age.Eq(nil)), []int64{3}},
			"filter or":           {l.people.Filter(dbfleet.Or(id.Lt(2), id.Gt(5), name.Like("d%"))), []int64{1, 4, 6}},
			"filter and":          {l.people.Filter(dbfleet.Or(dbfleet.And(id.GtEq(2), id.LtEq(3)), id.In(6))), []int64{2, 3, 6}},
			"filter not":          {l.people.Filter(dbfleet.Not(id.Between(2, 5))), []int64{1, 6}},
			"filter in none":      {l.people.Filter(id.In()), []int64{}},
			"filter not in none":  {l.people.Filter(id.NotIn()), []int64{1, 2, 3, 4, 5, 6}},
			"filter not in":       {l.people.Filter(id.NotIn(1, 2, 3)), []int64{4, 5, 6}},
			"filter nulls":        {l.people.Filter(age.IsNull()).OrWhere("boss_id", "=", 1), []int64{2, 3}},
			"filter not null":     {l.people.Filter(age.IsNotNull(), dbfleet.Raw("city = ?", "london")), []int64{1}},
			"filter squirrel":     {l.people.Filter(dbfleet.Expr(squirrel.Or{squirrel.Eq{"id": []int{1, 3}}, squirrel.Gt{"age": 40}})), []int64{1, 2, 3}},
			"filter squirrel sub": {l.people.Filter(dbfleet.Expr(squirrel.Expr("id IN (?)", squirrel.Select("person_id").From("posts").Where(squirrel.Lt{"views": 8})))), []int64{2, 5}},
			"limit 0":             {l.people.Limit(0), []int64{}},
			"in nothing":          {l.people.WhereIn("id", []int64(nil)), []int64{}},
			"not in nothing":      {l.people.Query().WhereNotIn("id", []int64{}), []int64{1, 2, 3, 4, 5, 6}},
			"in with nil":         {l.people.WhereIn("age", []any{18, nil}), []int64{3, 4}},
			"in only nil":         {l.people.WhereIn("age", []any{nil}), []int64{3}},
			"in pointers":         {l.people.WhereIn("age", []*int64{at[int64](18), nil}), []int64{3, 4}},
			"not in with nil":     {l.people.Query().WhereNotIn("age", []any{18, nil}), []int64{1, 2, 5, 6}},
			"in valuers":          {l.people.WhereIn("age", []sql.NullInt64{{Int64: 18, Valid: true}, {}}), []int64{3, 4}},
			"in mixed":            {l.people.WhereIn("age", []any{"18", int8(36), 0.0}), []int64{1, 4, 5, 6}},
			"in array":            {l.people.WhereIn("id", [2]int64{4, 6}), []int64{4, 6}},
		} {
			require.Equal(t, tc.want, ids(t, tc.q), claim)
			// The same rows by every other way of reading them.
			n, err := tc.q.Count(t.Context())
			require.NoError(t, err, claim)
			require.EqualValues(t, len(tc.want), n, claim)
			found, err := tc.q.Exists(t.Context())
			require.NoError(t, err, claim)
			require.Equal(t, len(tc.want) > 0, found, claim)
			plucked, err := dbfleet.Pluck[int64](t.Context(), tc.q, "id")
			require.NoError(t, err, claim)
			require.ElementsMatch(t, tc.want, plucked, claim)
			for _, key := range []int64{1, 2, 3, 4, 5, 6} {
				p, err := tc.q.Find(t.Context(), key)
				if slices.Contains(tc.want, key) {
					require.NoError(t, err, claim)
					require.Equal(t, key, p.ID, claim)
				} else {
					require.ErrorIs(t, err, dbfleet.ErrNotFound, claim)
				}
			}
		}
	})
}

type blob struct {
	ID    int64
	Data  []byte
	Token [16]byte
	Note  *string
}

// upper is a Valuer of text.
type upper string

func (u upper) Value() (driver.Value, error) {
	if u == "broken" {
		return nil, fmt.Errorf("no value")
	}
	return strings.ToUpper(string(u)), nil
}

// hazard 75: what is one value is never expanded, what is a list is.
func TestConditions_BytesAndUUIDsAreSingleValues(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE blobs (id {id}, data {bytes}, token {uuid}, note {text})`)
		blobs := conformance.Model[blob](t, fl.Registry, dbfleet.ModelConfig{Table: "blobs"})
		one, two := [16]byte{1, 2, 3}, [16]byte{0xff}
		require.NoError(t, blobs.CreateMany(ctx, []blob{
			{ID: 1, Data: []byte{1, 2, 3}, Token: one, Note: at("A")}, {ID: 2, Data: []byte{0, 0xff, 0}, Token: two, Note: at("{1,2}")}, {ID: 3, Data: []byte{}, Token: two},
		}))
		for claim, tc := range map[string]struct {
			q    *dbfleet.Query[blob]
			want []int64
		}{
			"bytes":              {blobs.Where("data", "=", []byte{1, 2, 3}), []int64{1}},
			"bytes with zeros":   {blobs.Where("data", "=", []byte{0, 0xff, 0}), []int64{2}},
			"no bytes":           {blobs.Where("data", "=", []byte{}), []int64{3}},
			"nil bytes":          {blobs.Where("data", "=", []byte(nil)), []int64{}},
			"list of bytes":      {blobs.WhereIn("data", [][]byte{{1, 2, 3}, {}, {9}}), []int64{1, 3}},
			"not list of bytes":  {blobs.Query().WhereNotIn("data", [][]byte{{1, 2, 3}, {}}), []int64{2}},
			"uuid":               {blobs.Where("token", "=", one), []int64{1}},
			"uuid text":          {blobs.Where("token", "=", "01020300-0000-0000-0000-000000000000"), []int64{1}},
			"list of uuids":      {blobs.WhereIn("token", [][16]byte{one, two}), []int64{1, 2, 3}},
			"typed uuids":        {blobs.Filter(dbfleet.Col[[16]byte]("token").In(two)), []int64{2, 3}},
			"valuer":             {blobs.Where("note", "=", upper("a")), []int64{1}},
			"valuers":            {blobs.WhereIn("note", []any{upper("a"), "x", nil}), []int64{1, 3}},
			"raw bytes":          {blobs.Query().WhereRaw("data = ?", []byte{1, 2, 3}), []int64{1}},
			"expr bytes":         {blobs.Filter(dbfleet.Expr(squirrel.Expr("data = ?", []byte{1, 2, 3}))), []int64{1}},
			"duplicates, mixed":  {blobs.WhereIn("id", []any{1, int8(1), uint(1), "1", 3.0, at(3)}), []int64{1, 3}},
			"range over nothing": {blobs.Query().WhereBetween("id", 3, 1), []int64{}},
		} {
			list, err := tc.q.OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err, claim)
			got := []int64{}
			for _, b := range list {
				got = append(got, b.ID)
			}
			require.Equal(t, tc.want, got, claim)
		}

		count, _ := sent(fl.Registry)
		for claim, tc := range map[string]struct {
			column, op string
			value      any
			typed      bool // only a model knows
		}{
			"bytes as a list":       {"data", "IN", []byte{1, 2}, false},
			"uuid as a list":        {"token", "IN", one, false},
			"text as a list":        {"note", "IN", "abc", false},
			"number as a list":      {"id", "IN", 5, false},
			"nil as a list":         {"id", "IN", nil, false},
			"map as a list":         {"id", "IN", map[string]any{"$gt": 0}, false}, // hazard 345
			"list as a number":      {"id", "=", []int{1, 2}, true},
			"list as text":          {"note", "=", []int{1, 2}, true},
			"texts as text":         {"note", "!=", []string{"{1,2}"}, true},
			"map as a value":        {"id", "=", map[string]any{"$gt": 0}, false},
			"struct as a value":     {"note", "=", struct{ A int }{1}, false},
			"channel":               {"note", "=", make(chan int), false},
			"nested list":           {"id", "IN", [][]int{{1}}, true},
			"text for a number":     {"id", "=", "1 OR 1=1", true},
			"text among numbers":    {"id", "NOT IN", []any{1, "x"}, true},
			"between one":           {"id", "BETWEEN", []int{1}, false},
			"between three":         {"id", "BETWEEN", []int{1, 2, 3}, false},
			"between nil":           {"id", "NOT BETWEEN", []any{nil, 2}, false},
			"between text":          {"note", "BETWEEN", "ab", false},
			"less than nil":         {"id", "<", nil, false},
			"like nil":              {"note", "LIKE", nil, false},
			"like number":           {"note", "LIKE", 5, true},
			"broken valuer":         {"note", "=", upper("broken"), false},
			"broken valuer in list": {"note", "IN", []upper{"broken"}, false},
		} {
			_, err := blobs.Where(tc.column, tc.op, tc.value).Get(ctx)
			require.Error(t, err, claim)
			require.Contains(t, err.Error(), tc.column, claim)
			n, err := blobs.Where(tc.column, tc.op, tc.value).Delete(ctx)
			require.Error(t, err, claim)
			require.Zero(t, n)
			if !tc.typed {
				_, err = fl.DB("main").Table("blobs").Where(tc.column, tc.op, tc.value).Get(ctx)
				require.Error(t, err, claim)
				require.Contains(t, err.Error(), tc.column, claim)
			}
		}
		require.Zero(t, count(), "nothing was sent")
	})
}

// hazard 346: what EscapeLike returns is found literally, whatever it holds.
func TestConditions_LikeFindsWhatIsEscaped(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		texts := []string{"100%", "100", "a_b", "axb", `back\slash`, `back\\slash`, `%`, `_`, `\`, `\%`, `'quote"`, "Größe", "emoji 🐘", "tab\tnew\nline", "a%b_c\\d", "[a-c]", "*", "?"}
		for i, text := range texts {
			_, err := l.posts.Query().Insert(ctx, map[string]any{"id": 100 + i, "title": text, "views": 0})
			require.NoError(t, err)
		}
		for i, text := range texts {
			for _, op := range []string{"LIKE", "ILIKE"} {
				titles, err := dbfleet.Pluck[int](ctx, l.posts.Where("title", op, dbfleet.EscapeLike(text)), "id")
				require.NoError(t, err, "%s %q", op, text)
				require.Equal(t, []int{100 + i}, titles, "%s %q", op, text)
				var containing []int
				for j, other := range texts {
					if strings.Contains(other, text) {
						containing = append(containing, 100+j)
					}
				}
				titles, err = dbfleet.Pluck[int](ctx, l.posts.Where("views", "=", 0).Where("title", op, "%"+dbfleet.EscapeLike(text)+"%").OrderBy("id", "asc"), "id")
				require.NoError(t, err)
				require.Equal(t, containing, titles, "%s %q", op, text)
			}
			n, err := l.posts.Where("title", "NOT LIKE", dbfleet.EscapeLike(text)).Where("views", "=", 0).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(texts)-1, n, "%q", text)
		}
		n, err := l.posts.Where("title", "ILIKE", "EMOJI%").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = l.posts.Filter(dbfleet.Not(dbfleet.Col[string]("title").Like("%"))).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// hazard 224: what a query returned does not become a condition of the next.
func TestQuery_ResultsAreNoConditions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		got, err := l.people.Find(t.Context(), 1)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.ID)
		got, err = l.people.Find(t.Context(), 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, got.ID)
		require.NoError(t, l.people.Save(t.Context(), &got))
		got, err = l.people.First(t.Context())
		require.NoError(t, err)
		require.NotZero(t, got.ID)
		require.Len(t, ids(t, l.people.Query()), 6)
	})
}
