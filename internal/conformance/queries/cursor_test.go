package queries

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// thing has a column of each type that an order may have; all but the key may be NULL.
type thing struct {
	ID     int64
	Whole  *int64
	Price  *string
	Ratio  *float64
	Small  *float32
	Name   *string
	Raw    []byte
	Made   *time.Time
	Day    *dbfleet.Date
	Active *bool
	Token  *string
	Big    *uint64
}

const itemsTable = `CREATE TABLE items (id {id}, whole {bigint}, price {decimal}, ratio {float}, small {small}, name {text}, raw {raw}, made {time}, day {date}, active {bool}, token {uuid}, big {big})`

// itemsOn makes the table of items, without rows.
func itemsOn(t *testing.T, fl conformance.Fleet) *dbfleet.Model[thing] {
	t.Helper()
	own := map[string][3]string{
		"{small}": {"REAL", "REAL", "FLOAT"}, "{raw}": {"BLOB", "BYTEA", "VARBINARY(255)"}, "{big}": {"INTEGER", "NUMERIC(20)", "BIGINT UNSIGNED"},
	}
	text := itemsTable
	for name, types := range own {
		text = strings.ReplaceAll(text, name, types[map[string]int{"sqlite": 0, "postgres": 1, "mysql": 2}[fl.Database.Dialect]])
	}
	fl.Create(t, text)
	return conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "items"})
}

// oneOf is nil for a third of the times, or one of few values.
func oneOf[V any](r *rand.Rand, values ...V) *V {
	if r.IntN(3) == 0 {
		return nil
	}
	return &values[r.IntN(len(values))]
}

func randomItem(r *rand.Rand, sqlite bool) thing {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)
	i := thing{
		Whole: oneOf[int64](r, math.MinInt64, -1, 0, 1<<53+1, 1<<53+2, math.MaxInt64), Ratio: oneOf(r, -0.1, 0.1, 1e300, 1.0/3),
		Price: oneOf(r, "-0.0001", "9007199254740993.0001", "9007199254740993.0002", "10.0000", "9.5000"), Small: oneOf[float32](r, 0.1, 0.2, -16777216, 3.4e38),
		Name: oneOf(r, "a", "A", "b", "ä", "Z", "a ", "", "a'\\\"", "zz\n"), Made: oneOf(r, at, at.Add(time.Microsecond), at.Add(-time.Hour), at.AddDate(-100, 0, 0)),
		Active: oneOf(r, true, false), Token: oneOf(r, "00000000-0000-0000-0000-000000000001", "ffffffff-0000-0000-0000-000000000001"),
		Day: oneOf(r, dbfleet.Date{Year: 2026, Month: 1, Day: 2}, dbfleet.Date{Year: 1999, Month: 12, Day: 31}),
		Big: oneOf[uint64](r, 0, math.MaxInt64),
	}
	if !sqlite {
		i.Big = oneOf[uint64](r, 0, math.MaxInt64, math.MaxUint64, math.MaxUint64-1)
	}
	if raw := oneOf(r, "", "\x00", "\xff\x00", "abc"); raw != nil {
		i.Raw = []byte(*raw)
	}
	return i
}

func fillItems(t *testing.T, fl conformance.Fleet, m *dbfleet.Model[thing], r *rand.Rand, n int) {
	t.Helper()
	list := make([]thing, n)
	for i := range list {
		list[i] = randomItem(r, fl.Database.Dialect == "sqlite")
	}
	require.NoError(t, m.CreateMany(t.Context(), list))
}

// randomOrder orders by some columns, each in some direction.
func randomOrder(r *rand.Rand, q *dbfleet.Query[thing]) (*dbfleet.Query[thing], string) {
	columns := []string{"whole", "price", "ratio", "small", "name", "raw", "made", "day", "active", "token", "big", "id"}
	says := ""
	for _, at := range r.Perm(len(columns))[:r.IntN(4)] {
		d := []dbfleet.Direction{dbfleet.Asc, dbfleet.Desc}[r.IntN(2)]
		o := dbfleet.Col[any](columns[at]).Asc()
		if d == dbfleet.Desc {
			o = dbfleet.Col[any](columns[at]).Desc()
		}
		says += columns[at] + " " + string(d)
		switch r.IntN(4) {
		case 0:
			q, says = q.OrderWith(o.NullsFirst()), says+" NULLS FIRST"
		case 1:
			q, says = q.OrderWith(o.NullsLast()), says+" NULLS LAST"
		default:
			q = q.OrderBy(columns[at], d)
		}
		says += ", "
	}
	return q, says
}

