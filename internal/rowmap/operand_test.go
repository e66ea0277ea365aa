package rowmap

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestAppendList_IsList(t *testing.T) {
	t.Parallel()
	lists := []any{
		[]int64{}, []int64{1, 255, 256, -1, math.MaxInt64, math.MinInt64, 7}, []int{0, 300, -300},
		[]string{}, []string{"", "a", "b"}, []int64(nil), []string(nil),
	}
	for _, list := range lists {
		want, hasNull, err := List(list, dialect.SQLite)
		require.NoError(t, err)
		require.False(t, hasNull)
		got, ok := AppendList([]any{"before"}, list)
		require.True(t, ok)
		require.Equal(t, append([]any{"before"}, want...), got)
	}
	_, ok := AppendList(nil, []any{1})
	require.False(t, ok)
}

// The values are their own: neither the list nor another value changes them.
func TestAppendList_KeepsItsValues(t *testing.T) {
	t.Parallel()
	ints, texts := []int64{1000, 2000, 3000}, []string{"a", "b"}
	args, _ := AppendList(nil, ints)
	args, _ = AppendList(args, texts)
	clear(ints)
	clear(texts)
	require.Equal(t, []any{int64(1000), int64(2000), int64(3000), "a", "b"}, args)
}

// Plan.Operand is Fit and then Operand, whatever it takes a short way for.
func TestPlanOperand_IsFitThenOperand(t *testing.T) {
	t.Parallel()
	type row struct {
		I   int64
		U   uint8
		S   string
		F   float64
		B   bool
		T   time.Time
		P   *int
		Raw []byte
	}
	p, err := Of[row]()
	require.NoError(t, err)
	nothing := (*string)(nil)
	values := []any{
		nil, nothing, 1, int64(-1), int64(300), uint64(math.MaxUint64), "x", "17", "", true, false, 2.5, 2.0, math.Inf(1),
		time.Time{}, time.Unix(1, 5).UTC(), []byte("b"), int8(3), float32(1.5), struct{}{}, "2024-01-02",
	}
	for i := range p.Columns() {
		for _, v := range values {
			for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
				var want any
				fit, wantErr := p.Fit(i, v)
				if wantErr == nil {
					want, wantErr = Arg(fit, d)
				}
				got, err := p.Operand(i, v, d)
				require.Equal(t, wantErr == nil, err == nil, "%s %v %s: %v", p.Columns()[i], v, d.Name, err)
				require.Equal(t, want, got, "%s %v %s", p.Columns()[i], v, d.Name)
				if err != nil {
					var column *ColumnError
					require.ErrorAs(t, err, &column)
					require.Equal(t, p.Columns()[i], column.Column)
				}
			}
		}
	}
}
