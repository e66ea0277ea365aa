package queries

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, factsTable)
		r := conditions{Rand: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), facts: conformance.Model[fact](t, fl.Registry, dbfleet.ModelConfig{Table: "facts"})}
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
