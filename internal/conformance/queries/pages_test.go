package queries

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestPageOf_HasTheTotalOfWhateverIsPaged(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(7, 7)), 23)
		for claim, q := range map[string]*dbfleet.Query[thing]{
			"all":               m.Query(),
			"in order":          m.OrderBy("name", dbfleet.Desc),
			"with conditions":   m.Where("id", ">", 9).OrWhere("id", "<", 3),
			"a limit":           m.OrderBy("price", dbfleet.Asc).Limit(11),
			"a limit of a page": m.Limit(5),
			"limit and offset":  m.Limit(12).Offset(4),
			"an offset":         m.Query().Offset(20),
			"none":              m.Where("id", "<", 0),
			"a limit of 0":      m.Limit(0),
			"distinct":          m.Query().Select("name").Distinct().OrderBy("name", dbfleet.Asc),
			"grouped":           m.Query().Select("active").GroupBy("active").OrderBy("active", dbfleet.Asc),
			"having":            m.Query().Select("name").GroupBy("name").HavingRaw("COUNT(*) > ?", 1).OrderBy("name", dbfleet.Asc),
			"a union":           m.Where("id", "<", 4).Select("id").UnionAll(m.Select("id").Where("id", ">", 12)).OrderBy("id", dbfleet.Asc),
			"a join":            m.Query().Join("items AS other", "other.id", "<", "items.id").Where("items.id", "<", 5).OrderBy("other.id", dbfleet.Asc),
		} {
			whole := q
			if claim == "all" || claim == "in order" || claim == "a limit" {
				whole = q.OrderBy("id", dbfleet.Asc)
			}
			all, err := whole.Get(ctx)
			require.NoError(t, err, claim)
			var got []thing
			for number := 1; ; number++ {
				page, err := dbfleet.PageOf(ctx, q, number, 5)
				require.NoError(t, err, claim)
				require.EqualValues(t, len(all), page.Total, claim)
				require.EqualValues(t, (len(all)+4)/5, page.Pages, claim)
				require.Equal(t, number, page.Number)
				got = append(got, page.Items...)
				if len(page.Items) == 0 {
					require.Greater(t, int64(number), page.Pages, claim)
					break
				}
			}
			require.Len(t, got, len(all), claim)
			if claim != "a join" && claim != "with conditions" {
				require.Equal(t, all, append([]thing{}, got...), claim)
			}
		}
		for _, bad := range [][2]int{{0, 1}, {1, 0}, {-1, 5}} {
			_, err := dbfleet.PageOf(ctx, m.Query(), bad[0], bad[1])
			require.ErrorContains(t, err, "from 1 on")
		}
		_, err := dbfleet.PageOf(ctx, m.Query(), math.MaxInt, 1<<10)
		require.ErrorContains(t, err, "behind every row")
		_, err = dbfleet.PageOf[thing](ctx, nil, 1, 1)
		require.ErrorContains(t, err, "nil")
		_, err = dbfleet.PageOf(ctx, m.Limit(-3), 1, 1)
		require.Error(t, err)
	})
}

