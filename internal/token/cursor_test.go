package token

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func someCursor() Cursor {
	return Cursor{Query: [12]byte{1, 2, 3}, With: true, Keys: []Key{
		{}, {Value: true}, {Value: false}, {Value: int64(math.MinInt64)}, {Value: uint64(math.MaxUint64)}, {Value: math.Copysign(0, -1)},
		{Value: math.Inf(1)}, {Value: "a\x00\xff"}, {Value: []byte{}}, {Value: []byte{0}}, {Value: "12.50", Decimal: true},
		{Value: time.Date(1, 2, 3, 4, 5, 6, 789_012_345, time.UTC)}, {Value: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)},
	}}
}

func TestCursor_SaysWhatItWasGiven(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {[]byte("0123456789abcdef")}, {[]byte("another key of 1"), []byte("0123456789abcdef")}} {
		var key []byte
		if len(keys) > 0 {
			key = keys[len(keys)-1]
		}
		text, err := SealCursor(someCursor(), key)
		require.NoError(t, err)
		got, err := OpenCursor(text, keys)
		require.NoError(t, err)
		require.Equal(t, someCursor(), got)
	}
}

func TestCursor_IsRefusedChangedForeignAndUnsigned(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	signed, err := SealCursor(someCursor(), key)
	require.NoError(t, err)
	plain, err := SealCursor(someCursor(), nil)
	require.NoError(t, err)
	for claim, try := range map[string]struct {
		text string
		keys [][]byte
	}{
		"unsigned, where there are keys": {plain, [][]byte{key}},
		"signed, where there are none":   {signed, nil},
		"of another key":                 {signed, [][]byte{[]byte("fedcba9876543210")}},
		"a session's token":              {"AQAA", nil},
		"with a line end":                {plain[:8] + "\n" + plain[8:], nil},
		"too long":                       {strings.Repeat("A", MaxCursor+1), nil},
		"empty":                          {"", nil},
	} {
		_, err := OpenCursor(try.text, try.keys)
		require.ErrorIs(t, err, ErrCursor, claim)
	}
	for i := range signed {
		changed := []byte(signed)
		changed[i] ^= 1
		_, err := OpenCursor(string(changed), [][]byte{key})
		require.Error(t, err, i)
		_, err = OpenCursor(signed[:i], [][]byte{key})
		require.Error(t, err, i)
	}
	_, err = OpenCursor("Ag"+plain[2:], nil)
	require.ErrorIs(t, err, ErrVersion)
	_, err = SealCursor(Cursor{Keys: []Key{{Value: strings.Repeat("a", MaxCursor)}}}, nil)
	require.ErrorIs(t, err, ErrLongCursor)
	_, err = SealCursor(Cursor{Keys: []Key{{Value: 1}}}, nil)
	require.Error(t, err)
}

func FuzzOpenCursor(f *testing.F) {
	text, err := SealCursor(someCursor(), nil)
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := OpenCursor(text, nil)
		if err != nil {
			return
		}
		again, err := SealCursor(c, nil)
		require.NoError(t, err)
		_, err = OpenCursor(again, nil)
		require.NoError(t, err)
	})
}
