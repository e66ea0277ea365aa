package sqlgen

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestEachUpdate_SentIsWhatItsTextSends(t *testing.T) {
	t.Parallel()
	form := func(_ int, arg any) Form { return LocatedForm(arg, false, true) }
	for name, c := range map[string]struct {
		form func(int, any) Form
		keys []any
		want int
	}{
		"plain":             {nil, []any{int64(1), int64(2)}, 2 + 1 + 2 + 1},
		"numbers":           {form, []any{int64(1), int64(2)}, 2 + 3 + 2 + 1},
		"a large number":    {form, []any{int64(1), int64(1 << 60)}, 2 + 3 + 6 + 1},
		"texts":             {form, []any{"a", "b"}, 2 + 1 + 2 + 1},
		"numbers and texts": {form, []any{int64(1), "b"}, 2 + 3 + 6 + 1},
	} {
		u := EachUpdate{Table: "t", Keys: []string{"k"}, Sets: []string{"a", "b.c"}, Version: "rev", Form: c.form}
		var rows [][]any
		for _, key := range c.keys {
			rows = append(rows, []any{"x", "y", key, int64(1)})
		}
		require.Equal(t, c.want, u.Sent(rows), name)
		text, args, err := u.Text(rows, dialect.MySQL)
		require.NoError(t, err)
		require.LessOrEqual(t, len(args), c.want*len(rows), name)
		most := 0
		for i := range rows { // the row that sends most
			same := [][]any{rows[i], rows[i]}
			for j := range same {
				same[j] = rows[i]
			}
			_, args, err := u.Text(same, dialect.MySQL)
			require.NoError(t, err)
			most = max(most, len(args)/2)
		}
		require.LessOrEqual(t, most, c.want, fmt.Sprint(name, text))
	}
}
