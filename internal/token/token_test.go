package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	key   = []byte("0123456789abcdef0123456789abcdef")
	other = []byte("fedcba9876543210fedcba9876543210")
)

var contents = map[string]Content{
	"a position":        {Marks: []Mark{{Connection: "main", System: 7, Position: []byte{1, 2, 3}}}},
	"a pin":             {Marks: []Mark{{Connection: "main", Pinned: true}}},
	"a lasting pin":     {Marks: []Mark{{Connection: "main", Position: []byte{0}, Pinned: true, Lasting: true}}},
	"more read":         {Marks: []Mark{{Connection: "main", System: 1, Position: []byte{0}, Behind: true}}},
	"several":           {Marks: []Mark{{Connection: "a", System: 1 << 63, Position: []byte("x")}, {Connection: "b ü \x00"}, {Position: []byte("y")}}},
	"everything pinned": {All: true},
}

func seal(t testing.TB, c Content, key []byte) string {
	t.Helper()
	text, err := Seal(c, key)
	require.NoError(t, err)
	return text
}

func TestToken_SaysWhatWasSealed(t *testing.T) {
	t.Parallel()
	for name, c := range contents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := seal(t, c, key)
			require.Regexp(t, `^[A-Za-z0-9_-]+$`, text, "it must fit into an address and a cookie")
			got, err := Open(text, [][]byte{key})
			require.NoError(t, err)
			require.Equal(t, c, got)
			require.Equal(t, text, seal(t, c, key), "the same content is the same text: there is no clock in it")
		})
	}
}

func TestToken_OfNothingIsEmpty(t *testing.T) {
	t.Parallel()
	require.Empty(t, seal(t, Content{}, key))
	require.Empty(t, seal(t, Content{}, nil))
	got, err := Open("", nil)
	require.NoError(t, err)
	require.Equal(t, Content{}, got)
}

func TestToken_IsShort(t *testing.T) {
	t.Parallel()
	text := seal(t, Content{Marks: []Mark{{Connection: "main", System: 7_000_000_000_000_000_000, Position: make([]byte, 10)}}}, key)
	require.Less(t, len(text), 64)
}

func TestToken_NeedsAKey(t *testing.T) {
	t.Parallel()
	_, err := Seal(contents["a pin"], nil)
	require.ErrorIs(t, err, ErrNoKey)
}

func TestToken_KeysMayBeRotated(t *testing.T) {
	t.Parallel()
	old := seal(t, contents["several"], key)
	got, err := Open(old, [][]byte{other, key})
	require.NoError(t, err)
	require.Equal(t, contents["several"], got)
	for _, keys := range [][][]byte{nil, {other}, {nil}, {{}}} {
		_, err = Open(old, keys)
		require.ErrorIs(t, err, ErrBad)
	}
}

// hazard: HMAC takes each of these pairs for one key.
func TestToken_OfAKeyIsNotThatOfAnother(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat(key, 4)
	hash := sha256.Sum256(long)
	for name, pair := range map[string][2][]byte{
		"zero bytes behind": {key, append(bytes.Clone(key), 0)},
		"its hash":          {long, hash[:]},
	} {
		for i, k := range pair {
			text := seal(t, contents["a pin"], k)
			_, err := Open(text, [][]byte{k})
			require.NoError(t, err, name)
			_, err = Open(text, [][]byte{pair[1-i]})
			require.ErrorIs(t, err, ErrBad, name)
		}
	}
}

// promise: what was changed by a single bit anywhere is refused.
func TestToken_RefusesEveryChangeOfABitAndEveryCut(t *testing.T) {
	t.Parallel()
	for name, c := range contents {
		text := seal(t, c, key)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		for bit := range len(raw) * 8 {
			forged := bytes.Clone(raw)
			forged[bit/8] ^= 1 << (bit % 8)
			_, err := Open(base64.RawURLEncoding.EncodeToString(forged), [][]byte{key, other})
			require.ErrorIs(t, err, ErrBad, "%s, bit %d", name, bit)
		}
		for n := 1; n < len(text); n++ {
			_, err := Open(text[:n], [][]byte{key})
			require.ErrorIs(t, err, ErrBad, "%s, cut to %d", name, n)
		}
		for _, more := range []string{"A", "=", "\n", text} {
			_, err := Open(text+more, [][]byte{key})
			require.ErrorIs(t, err, ErrBad, "%s and %q", name, more)
		}
	}
}

// A text of another version is refused though it is signed, and so is every body that
// Seal does not make.
func TestToken_RefusesSignedTextsThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"another version":        {2, 0, 0},
		"no flags":               {1},
		"unknown flags":          {1, 2, 0},
		"no number":              {1, 0},
		"more marks than bytes":  {1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"an endless number":      {1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
		"a mark that is missing": {1, 0, 1},
		"unknown flags of it":    {1, 0, 1, 16, 0, 0},
		"a cut name":             {1, 0, 1, 0, 9, 'm'},
		"a cut system":           {1, 0, 1, 1, 1, 'm', 0, 0},
		"a cut position":         {1, 0, 1, 0, 1, 'm', 9, 0},
		"bytes behind it":        {1, 0, 1, 0, 1, 'm', 0, 0},
	} {
		text := base64.RawURLEncoding.EncodeToString(append(body, sign(body, key)...))
		_, err := Open(text, [][]byte{key})
		require.ErrorIs(t, err, ErrBad, name)
	}
}

func TestToken_NeverGetsTooLongAndForgetsNothing(t *testing.T) {
	t.Parallel()
	var many Content
	for i := range 40 {
		many.Marks = append(many.Marks, Mark{Connection: fmt.Sprint("connection ", i), Position: make([]byte, 40+i)})
	}
	text := seal(t, many, key)
	require.LessOrEqual(t, len(text), MaxText)
	got, err := Open(text, [][]byte{key})
	require.NoError(t, err)
	require.Len(t, got.Marks, 40)
	pins := 0
	for i, m := range got.Marks {
		require.Equal(t, many.Marks[i].Connection, m.Connection)
		if m.Pinned {
			pins++
			require.Empty(t, m.Position)
			continue
		}
		require.Equal(t, many.Marks[i].Position, m.Position)
	}
	require.NotZero(t, pins)
	require.Less(t, pins, 40)
	require.True(t, got.Marks[39].Pinned, "the longest give way first")
	require.False(t, many.Marks[39].Pinned, "what was given is as it was")

	long := Content{Marks: []Mark{{Connection: strings.Repeat("n", MaxText), Position: []byte("x")}}}
	got, err = Open(seal(t, long, key), [][]byte{key})
	require.NoError(t, err)
	require.Equal(t, Content{All: true}, got)
}

func FuzzOpen(f *testing.F) {
	for _, c := range contents {
		f.Add(seal(f, c, key))
		f.Add(seal(f, c, other))
	}
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Open(text, [][]byte{key})
		if err != nil {
			require.ErrorIs(t, err, ErrBad)
			return
		}
		require.Equal(t, text, seal(t, c, key), "a text that is taken is one that Seal makes")
	})
}

// FuzzParse gives any body to who would sign it.
func FuzzParse(f *testing.F) {
	for _, c := range contents {
		f.Add(appendBody(nil, c)[1:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parse(body)
		if err != nil || len(appendBody(nil, c)) > room {
			return
		}
		again, err := parse(appendBody(nil, c)[1:])
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
