package queries

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 67, 73, 193: lists of any length, or a clear error where only
// arguments carry them.
func TestConditions_LongLists(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
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
		limit := map[string]int{"sqlite": 32_766, "postgres": 1 << 30, "mysql": 65_535}[fl.Database.Dialect]
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
			require.Contains(t, err.Error(), fmt.Sprintf("%d of them, %s takes %d", n, fl.Database.Dialect, limit))
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
		if fl.Database.Dialect == "postgres" {
			one, _, err := l.people.WhereIn("id", []int{1}).SQL(ctx)
			require.NoError(t, err)
			many, _, err := l.people.WhereIn("id", []int{1, 2, 3}).SQL(ctx)
			require.NoError(t, err)
			require.Equal(t, one, many)
		}
	})
}

type user struct {
	ID   int64
	Name string
	Age  int
}

// hazard 73: a list longer than a statement may have arguments still works, on
// every database, for numbers and for text of any kind.
func TestQuery_FindsByListsBeyondTheArgumentLimit(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE users (id {id}, name {text} NOT NULL, age {int} NOT NULL)`)
		users := conformance.Model[user](t, fl.Registry, dbfleet.ModelConfig{Table: "users"})
		name := func(i int) string { return fmt.Sprintf("n'%d\\\"ü", i) }
		list := make([]user, 100)
		for i := range list {
			list[i].Name = name(i)
		}
		require.NoError(t, users.CreateMany(ctx, list))
		ids, names := make([]int64, 70_000), make([]string, 70_000)
		for i := range ids {
			ids[i] = list[50].ID + int64(i)
			names[i] = name(i + 50)
		}

		got, err := users.WhereIn("id", ids).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 50)
		n, err := users.Query().WhereNotIn("id", ids).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 50, n)
		got, err = users.WhereIn("name", names).Where("age", "=", 0).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 50)
		n, err = users.WhereIn("id", ids).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 50, n)
	})
}
