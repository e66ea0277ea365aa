package dbfleet_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// fact is a row with NULLs in it, for random conditions.
type fact struct {
	ID   int64
	A, B *int64
	S    *string
	F    bool
}

const factsTable = `CREATE TABLE facts (id {id}, a {bigint}, b {bigint}, s {text}, f {bool} NOT NULL)`

// truth is SQL's: no, unknown, yes.
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

// condition is one condition in three forms: as a call, as a Cond and as a
// function of a row.
type condition struct {
	text  string
	apply func(q *dbfleet.Query[fact]) *dbfleet.Query[fact]
	cond  dbfleet.Cond
	holds func(f *fact) truth
}

// conditions makes random ones over facts.
type conditions struct {
	*rand.Rand
	facts *dbfleet.Model[fact]
	rows  []fact
}

type factQuery = *dbfleet.Query[fact]

func (r conditions) number() int64 { return r.Int64N(5) }

func (r conditions) column() (name string, of func(f *fact) *int64) {
	if r.IntN(2) == 0 {
		return "a", func(f *fact) *int64 { return f.A }
	}
	return "b", func(f *fact) *int64 { return f.B }
}

// op is a comparison and what it says of three-way results.
func (r conditions) op() (name string, ok func(c int) bool) {
	switch r.IntN(7) {
	case 0:
		return "=", func(c int) bool { return c == 0 }
	case 1:
		return "!=", func(c int) bool { return c != 0 }
	case 2:
		return "<>", func(c int) bool { return c != 0 }
	case 3:
		return "<", func(c int) bool { return c < 0 }
	case 4:
		return "<=", func(c int) bool { return c <= 0 }
	case 5:
		return ">", func(c int) bool { return c > 0 }
	}
	return ">=", func(c int) bool { return c >= 0 }
}

func viaWhere(column, op string, v any) func(factQuery) factQuery {
	return func(q factQuery) factQuery { return q.Where(column, op, v) }
}