// hazard 212
func TestChunk_VisitsEachRowOnceWhateverTheCallDoesToThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		r := rand.New(rand.NewPCG(9, 9))
		fillItems(t, fl, m, r, 47)
		for claim, do := range map[string]func(list []thing) error{
			"nothing": func([]thing) error { return nil },
			"out of the condition": func(list []thing) error {
				_, err := m.WhereIn("id", idsOf(list)).Update(ctx, dbfleet.Row{"whole": 77})
				return err
			},
			"others are deleted too": func(list []thing) error {
				_, err := m.Where("id", "=", list[0].ID).OrWhere("id", "=", list[len(list)-1].ID).Delete(ctx)
				return err
			},
		} {
			q := m.Where("whole", "<>", 77).OrWhereNull("whole").OrderBy("made", dbfleet.Desc)
			want, err := dbfleet.Pluck[int64](ctx, q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err)
			got := []int64{}
			require.NoError(t, dbfleet.Chunk(ctx, q, 7, func(_ context.Context, list []thing) error {
				require.LessOrEqual(t, len(list), 7)
				got = append(got, idsOf(list)...)
				return do(list)
			}))
			require.Equal(t, want, got, claim)
			_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{"whole": 1})
			require.NoError(t, err)
		}
		n, stop := 0, errors.New("stop")
		require.ErrorIs(t, dbfleet.Chunk(ctx, m.Query(), 5, func(context.Context, []thing) error { n++; return stop }), stop)
		require.Equal(t, 1, n)
		require.ErrorContains(t, dbfleet.Chunk(ctx, m.Query(), 0, func(context.Context, []thing) error { return nil }), "at least one row")
		require.ErrorContains(t, dbfleet.Chunk(ctx, m.Limit(3), 1, func(context.Context, []thing) error { return nil }), "Chunk: does not take a limit")
		require.ErrorContains(t, dbfleet.Chunk(ctx, m.Query(), 1, nil), "the function is nil")
		require.NoError(t, dbfleet.Chunk(ctx, m.Where("id", "<", 0), 1, func(context.Context, []thing) error { return stop }), "no rows are no chunk")
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			return dbfleet.Chunk(ctx, m.Query(), 10, func(ctx context.Context, list []thing) error {
				_, err := m.WhereIn("id", idsOf(list)).Delete(ctx)
				return err
			})
		}))
		left, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func TestChunkParallel_GivesEachRowToOneWorker(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(9, 9)), 61)
		var mu sync.Mutex
		seen, running, most := map[int64]int{}, 0, 0
		both := make(chan struct{})
		var once atomic.Int32
		require.NoError(t, dbfleet.ChunkParallel(ctx, m.OrderBy("name", dbfleet.Asc), 5, 3, func(ctx context.Context, list []thing) error {
			mu.Lock()
			running++
			most = max(most, running)
			for _, i := range list {
				seen[i.ID]++
			}
			mu.Unlock()
			if once.Add(1) == 2 {
				close(both)
			}
			<-both // two run at once
			mu.Lock()
			defer mu.Unlock()
			running--
			return nil
		}))
		require.Len(t, seen, 61)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
		require.GreaterOrEqual(t, most, 2)
		require.LessOrEqual(t, most, 3)

		wrong := errors.New("wrong")
		var calls atomic.Int32
		err := dbfleet.ChunkParallel(ctx, m.Query(), 1, 2, func(ctx context.Context, _ []thing) error {
			if calls.Add(1) == 1 {
				return wrong
			}
			<-ctx.Done() // the others are told
			return ctx.Err()
		})
		require.ErrorIs(t, err, wrong)
		require.LessOrEqual(t, calls.Load(), int32(2))
		require.PanicsWithValue(t, "carried over", func() {
			_ = dbfleet.ChunkParallel(ctx, m.Query(), 1, 2, func(context.Context, []thing) error { panic("carried over") })
		})
		ended := make(chan bool)
		go func() {
			defer func() { ended <- recover() == nil }()
			_ = dbfleet.ChunkParallel(ctx, m.Query(), 1, 2, func(context.Context, []thing) error { runtime.Goexit(); return nil })
			t.Error("it went on")
		}()
		require.True(t, <-ended)
		canceled, cancel := context.WithCancel(ctx)
		err = dbfleet.ChunkParallel(canceled, m.Query(), 1, 2, func(ctx context.Context, _ []thing) error {
			cancel()
			<-ctx.Done()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			return dbfleet.ChunkParallel(ctx, m.Query(), 1, 2, func(context.Context, []thing) error { return nil })
		}), "inside of a transaction")
		require.ErrorContains(t, dbfleet.ChunkParallel(ctx, m.Query(), 1, 0, func(context.Context, []thing) error { return nil }), "at least one worker")
		require.ErrorContains(t, dbfleet.ChunkParallel(ctx, m.Query(), 1, 1, nil), "the function is nil")
	})
}

