package queries

import (
	"database/sql"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestNamed_IsTheSameOnEveryDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		find := func(where string, args ...any) []int64 {
			t.Helper()
			list, err := dbfleet.Select[int64](ctx, db, "SELECT id FROM people WHERE "+where+" ORDER BY id", args...)
			require.NoError(t, err, where)
			return list
		}
		city := dbfleet.Named("city", "london")
		require.Equal(t, []int64{1, 3}, find("city = :city", city))
		require.Equal(t, []int64{1, 3}, find("city=:city AND name <> ':city' -- :city\n /* :city */", sql.Named("city", "london")))
		require.Equal(t, []int64{1, 3, 5}, find("city = :city OR city = :city OR id = :id", dbfleet.Named("id", 5), city))
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, find("city = :city OR :city <> name", city), "a name stands for one value wherever it is")

		list := func(v any) sql.NamedArg { return dbfleet.Named("ids", v) }
		require.Equal(t, []int64{1, 3, 5}, find("id IN (:ids)", list([]int64{1, 3, 5})))
		require.Equal(t, []int64{1, 3, 5}, find("id IN (:ids)", list([3]int{1, 3, 5})))
		require.Equal(t, []int64{2, 4, 6}, find("id NOT IN (:ids)", list([]int64{1, 3, 5})))
		require.Equal(t, []int64{2}, find("id IN (:ids)", list(2)))
		require.Equal(t, []int64{1, 2, 3}, find("id IN (:ids, :more, 3)", list([]int{1, 2}), dbfleet.Named("more", 2)))
		require.Empty(t, find("id IN (:ids)", list([]int{})))
		require.Empty(t, find("age IN ( :ids )", list([]int64(nil))), "of a column that may be NULL")
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, find("age NOT  IN (:ids)", list([]int64{})))
		require.Empty(t, find("name IN (:ids)", list([]string{})))
		require.Equal(t, []int64{1, 3}, find("name IN (:ids) AND city = :city", list([]string{"ada", "cid", "eve"}), city))
		many := make([]int, 3000)
		for i := range many {
			many[i] = i + 4
		}
		require.Equal(t, []int64{4, 5, 6}, find("id IN (:ids)", list(many)))
		require.Equal(t, []int64{2}, find("id IN (:ids) AND id IN (:ids) AND id = :id", list([]int{1, 2}), dbfleet.Named("id", 2)))

		switch fl.Database.Dialect {
		case "postgres":
			require.Equal(t, []int64{2}, find("id = :id::bigint AND '12:30'::time < '13:00'::time AND (ARRAY[:a, 5]::bigint[])[1:2] @> ARRAY[5::bigint]", dbfleet.Named("id", "2"), dbfleet.Named("a", 1)))
			require.Equal(t, []int64{1, 3}, find("id = ANY(:ids)", list([]int64{1, 3})), "elsewhere a list is one value")
			require.Equal(t, []int64{1}, find(`'{"a": 1}'::jsonb ? :key AND '{"a": [7]}'::jsonb->:key->>0 = '7' AND id = :id`, dbfleet.Named("key", "a"), dbfleet.Named("id", 1)))
		case "mysql":
			_, err := dbfleet.Select[int64](ctx, db, "SELECT @n := :n", dbfleet.Named("n", 3))
			require.NoError(t, err)
		}

		type visit struct {
			ID   int64
			Seen *time.Time
		}
		none, err := dbfleet.SelectOne[visit](ctx, db, "SELECT id, CASE WHEN id > 9 THEN :seen END AS seen FROM people WHERE id = :id", dbfleet.Named("seen", (*time.Time)(nil)), dbfleet.Named("id", 1))
		require.NoError(t, err)
		require.Nil(t, none.Seen)
		n := 0
		for _, err := range dbfleet.SelectIter[int64](ctx, db, "SELECT id FROM people WHERE city = :city", city) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 2, n)
	})
}

func TestNamed_TellsTheNameThatIsWrong(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		count, _ := sent(fl.Registry)
		before := count()
		a, own := dbfleet.Named("a", 1), marked(fl, "?")
		tooMany := make([]string, 70_000)
		for i := range tooMany {
			tooMany[i] = strconv.Itoa(i)
		}
		for _, c := range []struct {
			text string
			args []any
			want string
		}{
			{"SELECT :a, :b", []any{a}, "the SQL has :b, which is not among the arguments; they are a"},
			{"SELECT :A", []any{a}, "the SQL has :A, which is not among the arguments; they are a"},
			{"SELECT 1", []any{a}, "the SQL has no :a, which is among the arguments"},
			{"SELECT ':a' -- :a", []any{a}, "the SQL has no :a, which is among the arguments"},
			{"SELECT :a", []any{a, a}, `"a" is given twice`},
			{"SELECT :a", []any{a, 2}, "argument 2 has no name; with Named all have one"},
			{"SELECT :a, " + own, []any{a}, "the SQL has the placeholder " + own + " too; with Named all arguments have a name"},
			{"SELECT :a", []any{dbfleet.Named("", 1)}, `argument 1: "" is no name: letters, digits and _, of which the first is no digit`},
			{"SELECT :a", []any{dbfleet.Named("1a", 1)}, `argument 1: "1a" is no name: letters, digits and _, of which the first is no digit`},
			{"SELECT 1 WHERE 1 IN (:a)", []any{dbfleet.Named("a", []any{1, nil})}, `"a" has an element that is nil, which no IN finds; ask for IS NULL beside it`},
			{"SELECT 1 WHERE 1 IN (:a, 2)", []any{dbfleet.Named("a", []int{})}, `"a" is an empty list beside others`},
		} {
			_, err := dbfleet.Select[int](ctx, db, c.text, c.args...)
			require.EqualError(t, err, "dbfleet: named arguments: "+c.want, c.text)
		}
		_, err := dbfleet.Select[int](ctx, db, "SELECT 1 WHERE 'x' IN (:a)", dbfleet.Named("a", tooMany))
		require.ErrorIs(t, err, dbfleet.ErrTooManyArgs)
		require.Equal(t, before, count(), "nothing was sent")
	})
}

// A list is padded so that lists of many lengths are few texts, but never beyond what
// the database takes.
func TestNamed_ListsUpToTheLimitFit(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		most := 65535
		if fl.Database.Dialect == "sqlite" {
			most = 32766
		}
		ids := make([]int, most)
		for i := range ids {
			ids[i] = 6 + i
		}
		const in = "SELECT id FROM people WHERE id IN (:ids)"
		list, err := dbfleet.Select[int64](ctx, db, in, dbfleet.Named("ids", ids))
		require.NoError(t, err)
		require.Equal(t, []int64{6}, list)
		list, err = dbfleet.Select[int64](ctx, db, in+" OR name = :name", dbfleet.Named("ids", ids[:most-1]), dbfleet.Named("name", "none"))
		require.NoError(t, err)
		require.Equal(t, []int64{6}, list)
		_, err = dbfleet.Select[int64](ctx, db, in+" OR name = :name", dbfleet.Named("ids", ids), dbfleet.Named("name", "none"))
		require.ErrorIs(t, err, dbfleet.ErrTooManyArgs)
		require.ErrorContains(t, err, strconv.Itoa(most+1)+" of them", "those that were given are counted")
	})
}
