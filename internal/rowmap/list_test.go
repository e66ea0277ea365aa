package rowmap

import (
	"database/sql/driver"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

type idSet []int64

func (s idSet) Value() (driver.Value, error) { return "set", nil }

func TestList_ExpandsLists(t *testing.T) { // hazards 71, 75
	t.Parallel()
	u := [16]byte{15: 1}
	uuid := value.FormatUUID(u)
	for _, c := range []struct {
		in      any
		want    []any
		hasNull bool
	}{
		{[]int{1, 2}, []any{int64(1), int64(2)}, false},
		{[]int64{1}, []any{int64(1)}, false},
		{[]string{"a", "a"}, []any{"a", "a"}, false},
		{[2]string{"a", "b"}, []any{"a", "b"}, false},
		{&[]string{"a"}, []any{"a"}, false},
		{[]any{1, "a", nil, true}, []any{int64(1), "a", int64(1)}, true},
		{[]*string{new("a"), nil}, []any{"a"}, true},
		{[][]byte{[]byte("a"), nil}, []any{[]byte("a")}, true},
		{[][16]byte{u}, []any{uuid}, false},
		{[]myUUID{myUUID(u)}, []any{uuid}, false},
		{[]money{{1}, {2}}, []any{int64(1), int64(2)}, false},
		{[]*money{{1}, nil}, []any{int64(1)}, true},
		{[]myString{"x"}, []any{"x"}, false},
		{[]int{}, []any{}, false},
		{[]int(nil), []any{}, false},
		{[]string(nil), []any{}, false},
		{[]time.Time{{}}, []any{}, true},
	} {
		got, hasNull, err := List(c.in, dialect.SQLite)
		require.NoError(t, err, "%T", c.in)
		require.Equal(t, c.want, got, "%T", c.in)
		require.Equal(t, c.hasNull, hasNull, "%T", c.in)
		require.True(t, IsList(c.in))
	}
	for _, v := range []any{
		[]byte("bytes"), myBytes("b"), u, myUUID(u), json.RawMessage("[1]"), idSet{1}, 1, "s", nil, (*[]int)(nil), map[int]int{},
	} {
		_, _, err := List(v, dialect.SQLite)
		require.ErrorIs(t, err, ErrType, "%T", v)
		require.False(t, IsList(v), "%T", v)
	}
	_, _, err := List([]any{1, math.NaN()}, dialect.MySQL)
	require.ErrorIs(t, err, ErrRange)
	require.ErrorContains(t, err, "element 1")
	_, _, err = List([]any{[]int{1}}, dialect.MySQL)
	require.ErrorIs(t, err, ErrType)
}

func TestSlice_GivesOneTypedSlice(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		in, want any
		hasNull  bool
	}{
		{[]int{1, 2}, []int64{1, 2}, false},
		{[]int32{1, 2}, []int64{1, 2}, false},
		{[]int64{1, 2}, []int64{1, 2}, false},
		{[]uint8{}, nil, false},
		{[]string{"a"}, []string{"a"}, false},
		{[]string(nil), []string{}, false},
		{[]int64(nil), []string{}, false},
		{[]int{}, []int64{}, false},
		{[]any{1, int8(2), nil}, []int64{1, 2}, true},
		{[]any{nil}, []string{}, true},
		{[][16]byte{{15: 1}}, []string{value.FormatUUID([16]byte{15: 1})}, false},
		{[]float32{0.5}, []float64{0.5}, false},
		{[]bool{true}, []bool{true}, false},
		{[]time.Time{at}, []time.Time{at}, false},
		{[][]byte{{1}}, [][]byte{{1}}, false},
		{[]*int64{new(int64(1)), nil}, []int64{1}, true},
	} {
		got, hasNull, ok, err := Slice(c.in)
		if c.want == nil {
			require.ErrorIs(t, err, ErrType)
			continue
		}
		require.NoError(t, err, "%T", c.in)
		require.True(t, ok, "%T", c.in)
		require.Equal(t, c.want, got, "%T", c.in)
		require.Equal(t, c.hasNull, hasNull, "%T", c.in)
	}
	_, _, ok, err := Slice([]any{1, "a"})
	require.NoError(t, err)
	require.False(t, ok)
	_, _, ok, err = Slice([]uint64{1, math.MaxUint64})
	require.NoError(t, err)
	require.False(t, ok)
}

func TestKey_IsEqualForEqualKeys(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 0, 0, 0, 5000, time.UTC)
	u := [16]byte{0xab, 15: 1}
	groups := [][]any{
		{1, int8(1), int64(1), uint(1), uint64(1), myInt(1), new(int32(1)), money{1}, &money{1}},
		{"1", []byte("1"), myString("1"), myBytes("1"), json.RawMessage("1")},
		{uint64(math.MaxUint), uint(math.MaxUint)},
		{at, at.In(time.FixedZone("", 3600)), &at, Stamp{at}, at.Add(999)},
		{u, myUUID(u), "ab000000-0000-0000-0000-000000000001"},
		{true, myBool(true)},
		{1.5, float32(1.5)},
	}
	seen := map[any]int{}
	for i, group := range groups {
		for _, v := range group {
			key, ok := Key(v)
			require.True(t, ok, "%T", v)
			if j, known := seen[key]; known {
				require.Equal(t, j, i, "%T", v)
			}
			seen[key] = i
		}
	}
	require.Len(t, seen, len(groups))
	for _, v := range []any{nil, (*int)(nil), (*money)(nil), []byte(nil), struct{}{}, []int{1}, map[int]int{}, failing{"x"}} {
		_, ok := Key(v)
		require.False(t, ok, "%T", v)
	}
	zero, ok := Key(time.Time{})
	require.True(t, ok)
	require.NotNil(t, zero)
}