func TestIter_LoadsRelationsInChunks(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, l := t.Context(), newLibrary(t, fl)
		posts := postsOf(l)
		want, err := l.people.With(posts).OrderBy("age", dbfleet.Desc).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		got := []person{}
		for p, err := range l.people.With(posts).OrderBy("age", dbfleet.Desc).Iter(ctx) {
			require.NoError(t, err)
			_, err = l.people.Find(ctx, p.ID)
			require.NoError(t, err)
			got = append(got, p)
		}
		require.Equal(t, want, got)
		n := 0
		for _, err := range l.people.With(posts).Iter(ctx) {
			require.NoError(t, err)
			n++
			break
		}
		require.Equal(t, 1, n)
		for _, err := range l.people.Limit(2).With(posts).Iter(ctx) {
			require.ErrorContains(t, err, "Iter with relations: does not take a limit")
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			for p, err := range l.people.With(posts).Iter(ctx) {
				if err != nil {
					return err
				}
				if _, err := l.people.Find(ctx, p.ID); err != nil {
					return err // no rows are open
				}
			}
			return nil
		}))
	})
}

func TestExplain_TellsThePlanOfWhatGetWouldSend(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(9, 9)), 20)
		var ops []string
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { ops = append(ops, e.Op) })
		q := m.Where("name", "=", "a").Where("id", ">", 3).OrderBy("id", dbfleet.Asc)
		sql, args, err := q.SQL(ctx)
		require.NoError(t, err)
		plan, err := dbfleet.Explain(ctx, q)
		require.NoError(t, err)
		require.Equal(t, sql, plan.SQL)
		require.Equal(t, args, plan.Args)
		require.NotEmpty(t, plan.Rows)
		require.Contains(t, plan.Text, "items")
		require.Equal(t, plan.Text, plan.String())
		require.Equal(t, "main", plan.Route.Connection)
		require.Equal(t, []string{"explain"}, ops)
		plan, err = dbfleet.Explain(ctx, q, dbfleet.ExplainOptions{Analyze: true})
		switch fl.Database.Dialect {
		case "sqlite":
			require.ErrorContains(t, err, "no statement that tells what a query did")
		case "postgres":
			require.NoError(t, err)
			require.Contains(t, plan.Text, "actual time")
		case "mysql":
			require.NoError(t, err)
			require.Contains(t, plan.Text, "r_rows")
		}
		_, err = dbfleet.Explain(ctx, m.Query().WhereRaw("some_function(name) < ?", 3), dbfleet.ExplainOptions{Analyze: true})
		require.ErrorContains(t, err, "not known to be a plain read")
		if fl.Database.Dialect != "sqlite" {
			require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := dbfleet.Explain(ctx, m.Query().ForUpdate(), dbfleet.ExplainOptions{Analyze: true})
				require.ErrorContains(t, err, "not known to be a plain read")
				plan, err := dbfleet.Explain(ctx, m.Query().ForUpdate())
				require.True(t, plan.Route.Tx)
				return err
			}))
		}
		_, err = dbfleet.Explain(ctx, nil)
		require.Error(t, err)
		_, err = dbfleet.Explain(ctx, m, dbfleet.ExplainOptions{}, dbfleet.ExplainOptions{})
		require.Error(t, err)
	})
}

// ORDER BY takes a name of the select list before that of a column: rows would be told apart
// by what is no key, and come twice or never.
func TestCursor_RefusesAnotherValueByTheKeysName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(9, 9)), 20)
		other := m.Select("name").SelectAs("whole", "id").OrderBy("name", dbfleet.Asc)
		_, err := dbfleet.CursorPage(ctx, other, dbfleet.Cursor{Size: 3})
		require.ErrorContains(t, err, `calls something else "id"`)
		err = dbfleet.Chunk(ctx, other, 3, func(context.Context, []thing) error { return nil })
		require.ErrorContains(t, err, `calls something else "id"`)
		_, err = dbfleet.CursorPage(ctx, m.Select("name", "id").OrderBy("name", dbfleet.Asc), dbfleet.Cursor{Size: 3})
		require.NoError(t, err)
		_, err = dbfleet.CursorPage(ctx, m.Select("name").SelectAs("id", "id").OrderBy("name", dbfleet.Asc), dbfleet.Cursor{Size: 3})
		require.NoError(t, err)
	})
}
