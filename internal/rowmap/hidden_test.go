package rowmap

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestHiding_GivesTheLastColumnsToNobodyElse(t *testing.T) {
	t.Parallel()
	type stored struct{ Name string }
	plan, err := Of[stored]()
	require.NoError(t, err)
	rows := func(values ...driver.Value) *memory {
		m := &memory{columns: []string{"name", "marks", "order"}}
		for i := 0; i < len(values); i += 3 {
			m.rows = append(m.rows, values[i:i+3])
		}
		return m
	}
	var told []int64
	var list []stored
	src := Hiding(rows("a", int64(5), "rest", "b", "6", int64(2)), 2, func(n int64) bool { told = append(told, n); return true })
	require.Equal(t, []string{"name"}, src.Columns())
	n, err := plan.ReadAll(src, &list, 0)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []stored{{"a"}, {"b"}}, list)
	require.Equal(t, []int64{5, 6}, told)
	list = nil
	n, err = plan.ReadAll(Hiding(rows(nil, int64(0), nil, "a", int64(1), "rest", nil, int64(0), nil), 2, func(n int64) bool { return n > 0 }), &list, 0)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []stored{{"a"}}, list, "a row that is not shown is not read")
	for name, bad := range map[string]driver.Value{"null": nil, "text": "x", "bytes": []byte("1.5"), "float": 1.5} {
		_, err := plan.ReadAll(Hiding(rows("a", bad, int64(1)), 2, func(int64) bool { return true }), &list, 0)
		require.Error(t, err, name)
	}
	require.Same(t, dialect.MySQL, dialectOf(Hiding(typedOne("DATE", dialect.MySQL, "x"), 1, nil)))
}
