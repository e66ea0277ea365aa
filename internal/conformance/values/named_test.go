package values

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type half float32

// truth 404
// The value of a name is what it is as an argument without one.
func TestNamed_ValuesAreThoseOfArgumentsWithoutNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, main := t.Context(), fl.DB("main")
		fl.Create(t, `CREATE TABLE named (id {id}, at {time}, n {bigint})`)
		insert := func(at, n any) error {
			_, err := dbfleet.Select[int64](ctx, main, "INSERT INTO named (at, n) VALUES (:at, :n) RETURNING id", dbfleet.Named("at", at), dbfleet.Named("n", n))
			return err
		}
		require.NoError(t, insert(time.Time{}, 1))
		require.NoError(t, insert(&time.Time{}, 1))
		n, err := main.Table("named").WhereNull("at").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		switch fl.Database.Dialect {
		case "postgres": // which would cut it
			f := 1.5
			require.ErrorContains(t, insert(time.Now(), half(f)), "no whole number")
			require.ErrorContains(t, insert(time.Now(), &f), "no whole number")
		case "sqlite":
			for _, v := range []any{float32(0.1), half(0.1)} {
				same, err := dbfleet.SelectOne[bool](ctx, main, "SELECT :x = 0.1", dbfleet.Named("x", v))
				require.NoError(t, err)
				require.True(t, same, "%T", v)
			}
		}
	})
}