// simple is a condition without others inside.
func (r conditions) simple() condition {
	name, of := r.column()
	col := dbfleet.Col[*int64](name)
	switch r.IntN(12) {
	case 0, 1:
		op, ok := r.op()
		v := r.number()
		return condition{fmt.Sprint(name, op, v), viaWhere(name, op, v), dbfleet.Raw(name+" "+op+" ?", v), func(f *fact) truth {
			if of(f) == nil {
				return unknown
			}
			return is(ok(int(*of(f) - v)))
		}}
	case 2:
		op, ok := r.op()
		compare := func(f *fact) truth {
			if f.A == nil || f.B == nil {
				return unknown
			}
			return is(ok(int(*f.A - *f.B)))
		}
		return condition{"a" + op + "b", func(q factQuery) factQuery { return q.WhereColumn("a", op, "b") }, dbfleet.Expr(squirrel.Expr("a " + op + " b")), compare}
	case 3:
		return condition{name + " null", viaWhere(name, "=", nil), col.IsNull(), func(f *fact) truth { return is(of(f) == nil) }}
	case 4:
		return condition{name + " not null", func(q factQuery) factQuery { return q.WhereNotNull(name) }, col.NotEq(nil), func(f *fact) truth { return is(of(f) != nil) }}
	case 5, 6:
		var list []*int64
		null := false
		for range r.IntN(4) {
			if r.IntN(6) == 0 {
				list, null = append(list, nil), true
			} else {
				list = append(list, at(r.number()))
			}
		}
		in := func(f *fact) truth {
			switch {
			case of(f) == nil && null:
				return yes
			case of(f) == nil && len(list) > 0:
				return unknown
			case of(f) == nil:
				return no
			}
			return is(slices.ContainsFunc(list, func(v *int64) bool { return v != nil && *v == *of(f) }))
		}
		if r.IntN(2) == 0 {
			return condition{fmt.Sprint(name, " in ", len(list), null), viaWhere(name, "IN", list), col.In(list...), in}
		}
		return condition{fmt.Sprint(name, " not in ", len(list), null), viaWhere(name, "NOT IN", list), col.NotIn(list...), func(f *fact) truth { return -in(f) }}
	case 7:
		low, high := r.number(), r.number()
		between := func(f *fact) truth {
			if of(f) == nil {
				// A bound that decides alone does so only when it is compared.
				return unknown
			}
			return is(low <= *of(f) && *of(f) <= high)
		}
		if r.IntN(2) == 0 {
			return condition{fmt.Sprint(name, " between ", low, high), viaWhere(name, "BETWEEN", []int64{low, high}), col.Between(&low, &high), between}
		}
		return condition{fmt.Sprint(name, " not between ", low, high), viaWhere(name, "NOT BETWEEN", [2]int64{low, high}), dbfleet.Not(col.Between(&low, &high)), func(f *fact) truth { return -between(f) }}
	case 8:
		v := r.number()
		return condition{fmt.Sprint(name, " is not ", v), viaWhere(name, "IS NOT", v), dbfleet.Not(dbfleet.Raw("COALESCE("+name+", -1) = ?", v)), func(f *fact) truth {
			return is(of(f) == nil || *of(f) != v)
		}}
	case 9:
		letter := string("abc"[r.IntN(3)])
		like := func(f *fact) truth {
			if f.S == nil {
				return unknown
			}
			return is(strings.HasPrefix(*f.S, letter))
		}
		if r.IntN(2) == 0 {
			return condition{"s like " + letter, viaWhere("s", "LIKE", letter+"%"), dbfleet.Col[string]("s").Like(letter + "%"), like}
		}
		return condition{"s not ilike " + letter, viaWhere("s", "NOT ILIKE", strings.ToUpper(letter)+"%"), dbfleet.Not(dbfleet.Col[string]("s").Like(letter + "%")), func(f *fact) truth { return -like(f) }}
	case 10:
		v := r.IntN(2) == 0
		return condition{fmt.Sprint("f=", v), viaWhere("f", "=", v), dbfleet.Col[bool]("f").Eq(v), func(f *fact) truth { return is(f.F == v) }}
	}
	v := r.number()
	sub := r.facts.Query().As("x").WhereColumn("x.a", "=", "facts.b").Where("x.b", ">", v)
	exists := func(f *fact) truth {
		return is(f.B != nil && slices.ContainsFunc(r.rows, func(x fact) bool { return x.A != nil && *x.A == *f.B && x.B != nil && *x.B > v }))
	}
	if r.IntN(2) == 0 {
		return condition{fmt.Sprint("exists x.b > ", v), func(q factQuery) factQuery { return q.WhereExists(sub) }, dbfleet.Raw("EXISTS ?", sub.Select("id")), exists}
	}
	return condition{fmt.Sprint("not exists x.b > ", v), func(q factQuery) factQuery { return q.WhereNotExists(sub) }, dbfleet.Raw("NOT EXISTS ?", sub.Select("id")), func(f *fact) truth { return -exists(f) }}
}

// chain is several conditions joined by AND and OR as SQL joins them.
func (r conditions) chain(depth int) condition {
	type link struct {
		condition
		or bool
	}
	links := make([]link, 1+r.IntN(4))
	var text []string
	for i := range links {
		links[i] = link{r.any(depth), i > 0 && r.IntN(2) == 0}
		text = append(text, map[bool]string{true: "or", false: "and"}[links[i].or], links[i].text)
	}
	apply := func(q factQuery) factQuery {
		for _, l := range links {
			if l.or {
				q = q.OrWhereGroup(l.apply)
			} else {
				q = l.apply(q)
			}
		}
		return q
	}
	// The same as nested Conds: an Or of Ands.
	var ors, ands []dbfleet.Cond
	for _, l := range links {
		if l.or {
			ors, ands = append(ors, dbfleet.And(ands...)), nil
		}
		ands = append(ands, l.cond)
	}
	cond := dbfleet.Or(append(ors, dbfleet.And(ands...))...)
	holds := func(f *fact) truth {
		result, all := no, yes
		for _, l := range links {
			if l.or {
				result, all = max(result, all), yes
			}
			all = min(all, l.holds(f))
		}
		return max(result, all)
	}
	return condition{"(" + strings.Join(text[1:], " ") + ")", apply, cond, holds}
}

