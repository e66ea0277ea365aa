package sqlgen

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func numbers(n int) [][4]byte { // which have no form for long lists
	list := make([][4]byte, n)
	for i := range list {
		list[i] = key(i)
	}
	return list
}

func key(i int) (n [4]byte) {
	binary.BigEndian.PutUint32(n[:], uint32(i))
	return n
}

func TestIn_ListsOfAllLengthsAreFewTexts(t *testing.T) {
	t.Parallel()
	for _, d := range []*dialect.Dialect{dialect.MySQL, dialect.SQLite} {
		texts := map[string]bool{}
		for n := 1; n <= 1000; n++ {
			q := From("users").WithCond(Compare("id", In, numbers(n))).WithCond(Compare("age", Eq, "last"))
			text, args, err := Select(&q, env(d, users))
			require.NoError(t, err)
			texts[text] = true
			size := len(args) - 1
			require.GreaterOrEqual(t, size, n)
			require.LessOrEqual(t, size, n+(n+1)/2)
			for i, a := range args[:size] {
				require.Equal(t, key(min(i, n-1)), a, "the last element comes again")
			}
			require.Equal(t, "last", args[size])
		}
		require.Len(t, texts, 20) // 1, 2, 3, 4, 6, 8, …, 768, 1024
	}
}

func TestIn_PaddedSizesArePowersAndHalves(t *testing.T) {
	t.Parallel()
	var sizes []int
	for n := range 65 {
		sizes = append(sizes, paddedSize(n))
	}
	require.True(t, slices.IsSorted(sizes))
	require.Equal(t, []int{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}, slices.Compact(sizes))
}

// Padding never makes a statement fail that the database takes without it.
func TestIn_PaddingStaysBelowTheLimitOfArguments(t *testing.T) {
	t.Parallel()
	for _, d := range []*dialect.Dialect{dialect.MySQL, dialect.SQLite} {
		half := numbers(d.MaxParams/2 - 1)
		q := From("users").WithCond(Compare("id", In, half)).WithCond(Compare("id", NotIn, half)).WithCond(Compare("age", Eq, 1)).WithLimit(2)
		text, args, err := Select(&q, env(d, users))
		require.NoError(t, err)
		require.Len(t, args, 2*len(half)+2)
		require.Equal(t, []any{int64(1), int64(2)}, args[2*len(half):])
		require.Contains(t, text, "LIMIT ?")

		sets := []Set{{Column: "age", Value: 7}}
		w := From("users").WithCond(Compare("id", In, half)).WithCond(Compare("id", NotIn, half))
		_, args, err = Update(&w, sets, env(d, users))
		require.NoError(t, err)
		require.Len(t, args, 2*len(half)+1)
		require.Equal(t, int64(7), args[0])

		q = q.WithCond(Compare("id", In, half))
		_, _, err = Select(&q, env(d, users))
		require.ErrorIs(t, err, ErrTooManyArgs)
	}
}

func TestLimit_TheTextDoesNotDependOnTheNumber(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		texts := map[string]bool{}
		for page := range int64(50) {
			q := From("users").WithCond(Compare("age", Gt, 1)).WithLimit(20).WithOffset(20 * (page + 1))
			text, args, err := Select(&q, env(d, users))
			require.NoError(t, err)
			require.Equal(t, []any{int64(1), int64(20), 20 * (page + 1)}, args)
			texts[text] = true
		}
		require.Len(t, texts, 1)
	}
}

func TestLimit_TheLastOneCounts(t *testing.T) {
	t.Parallel()
	for q, want := range map[*Query]struct {
		end  string
		args []any
	}{
		at(From("t").WithLimit(5)):                   {" LIMIT ?", []any{int64(5)}},
		at(From("t").WithFixedLimit(5)):              {" LIMIT 5", nil},
		at(From("t").WithFixedLimit(5).WithLimit(6)): {" LIMIT ?", []any{int64(6)}},
		at(From("t").WithLimit(6).WithFixedLimit(5)): {" LIMIT 5", nil},
	} {
		text, args, err := Select(q, env(dialect.SQLite, nil))
		require.NoError(t, err)
		require.Equal(t, `SELECT * FROM "t"`+want.end, text)
		require.Equal(t, want.args, args)
	}
}