func idsOf(list []thing) []int64 {
	ids := []int64{}
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

// hazard 211
func TestCursorPage_WalksBothWaysOverEachRowOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		fillItems(t, fl, m, r, 60)
		for range 40 {
			q, says := randomOrder(r, m.Query())
			if r.IntN(2) == 0 {
				q = q.Where("id", ">", 20).OrWhere("id", "<", 10)
			}
			all, err := q.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			want, size := idsOf(all), 1+r.IntN(9)
			var got []int64
			at := dbfleet.Cursor{Size: size}
			var page dbfleet.Page[thing]
			for n := 0; ; n++ {
				page, err = dbfleet.CursorPage(ctx, q, at)
				require.NoError(t, err, says)
				require.Equal(t, n > 0, page.HasPrevious, says)
				got = append(got, idsOf(page.Items)...)
				if !page.HasNext {
					break
				}
				require.Len(t, page.Items, size)
				at.After = page.Next
			}
			require.Equal(t, want, got, says)
			require.Equal(t, all[len(all)-len(page.Items):], page.Items, says)
			got = idsOf(page.Items)
			for back := (dbfleet.Cursor{Size: size, Before: page.Previous}); ; back.Before = page.Previous {
				page, err = dbfleet.CursorPage(ctx, q, back)
				require.NoError(t, err, says)
				require.True(t, page.HasNext)
				got = append(idsOf(page.Items), got...)
				if !page.HasPrevious {
					break
				}
			}
			require.Equal(t, want, got, says)
		}
	})
}

func TestCursorPage_LosesAndDoublesNoRowThatStays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for range 8 {
			fillItems(t, fl, m, r, 40)
			q, says := randomOrder(r, m.Query())
			ids, err := dbfleet.Pluck[int64](ctx, m, "id")
			require.NoError(t, err)
			stays := map[int64]bool{}
			for _, id := range ids {
				stays[id] = true
			}
			seen := map[int64]int{}
			at := dbfleet.Cursor{Size: 5}
			for {
				page, err := dbfleet.CursorPage(ctx, q, at)
				require.NoError(t, err, says)
				for _, i := range page.Items {
					seen[i.ID]++
				}
				// The page's last row goes, and another one, and some come.
				gone := []int64{ids[r.IntN(len(ids))]}
				if len(page.Items) > 0 {
					gone = append(gone, page.Items[len(page.Items)-1].ID)
				}
				_, err = m.WhereIn("id", gone).Delete(ctx)
				require.NoError(t, err)
				for _, id := range gone {
					delete(stays, id)
				}
				fillItems(t, fl, m, r, 2)
				if !page.HasNext || len(seen) > 200 {
					break
				}
				at.After = page.Next
			}
			for id, n := range seen {
				require.Equal(t, 1, n, "%d: %s", id, says)
			}
			if len(seen) <= 200 {
				for id := range stays {
					require.Equal(t, 1, seen[id], "%d: %s", id, says)
				}
			}
		}
	})
}