// any is a simple condition, a group, a negation, or a Cond.
func (r conditions) any(depth int) condition {
	if depth == 0 || r.IntN(3) > 0 {
		c := r.simple()
		if r.IntN(3) == 0 {
			cond := c.cond
			c.apply = func(q factQuery) factQuery { return q.Filter(cond) }
		}
		return c
	}
	inner := r.chain(depth - 1)
	switch r.IntN(3) {
	case 0:
		return condition{"not " + inner.text, func(q factQuery) factQuery { return q.WhereNot(inner.apply) }, dbfleet.Not(inner.cond), func(f *fact) truth { return -inner.holds(f) }}
	case 1:
		return condition{"filter " + inner.text, func(q factQuery) factQuery { return q.Filter(inner.cond) }, inner.cond, inner.holds}
	}
	return condition{inner.text, func(q factQuery) factQuery { return q.WhereGroup(inner.apply) }, inner.cond, inner.holds}
}

// hazard 226: random chains find the rows that a reading of SQL's logic finds,
// p, NOT p and p IS NULL part all rows, and WHERE p counts what p sums up to.
func TestConditions_RandomChainsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, factsTable)
		r := conditions{Rand: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), facts: model[fact](t, fl.Registry, dbfleet.ModelConfig{Table: "facts"})}
		for range 40 {
			f := fact{F: r.IntN(2) == 0}
			if r.IntN(4) > 0 {
				f.A = at(r.number())
			}
			if r.IntN(4) > 0 {
				f.B = at(r.number())
			}
			if r.IntN(4) > 0 {
				f.S = at(string("abc"[r.IntN(3)]) + string("abc"[r.IntN(3)]))
			}
			r.rows = append(r.rows, f)
		}
		require.NoError(t, r.facts.CreateMany(ctx, r.rows))
		count := func(where string, args []any) (n int) {
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, "SELECT COUNT(*) FROM facts WHERE "+where, args...).Scan(&n), where)
			return n
		}
		for range 150 {
			c := r.chain(3)
			q := c.apply(r.facts.Query())
			want := []int64{}
			nulls := 0
			for i := range r.rows {
				switch c.holds(&r.rows[i]) {
				case yes:
					want = append(want, r.rows[i].ID)
				case unknown:
					nulls++
				}
			}
			got, err := dbfleet.Pluck[int64](ctx, q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err, c.text)
			text, args, err := q.SQL(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s\n%s\n%v", c.text, text, args)

			_, p, ok := strings.Cut(text, " WHERE ")
			require.True(t, ok, text)
			require.Equal(t, nulls, count("("+p+") IS NULL", args), c.text)
			negated, err := r.facts.Query().WhereNot(c.apply).Count(ctx)
			require.NoError(t, err, c.text)
			require.EqualValues(t, len(r.rows)-len(want)-nulls, negated, c.text)
			var sum int
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, "SELECT SUM(CASE WHEN "+p+" THEN 1 ELSE 0 END) FROM facts", args...).Scan(&sum), c.text)
			require.Equal(t, len(want), sum, c.text)
			// One more condition holds for all of the chain.
			if len(want) > 0 {
				found, err := q.Find(ctx, want[0])
				require.NoError(t, err, c.text)
				require.Equal(t, want[0], found.ID)
			}
		}
	})
}

