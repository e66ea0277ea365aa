package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func row(values ...driver.Value) *memory {
	return &memory{columns: make([]string, len(values)), rows: [][]driver.Value{values}}
}

func summaryOf[V any](t *testing.T, src *memory, s Summary) (V, bool) {
	t.Helper()
	var v V
	found, err := ReadSummary(src, s, &v)
	require.NoError(t, err)
	require.Equal(t, 1, src.closed)
	return v, found
}

// truth 515
func TestReadSummary_MeansAreDividedExactly(t *testing.T) {
	t.Parallel()
	text, _ := summaryOf[string](t, row("3.000000000000000003", int64(2), 1.5), Mean)
	require.Equal(t, "1.5000000000000000015", text)
	text, _ = summaryOf[string](t, row(int64(math.MaxInt64), int64(3), 0.0), Mean)
	require.Equal(t, "3074457345618258602.333333333333333333333333333333", text)
	text, _ = summaryOf[string](t, row(int64(-2), int64(3), 0.0), Mean)
	require.Equal(t, "-0.666666666666666666666666666667", text)
	text, _ = summaryOf[string](t, row([]byte("200"), int64(2), 0.0), Mean)
	require.Equal(t, "100", text, "zeros of the whole part stay")
	whole, _ := summaryOf[int64](t, row(uint64(math.MaxUint64), int64(3), 0.0), Mean)
	require.EqualValues(t, int64(math.MaxUint64/3), whole)
	near, _ := summaryOf[float64](t, row(int64(1), int64(3), 0.0), Mean)
	require.Equal(t, 1.0/3, near)
	tiny, _ := summaryOf[float64](t, row("0.0000000000000000000000000000000003", int64(2), 0.0), Mean)
	require.Equal(t, 1.5e-34, tiny)
	large, _ := summaryOf[float64](t, row("4503599627370495.5", int64(1), 0.0), Mean)
	require.Equal(t, 4503599627370495.5, large)
	own, _ := summaryOf[float64](t, row(0.3, int64(3), 0.7), Mean)
	require.Equal(t, 0.7, own, "of floats the database's")
	own, _ = summaryOf[float64](t, row("NaN", int64(3), math.NaN()), Mean)
	require.True(t, math.IsNaN(own))
	var f32 float32
	_, err := ReadSummary(row(int64(1<<24+1), int64(1), 0.0), Mean, &f32)
	require.ErrorIs(t, err, ErrRange)
	var n int
	_, err = ReadSummary(row(int64(3), int64(2), 0.0), Mean, &n)
	require.ErrorIs(t, err, ErrRange)
}

// truth 516
func TestReadSummary_ValuesAreAddedAsTheDecimalsThatTheyReadAs(t *testing.T) {
	t.Parallel()
	mixed := func() *memory { return column("c", int64(1), "2.50", nil, 0.1, []byte("-0.001"), "1e2") }
	text, _ := summaryOf[string](t, mixed(), TotalOfAll)
	require.Equal(t, "103.599", text)
	text, _ = summaryOf[string](t, mixed(), MeanOfAll)
	require.Equal(t, "20.7198", text)
	text, _ = summaryOf[string](t, column("c", "1.5000", "2.2500"), TotalOfAll)
	require.Equal(t, "3.7500", text)
	text, _ = summaryOf[string](t, column("c", int64(math.MaxInt64), int64(math.MaxInt64)), TotalOfAll)
	require.Equal(t, "18446744073709551614", text)
	f, _ := summaryOf[float64](t, column("c", 0.5, int64(1), 1e300), MeanOfAll)
	require.Equal(t, 1e300/3, f)
	whole, _ := summaryOf[int64](t, column("c", int64(math.MaxInt64), int64(math.MaxInt64)), MeanOfAll)
	require.EqualValues(t, int64(math.MaxInt64), whole)
	for _, bad := range []driver.Value{"abc", "", []byte{0}, true, math.Inf(1), math.NaN()} {
		_, err := ReadSummary(column("c", bad), TotalOfAll, &text)
		require.ErrorIs(t, err, ErrType, "%v", bad)
		var ce *ColumnError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "c", ce.Column)
	}
}

// truth 517
func TestReadSummary_TellsNoValues(t *testing.T) {
	t.Parallel()
	for _, s := range []Summary{First, FirstOfRow, Total, TotalOfAll, Mean, MeanOfAll} {
		sum := s == Total || s == TotalOfAll
		none := func() *memory {
			switch s {
			case FirstOfRow:
				return row(nil, nil)
			case Mean:
				return row(nil, int64(0), nil)
			}
			return row(nil)
		}
		n, found := summaryOf[int64](t, none(), s)
		require.Zero(t, n)
		require.Equal(t, sum, found)
		p, found := summaryOf[*int64](t, none(), s)
		require.Nil(t, p)
		require.True(t, found)
		null, found := summaryOf[sql.Null[string]](t, none(), s)
		require.False(t, null.Valid)
		require.True(t, found)
	}
}

// truth 518
// A connection that breaks is no empty result.
func TestReadSummary_TellsWhatABrokenResultSays(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, s := range []Summary{First, Total, TotalOfAll, MeanOfAll} {
		src := column("c")
		src.err = broken
		var n int64
		found, err := ReadSummary(src, s, &n)
		require.ErrorIs(t, err, broken)
		require.False(t, found)
		src = column("c")
		src.closeErr = broken
		_, err = ReadSummary(src, s, &n)
		require.ErrorIs(t, err, broken)
		_, err = ReadSummary(row(1, 2, 3, 4), s, &n)
		require.ErrorIs(t, err, ErrColumn)
	}
	var v chan int
	_, err := ReadSummary(column("c"), First, &v)
	require.ErrorIs(t, err, ErrType)
}

// truth 516
// Sums of any order and size are those of big rationals.
func TestReadSummary_AddsLikeRationals(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		want := new(big.Rat)
		src := column("c")
		for range 1 + r.IntN(30) {
			var v driver.Value = int64(r.Uint64()) >> r.IntN(64)
			text := fmt.Sprint(v)
			if r.IntN(2) == 0 {
				text = fmt.Sprintf("%s.%0*d", text, 1+r.IntN(20), r.IntN(1000))
				v = text
			}
			n, ok := new(big.Rat).SetString(text)
			require.True(t, ok)
			want.Add(want, n)
			src.rows = append(src.rows, []driver.Value{v})
		}
		got, _ := summaryOf[string](t, src, TotalOfAll)
		sum, ok := new(big.Rat).SetString(got)
		require.True(t, ok, got)
		require.Zero(t, want.Cmp(sum), "%v %s", src.rows, got)
	}
}
