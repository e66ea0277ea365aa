package sqlgen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// randomQuery is one of few shapes with many values, so that shapes come again.
func randomQuery(r *rand.Rand) Query {
	column := func() string {
		return []string{"id", "age", "name", "users.id", "city", "nothing"}[r.IntN(5+r.IntN(8)/7)]
	}
	value := func() any { return []any{r.IntN(9), "x", nil, 2.5, true, int64(7)}[r.IntN(6)] }
	list := func() any {
		switch r.IntN(4) {
		case 0:
			return make([]int, r.IntN(4))
		case 1:
			return []any{1, nil}
		case 2:
			return []string{"a", "b"}
		}
		return []any{nil}
	}
	var cond func(depth int) Cond
	cond = func(depth int) (c Cond) {
		switch n := r.IntN(12); {
		case n < 5:
			c = Compare(column(), Op(1+r.IntN(6)), value())
		case n == 5:
			c = Compare(column(), In+Op(r.IntN(2)), list())
		case n == 6:
			c = Compare(column(), Between, []int{1, r.IntN(5)})
		case n == 7:
			c = CompareColumns(column(), Lt, column())
		case n == 8 && depth > 0:
			c = Group(cond(depth-1), cond(depth-1))
		case n == 9 && depth > 0:
			c = Not(cond(depth - 1))
		case n == 10:
			c = Compare(column(), Like+Op(r.IntN(4)), value())
		default:
			c = Compare(column(), Is+Op(r.IntN(2)), value())
		}
		if r.IntN(3) == 0 {
			c = c.Or()
		}
		return c
	}
	q := From([]string{"users", "people"}[r.IntN(2)])
	for range r.IntN(4) {
		if r.IntN(4) == 0 {
			q = q.WithOrder(Order{Column: column(), Desc: r.IntN(2) == 0})
		}
		q = q.WithCond(cond(1))
	}
	if r.IntN(3) == 0 {
		q = q.WithLimit(int64(r.IntN(3)))
	}
	if r.IntN(4) == 0 {
		q = q.WithOffset(int64(r.IntN(3)))
	}
	switch r.IntN(12) {
	case 0:
		q = q.WithColumns(Column{Name: column(), As: "c"})
	case 1:
		q = q.WithColumns(Column{Name: column()}).WithGroups(column()).WithHaving(cond(0))
	case 2:
		q = q.WithJoin("JOIN", "posts", "posts.user_id", Eq, "users.id")
	case 3:
		q = q.WithDistinct()
	case 4:
		q = q.WithLock(Lock(r.IntN(5)))
	case 5:
		q = q.WithAlias("u")
	case 6:
		q = q.Aggregated([]string{"COUNT", "SUM"}[r.IntN(2)], []string{"", "age"}[r.IntN(2)])
	case 7:
		q = q.ForExistence()
	case 8:
		q = q.WithOrder(Order{Expr: raw("age + ?", r.IntN(3))})
	case 9:
		q = q.WithUnion(sub{From("users").WithCond(cond(0)), users}, true)
	}
	return q
}

// What is kept of a shape never shows: text, arguments and error are those of
// a rendering from scratch, whatever came before and beside it.
func TestShapes_AnswerAsRenderingDoes(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, table := range []Table{users, nil} {
			shapes := &Shapes{}
			var wg sync.WaitGroup
			for seed := range 4 {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(seed), 1))
					for range 5000 {
						q := randomQuery(r)
						kept, plain := env(d, table), env(d, table)
						if d == dialect.MySQL {
							plain.Untyped = func(a any, _ *dialect.Dialect) any { return fmt.Sprint(a) }
							kept.Untyped = plain.Untyped
						}
						kept.Shapes = shapes
						want, wantArgs, wantErr := Select(&q, plain)
						got, gotArgs, err := Select(&q, kept)
						if want != got || fmt.Sprintf("%T%v", wantArgs, wantArgs) != fmt.Sprintf("%T%v", gotArgs, gotArgs) || fmt.Sprint(wantErr) != fmt.Sprint(err) {
							t.Errorf("%s\n%s %v %v\n%s %v %v", d.Name, want, wantArgs, wantErr, got, gotArgs, err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
	}
}

// A query whose shape is known costs its arguments and nothing else.
func TestShapes_KnownTextIsNotBuiltAgain(t *testing.T) {
	q := From("users").WithCond(Compare("id", Eq, 1)).WithCond(Compare("age", In, []int{1, 2, 3})).WithOrder(Order{Column: "id"}).WithLimit(3)
	e := env(dialect.SQLite, users)
	e.Shapes = &Shapes{}
	first, _, err := Select(&q, e)
	require.NoError(t, err)
	text, args, ok := e.Shapes.find(&q, e)
	require.True(t, ok)
	require.Equal(t, first, text)
	require.Equal(t, []any{int64(1), int64(1), int64(2), int64(3)}, args)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _, _ = e.Shapes.find(&q, e) }), 6.0) // of which the fake's are 5
	longer := q.WithCond(Compare("age", In, []int{1, 2}))
	text, _, err = Select(&longer, e)
	require.NoError(t, err)
	require.NotEqual(t, first, text)
}

// A value that is another one each time it is asked for leaves nothing behind
// that another query would find.
func TestShapes_ValuesThatChangeBetweenTwoCalls(t *testing.T) {
	t.Parallel()
	for calls := range 2 {
		e := env(dialect.SQLite, users)
		e.Shapes = &Shapes{}
		q := From("users").WithCond(Compare("name", Eq, &flip{calls}))
		_, _, err := Select(&q, e)
		require.NoError(t, err)
		for _, v := range []any{9, nil} {
			q := From("users").WithCond(Compare("name", Eq, v))
			want, wantArgs, err := Select(&q, env(dialect.SQLite, users))
			require.NoError(t, err)
			got, args, err := Select(&q, e)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, wantArgs, args)
		}
	}
}

// Shapes with one hash live beside each other.
func TestShapes_OfOneSlotDoNotDriveEachOtherOut(t *testing.T) {
	t.Parallel()
	e := env(dialect.SQLite, known{"abcd", "abxd"})
	e.Shapes = &Shapes{}
	one := From("users").WithCond(Compare("abcd", Eq, 1))
	two := From("users").WithCond(Compare("abxd", Eq, 1))
	for range 2 {
		for _, q := range []*Query{&one, &two} {
			_, _, err := Select(q, e)
			require.NoError(t, err)
		}
	}
	for _, q := range []*Query{&one, &two} {
		_, _, ok := e.Shapes.find(q, e)
		require.True(t, ok)
	}
}

// An error that several queries share stays as it is: it names the table of the
// one that failed in a copy.
func TestRender_SharedErrorsAreNotChanged(t *testing.T) {
	t.Parallel()
	shared := &StatementError{Reason: "no good"}
	var wg sync.WaitGroup
	for _, table := range []string{"users", "people"} {
		wg.Go(func() {
			q := From(table).WithCond(Invalid(shared))
			_, _, err := Select(&q, env(dialect.SQLite, nil))
			var fault *StatementError
			if !errors.As(err, &fault) || fault.Table != table {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Empty(t, shared.Table)
}