func TestCursorPage_GoesOnWhereNoRowsWere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		page, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 2})
		require.NoError(t, err)
		require.Equal(t, dbfleet.Page[thing]{Items: []thing{}}, page)
		fillItems(t, fl, m, rand.New(rand.NewPCG(1, 1)), 2)
		page, err = dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 2})
		require.NoError(t, err)
		require.False(t, page.HasNext)
		end, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 2, After: page.Next})
		require.NoError(t, err)
		require.Empty(t, end.Items)
		require.Equal(t, page.Next, end.Next)
		back, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 2, Before: end.Previous})
		require.NoError(t, err)
		require.Equal(t, []int64{1, 2}, idsOf(back.Items), "also the row that the cursor was made of")
		begin, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 2, Before: page.Previous})
		require.NoError(t, err)
		require.Empty(t, begin.Items)
		again, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 1, After: begin.Next})
		require.NoError(t, err)
		require.Equal(t, []int64{1}, idsOf(again.Items))
		fillItems(t, fl, m, rand.New(rand.NewPCG(1, 1)), 3)
		later, err := dbfleet.CursorPage(ctx, m.Select("id"), dbfleet.Cursor{Size: 9, After: end.Next})
		require.NoError(t, err)
		require.Equal(t, []int64{3, 4, 5}, idsOf(later.Items), "those that came later, with another select list")
	})
}

func TestCursorPage_OfPartsOfRowsAndRowsWithoutAModel(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(3, 1)), 12)
		var names []string
		table := fl.DB("main").Table("items").Select("name").OrderBy("made", dbfleet.Desc).OrderBy("price", dbfleet.Asc)
		for at := (dbfleet.Cursor{Size: 5}); ; {
			page, err := dbfleet.CursorPage(ctx, table, at)
			require.NoError(t, err)
			for _, row := range page.Items {
				require.Len(t, row, 1, "the columns of the order stay hidden")
				names = append(names, fmt.Sprint(row["name"]))
			}
			if !page.HasNext {
				break
			}
			at.After = page.Next
		}
		all, err := table.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		want := []string{}
		for _, row := range all {
			want = append(want, fmt.Sprint(row["name"]))
		}
		require.Equal(t, want, names)

		l := newLibrary(t, fl)
		people, err := dbfleet.CursorPage(ctx, l.people.With(postsOf(l)).OrderBy("age", dbfleet.Desc), dbfleet.Cursor{Size: 2})
		require.NoError(t, err)
		require.Len(t, people.Items, 2)
		loaded, err := l.people.With(postsOf(l)).Find(ctx, people.Items[0].ID)
		require.NoError(t, err)
		require.Equal(t, loaded, people.Items[0])
		d := deskOn(t, fl)
		d.fill(t, 3, 4)
		var keys []string
		for at := (dbfleet.Cursor{Size: 5}); ; {
			page, err := dbfleet.CursorPage(ctx, d.members.OrderBy("id", dbfleet.Desc), at)
			require.NoError(t, err)
			for _, m := range page.Items {
				keys = append(keys, m.Name)
			}
			if !page.HasNext {
				break
			}
			at.After = page.Next
		}
		require.Equal(t, []string{"1/4", "2/4", "3/4", "1/3", "2/3", "3/3", "1/2", "2/2", "3/2", "1/1", "2/1", "3/1"}, keys)
	})
}

func TestCursorPage_TakesNoCursorOfAnotherQuery(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), itemsOn(t, fl)
		fillItems(t, fl, m, rand.New(rand.NewPCG(3, 1)), 5)
		at := time.Now()
		q := m.Where("id", ">", 0).Where("made", "<", at).OrderBy("name", dbfleet.Asc)
		page, err := dbfleet.CursorPage(ctx, m.Where("id", ">", 0).OrderBy("name", dbfleet.Asc), dbfleet.Cursor{Size: 2})
		require.NoError(t, err)
		count, _ := sent(fl.Registry)
		before := count()
		refused := func(q *dbfleet.Query[thing], text, says string) {
			t.Helper()
			for _, c := range []dbfleet.Cursor{{Size: 2, After: text}, {Size: 2, Before: text}} {
				_, err := dbfleet.CursorPage(ctx, q, c)
				require.ErrorIs(t, err, dbfleet.ErrCursor)
				require.ErrorContains(t, err, says)
			}
		}
		const foreign = "another table, other conditions or another order"
		refused(q, page.Next, foreign)
		refused(m.Where("id", ">", 1).OrderBy("name", dbfleet.Asc), page.Next, foreign)
		refused(m.Where("id", ">=", 0).OrderBy("name", dbfleet.Asc), page.Next, foreign)
		refused(m.Where("id", ">", 0).OrderBy("name", dbfleet.Desc), page.Next, foreign)
		refused(m.Where("id", ">", 0).OrderBy("price", dbfleet.Asc), page.Next, foreign)
		refused(m.Where("id", ">", 0), page.Next, foreign)
		refused(m.Where("id", ">", 0).OrderBy("name", dbfleet.Asc).OrderBy("made", dbfleet.Asc), page.Next, foreign)
		refused(q, page.Next[:len(page.Next)-1], "cut or changed")
		refused(q, "x"+page.Next[1:], "")
		refused(q, "1 OR 1=1", "cut or changed")
		require.Equal(t, before, count(), "nothing was sent")
		_, err = dbfleet.CursorPage(ctx, m.Where("id", ">", int8(0)).OrderBy("name", dbfleet.Asc), dbfleet.Cursor{Size: 2, After: page.Next})
		require.NoError(t, err, "the same value")
	})
}

