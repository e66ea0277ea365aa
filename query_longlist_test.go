package dbfleet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// hazard 73: a list longer than a statement may have arguments still works, on
// every database, for numbers and for text of any kind.
func TestQuery_FindsByListsBeyondTheArgumentLimit(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, usersTable)
		users := model[user](t, fl.Registry, dbfleet.ModelConfig{Table: "users", Timestamps: true})
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