// hazard 67, 73, 193: lists of any length, or a clear error where only
// arguments carry them.
func TestConditions_LongLists(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		count, _ := sent(fl.Registry)
		for _, n := range []int{9999, 70_000} {
			list := make([]int64, n)
			for i := range list {
				list[i] = int64(i + 3)
			}
			before := count()
			require.Equal(t, []int64{3, 4, 5, 6}, ids(t, l.people.WhereIn("id", list)))
			require.Equal(t, []int64{1, 2}, ids(t, l.people.Where("age", ">", 18).WhereNotIn("id", list).Where("active", "!=", nil)))
			require.Equal(t, before+2, count(), "each in one statement")
		}
		// Bytes travel as arguments only.
		limit := map[string]int{"sqlite": 32_766, "postgres": 1 << 30, "mysql": 65_535}[fl.db.Dialect]
		for _, n := range []int{32_766, 32_767, 65_535, 65_536} {
			list := make([][]byte, n)
			for i := range list {
				list[i] = []byte{1, byte(i), byte(i >> 8), byte(i >> 16)}
			}
			before := count()
			var fault *dbfleet.StatementError
			got, err := fl.DB("main").Table("blobs").WhereIn("data", list).Get(ctx)
			if n <= limit {
				require.Equal(t, before+1, count())
				require.NotErrorAs(t, err, &fault, "there is no such table, but that is for the database to say")
				continue
			}
			require.ErrorIs(t, err, dbfleet.ErrTooManyArgs, n)
			require.Empty(t, got)
			require.ErrorAs(t, err, &fault)
			require.Equal(t, "blobs", fault.Table)
			require.Contains(t, err.Error(), fmt.Sprintf("%d of them, %s takes %d", n, fl.db.Dialect, limit))
			require.Equal(t, before, count(), "nothing was sent")
		}
		// hazard 72: an empty list never becomes the whole table.
		for _, empty := range []any{[]int64{}, []string(nil), []any{}, [0]int{}} {
			n, err := l.people.WhereIn("id", empty).Delete(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
			n, err = l.people.Where("id", "in", empty).Update(ctx, map[string]any{"city": "nowhere"})
			require.NoError(t, err)
			require.Zero(t, n)
		}
		// hazard 193: on PostgreSQL a list of any length is one statement.
		if fl.db.Dialect == "postgres" {
			one, _, err := l.people.WhereIn("id", []int{1}).SQL(ctx)
			require.NoError(t, err)
			many, _, err := l.people.WhereIn("id", []int{1, 2, 3}).SQL(ctx)
			require.NoError(t, err)
			require.Equal(t, one, many)
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE blobs (id {id}, data {bytes}, token {uuid}, note {text})`)
		blobs := model[blob](t, fl.Registry, dbfleet.ModelConfig{Table: "blobs"})
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
	onEach(t, func(t *testing.T, fl fleet) {
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

// A query is a value: branches made by many goroutines at once never see each
// other, and nothing is used up by running one.
func TestQuery_BranchesNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		base := l.people.Where("id", ">", 0)
		for n := range 12 { // lists of every length, where a careless append would show
			base := base
			for i := range n {
				base = base.Where("id", "<", 100).OrderBy("id", "asc").SelectRaw(fmt.Sprintf("? AS c%d", i), i)
			}
			base = base.GroupBy("id").HavingRaw("COUNT(*) > ?", 0)
			want, _, err := base.SQL(ctx)
			require.NoError(t, err)
			var wg sync.WaitGroup
			for g := range int64(6) {
				wg.Go(func() {
					q := base.Where("id", "=", g+1).OrderBy("id", "desc").GroupBy("name").HavingRaw("COUNT(*) < ?", g+100).Select("id", "name")
					for range 3 {
						text, args, err := q.SQL(ctx)
						if err != nil || args[len(args)-1] != g+100 || !slices.Contains(args, any(g+1)) || strings.Count(text, "COUNT(*) <") != 1 {
							t.Errorf("%v %s %v", err, text, args)
						}
						got, err := q.Get(ctx)
						if err != nil || len(got) != 1 || got[0].ID != g+1 {
							t.Errorf("branch %d: %v %v", g, got, err)
						}
						_, _ = q.Route(ctx)
					}
				})
			}
			wg.Wait()
			after, _, err := base.SQL(ctx)
			require.NoError(t, err)
			require.Equal(t, want, after)
		}
		_, err := l.people.Get(ctx)
		require.NoError(t, err, "the model itself has no conditions")
		idle(t, fl.Registry, "main")
	})
}

// Locks run as each database spells them; SQLite says that it has none.
func TestQuery_Locks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		byID := l.people.OrderBy("id", "asc").Limit(2)
		locks := map[string]*dbfleet.Query[person]{
			"update": byID.ForUpdate(), "share": byID.ForShare(), "skip": byID.ForUpdateSkipLocked(), "nowait": byID.ForUpdateNoWait(),
		}
		if fl.db.Dialect == "sqlite" {
			count, _ := sent(fl.Registry)
			for claim, q := range locks {
				var fault *dbfleet.StatementError
				_, err := q.Get(ctx)
				require.ErrorAs(t, err, &fault, claim)
				require.Contains(t, err.Error(), "lock")
				_, err = q.First(ctx)
				require.ErrorAs(t, err, &fault, claim)
			}
			require.Zero(t, count())
			return
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(inTx context.Context, _ *dbfleet.Tx) error {
			first, err := l.people.Query().ForUpdate().Find(inTx, 1)
			require.NoError(t, err)
			require.EqualValues(t, 1, first.ID)
			_, err = l.people.Query().ForShare().Where("id", "=", 2).Get(inTx)
			require.NoError(t, err)

			// What others see, on connections of their own.
			require.Equal(t, []int64{2, 3}[1:], inOrder(t, l.people.OrderBy("id", "asc").Where("id", "<=", 3).ForUpdateSkipLocked()))
			_, err = l.people.Where("id", "=", 1).ForUpdateNoWait().Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout)
			_, err = l.people.Where("id", "=", 2).ForUpdateNoWait().First(ctx)
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout)
			shared, err := l.people.Where("id", "=", 2).ForShare().Get(ctx)
			require.NoError(t, err, "two may share")
			require.Len(t, shared, 1)
			n, err := l.people.Query().ForUpdate().Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 6, n)
			return nil
		}))
		for claim, q := range locks {
			got, err := q.Get(ctx)
			require.NoError(t, err, claim)
			require.Len(t, got, 2, claim)
			names, err := dbfleet.Pluck[string](ctx, q, "name")
			require.NoError(t, err, claim)
			require.Equal(t, []string{"ada", "bob"}, names)
			route, err := q.Route(ctx)
			require.NoError(t, err)
			require.Equal(t, dbfleet.RolePrimary, route.Role)
		}
		// A queue: take the first row that nobody holds.
		n, err := l.people.WhereIn("id", l.people.Select("id").OrderBy("id", "asc").Limit(1).ForUpdateSkipLocked()).Update(ctx, map[string]any{"city": "taken"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		var fault *dbfleet.StatementError
		_, err = l.people.WhereIn("id", l.people.Select("id").ForUpdate()).Get(ctx)
		require.ErrorAs(t, err, &fault, "a read would lock in its subquery, maybe on a replica")
		_, err = l.people.Query().Union(l.people).ForUpdate().Get(ctx)
		require.ErrorAs(t, err, &fault)
		idle(t, fl.Registry, "main")
	})
}

// hazard 224: what a query returned does not become a condition of the next.
func TestQuery_ResultsAreNoConditions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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

// hazard 118: a query of a table that is not there leaves nothing behind.
func TestQuery_MissingTableIsAnErrorEverywhere(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		nowhere := model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "nowhere"})
		for claim, f := range map[string]func() error{
			"get":    func() error { _, err := nowhere.Get(ctx); return err },
			"first":  func() error { _, err := nowhere.First(ctx); return err },
			"find":   func() error { _, err := nowhere.Find(ctx, 1); return err },
			"count":  func() error { _, err := nowhere.Count(ctx); return err },
			"exists": func() error { _, err := nowhere.Query().Exists(ctx); return err },
			"sum":    func() error { _, err := nowhere.Query().Sum(ctx, "age"); return err },
			"max":    func() error { _, err := nowhere.Query().Max(ctx, "age"); return err },
			"pluck":  func() error { _, err := dbfleet.Pluck[int](ctx, nowhere, "age"); return err },
			"loose":  func() error { _, err := nowhere.Query().Pluck(ctx, "age"); return err },
			"iter": func() error {
				for _, err := range nowhere.Query().Iter(ctx) {
					return err
				}
				return nil
			},
			"update": func() error {
				_, err := nowhere.Where("id", "=", 1).Update(ctx, map[string]any{"name": "x"})
				return err
			},
			"delete": func() error { _, err := nowhere.Where("id", "=", 1).Delete(ctx); return err },
			"table":  func() error { _, err := fl.DB("main").Table("nowhere").Get(ctx); return err },
			"column": func() error {
				fl.create(t, `CREATE TABLE IF NOT EXISTS here (id {id})`)
				_, err := fl.DB("main").Table("here").Where("nope", "=", "nope").Get(ctx)
				return err
			},
			"order": func() error {
				fl.create(t, `CREATE TABLE IF NOT EXISTS here (id {id})`)
				_, err := fl.DB("main").Table("here").OrderBy("nope", "asc").Get(ctx)
				return err
			},
			"grouped": func() error { _, err := nowhere.Query().GroupBy("id").Count(ctx); return err },
		} {
			err := f()
			var told *dbfleet.QueryError
			require.ErrorAs(t, err, &told, claim)
			if fl.db.Dialect != "sqlite" { // which has no code for it
				require.ErrorIs(t, err, dbfleet.ErrUndefined, claim)
			}
			require.NotErrorIs(t, err, sql.ErrNoRows, claim)
			idle(t, fl.Registry, "main")
		}
	})
}