func TestCursorPage_SaysWhatItCannotPage(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	ctx, m := t.Context(), itemsOn(t, fl)
	for says, q := range map[string]*dbfleet.Query[thing]{
		"rows of a union":         m.Query().Union(m),
		"stands for several":      m.Query().Distinct(),
		"stands for several (DIS": m.Query().GroupBy("name"),
		"a join may repeat":       m.Query().Join("items AS other", "other.id", "=", "items.id"),
		"a limit or offset":       m.Query().Limit(3),
		"a limit or offset of":    m.Query().Offset(3),
		"an order that is SQL":    m.Query().OrderByRaw("name"),
		`the order by "name"`:     m.Query().Select("id").SelectAs("token", "name").OrderBy("name", dbfleet.Asc),
	} {
		_, err := dbfleet.CursorPage(ctx, q, dbfleet.Cursor{Size: 2})
		require.ErrorContains(t, err, `table "items": CursorPage: does not take `)
		require.ErrorContains(t, err, says)
	}
	_, err := dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{})
	require.ErrorContains(t, err, "Cursor.Size is 0")
	_, err = dbfleet.CursorPage(ctx, m.Query(), dbfleet.Cursor{Size: 1, After: "a", Before: "b"})
	require.ErrorContains(t, err, "not both")
	_, err = dbfleet.CursorPage[thing](ctx, nil, dbfleet.Cursor{Size: 1})
	require.ErrorContains(t, err, "nil")
	_, err = dbfleet.CursorPage(ctx, m.OrderBy("nome", dbfleet.Asc), dbfleet.Cursor{Size: 1})
	var unknown *dbfleet.UnknownColumnError
	require.ErrorAs(t, err, &unknown)
}

func TestCursorPage_SignsWithTheKeysOfSessions(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	open := func(keys ...dbfleet.Secret) (conformance.Fleet, *dbfleet.Model[thing]) {
		r, err := dbfleet.Open(dbfleet.Config{Default: "main", SessionKeys: keys, Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return conformance.Fleet{Registry: r, Database: db}, conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "items"})
	}
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	fillItems(t, fl, itemsOn(t, fl), rand.New(rand.NewPCG(3, 1)), 5)
	_, none := open()
	_, old := open("an old key of 16 bytes")
	_, both := open("a new key of 16 bytes", "an old key of 16 bytes")
	page := func(m *dbfleet.Model[thing], after string) (dbfleet.Page[thing], error) {
		return dbfleet.CursorPage(t.Context(), m.Query(), dbfleet.Cursor{Size: 2, After: after})
	}
	ofOld, err := page(old, "")
	require.NoError(t, err)
	ofNone, err := page(none, "")
	require.NoError(t, err)
	ofBoth, err := page(both, ofOld.Next)
	require.NoError(t, err)
	require.Equal(t, []int64{3, 4}, idsOf(ofBoth.Items))
	_, err = page(old, ofBoth.Next)
	require.ErrorIs(t, err, dbfleet.ErrCursor)
	_, err = page(both, ofNone.Next)
	require.ErrorIs(t, err, dbfleet.ErrCursor, "unsigned")
	_, err = page(none, ofOld.Next)
	require.ErrorIs(t, err, dbfleet.ErrCursor)
}
