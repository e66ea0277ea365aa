package group

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// post is a related record: it belongs to the author of its key.
type post struct {
	Title  string
	Author int64
	Slug   string
	Reply  *int64
}

// deal deals posts by a column and returns the titles of each parent's, or nil if a
// post fits none.
func deal(t *testing.T, k *Keys, column string, posts ...[]post) [][]string {
	t.Helper()
	plan, err := rowmap.Of[post]()
	require.NoError(t, err)
	field, ok := plan.Column(column)
	require.True(t, ok)
	var fits []Fit
	var all []post
	for i, part := range k.Parts() {
		if fits, ok = k.Fits(fits, part, plan, []int{field}, plan.Records(&posts[i]), len(all)); !ok {
			return nil
		}
		all = append(all, posts[i]...)
	}
	records, bounds := k.Deal(fits, false)
	out := make([][]string, len(bounds)-1)
	for i := range out {
		out[i] = []string{}
		for _, r := range records[bounds[i]:bounds[i+1]] {
			out[i] = append(out[i], all[r].Title)
		}
	}
	return out
}

func TestDeal_KeepsTheOrderWithinAKey(t *testing.T) {
	t.Parallel()
	k := Of(2)
	k.AddInt(0, 7)
	k.AddInt(1, 3)
	require.Equal(t, []int64{7, 3}, k.Parts()[0].Ints, "asked in the order of the parents")
	require.Equal(t, [][]string{{"b", "d"}, {"a", "c"}},
		deal(t, k, "author", []post{{Title: "a", Author: 3}, {Title: "b", Author: 7}, {Title: "c", Author: 3}, {Title: "d", Author: 7}}))
}

func TestDeal_GivesParentsOfOneKeyTheSameRecords(t *testing.T) {
	t.Parallel()
	k := Of(4)
	k.AddInt(0, 7)
	k.AddInt(1, 7)
	k.AddInt(3, 8) // the one before has none
	require.Equal(t, []int64{7, 8}, k.Parts()[0].Ints, "each key is asked once")
	require.Equal(t, [][]string{{"a"}, {"a"}, {}, {"b"}}, deal(t, k, "author", []post{{Title: "a", Author: 7}, {Title: "b", Author: 8}}))
}

func TestDeal_GivesOneTheFirst(t *testing.T) {
	t.Parallel()
	k := Of(2)
	k.AddInt(0, 7)
	k.AddInt(1, 8)
	p := k.Parts()[0]
	records, bounds := k.Deal([]Fit{p.At(1, 0), p.At(0, 1), p.At(1, 2)}, true)
	require.Equal(t, []int32{1, 0}, records)
	require.Equal(t, []int32{0, 1, 2}, bounds)
}

func TestTake_IsByThePlaceWithinAKey(t *testing.T) {
	t.Parallel()
	k := Of(3)
	k.AddInt(0, 7)
	k.AddInt(1, 8)
	k.Add(2, "", "a", "a")
	p := k.Parts()[0]
	fits := func() []Fit { return []Fit{p.At(1, 0), p.At(0, 1), p.At(1, 2), p.At(1, 3), p.At(0, 4)} }
	require.Equal(t, []Fit{p.At(1, 0), p.At(0, 1), p.At(1, 2), p.At(0, 4)}, p.Take(fits(), []int64{1, 2, 3, 4, 5}, 0, 2))
	require.Equal(t, []Fit{p.At(1, 2), p.At(0, 4)}, p.Take(fits(), []int64{1, 2, 3, 4, 5}, 1, 1))
	require.Equal(t, []Fit{p.At(0, 4), p.At(1, 3)}, p.Take(fits(), []int64{5, 4, 3, 2, 1}, 0, 1))
	require.Equal(t, []Fit{p.At(1, 2), p.At(0, 1), p.At(1, 0)}, p.Take(fits(), []int64{5, 4, 3, 2, 1}, 1, 5))
	require.Empty(t, p.Take(fits(), []int64{1, 2, 3, 4, 5}, 3, 2))
	require.Empty(t, p.Take(nil, nil, 0, 1))
	other := k.Parts()[1]
	require.Equal(t, []Fit{other.At(0, 6)}, other.Take([]Fit{other.At(0, 5), other.At(0, 6)}, []int64{2, 1}, 0, 1), "a key of a later part")
}

func TestSome_AreKeysOfAPart(t *testing.T) {
	t.Parallel()
	k := Of(6)
	for i, n := range []int64{5, 6, 7} {
		k.AddInt(i, n)
	}
	for i, text := range []string{"a", "b", "c"} {
		k.Add(3+i, "", TupleOf([]any{text, 1}, []any{text, int64(1)}), TupleOf(nil, []any{text, int64(1)}).Key())
	}
	ints, tuples := k.Parts()[0], k.Parts()[1]
	require.Same(t, ints, ints.Some(0, 3))
	require.Equal(t, []int64{6, 7}, ints.Some(1, 2).Ints)
	require.Equal(t, []Group{{Columns: []int{1}, Values: []any{1}, Column: 0, List: []any{"b", "c"}}}, tuples.Some(1, 2).Groups())
}

func TestFits_RefusesWhatFitsNoKey(t *testing.T) {
	t.Parallel()
	k := Of(2)
	k.AddInt(0, 7)
	k.AddInt(1, 8)
	nine := int64(9)
	require.Nil(t, deal(t, k, "author", []post{{Title: "a", Author: 7}, {Title: "x", Author: 9}}))
	require.Nil(t, deal(t, k, "reply", []post{{Title: "null"}}))
	require.Nil(t, deal(t, k, "reply", []post{{Title: "x", Reply: &nine}}))
	one := Of(1)
	one.AddInt(0, 7)
	require.Equal(t, [][]string{{"x"}}, deal(t, one, "author", []post{{Title: "x", Author: 9}}), "what was found for a sole key belongs to it")
}

func TestDeal_FindsKeysOfOtherKinds(t *testing.T) {
	t.Parallel()
	k := Of(3)
	k.Add(0, "", "ada", "ada")
	k.Add(1, "", "ada", "ada")
	k.Add(2, "", "bob", "bob")
	require.Equal(t, []any{"ada", "bob"}, k.Parts()[0].Values, "once")
	require.Equal(t, [][]string{{"a"}, {"a"}, {}}, deal(t, k, "slug", []post{{Title: "a", Slug: "ada"}}))
	k = Of(2)
	k.Add(0, "", int32(7), int64(7))
	k.Add(1, "", int32(8), int64(8))
	require.Equal(t, []int64{7, 8}, k.Parts()[0].Ints)
	seven := int64(7)
	require.Equal(t, [][]string{{"a"}, {}}, deal(t, k, "reply", []post{{Title: "a", Reply: &seven}}))
}

// truth 302
func TestDeal_KeepsPartsApart(t *testing.T) {
	t.Parallel()
	k := Of(MaxKeys + 1)
	for i := range MaxKeys + 1 {
		k.AddInt(i, int64(i))
	}
	require.Len(t, k.Parts(), 2)
	require.Nil(t, deal(t, k, "author", []post{{Title: "x", Author: MaxKeys}}, nil), "it was found for a key of the other part")
	got := deal(t, k, "author", []post{{Title: "a", Author: 1}}, []post{{Title: "b", Author: MaxKeys}})
	require.Equal(t, []string{"a"}, got[1])
	require.Equal(t, []string{"b"}, got[MaxKeys])
}

func TestDeal_KeepsShardsApart(t *testing.T) {
	t.Parallel()
	k := Of(5)
	k.Add(0, "two", 7, int64(7))
	k.Add(1, "one", 7, int64(7))
	k.Add(2, "two", 7, int64(7))
	k.Add(3, "two", 8, int64(8))
	k.Add(4, "one", 9, int64(9))
	parts := k.Parts()
	require.Len(t, parts, 2)
	require.Equal(t, []any{7, 8}, parts[0].Values, "each key once on each shard")
	require.Equal(t, "one", parts[1].Shard)
	require.Equal(t, [][]string{{"a"}, {"b"}, {"a"}, {}, {}}, deal(t, k, "author", []post{{Title: "a", Author: 7}}, []post{{Title: "b", Author: 7}}))
}

func TestDeal_WithoutParentsOrKeysGivesNothing(t *testing.T) {
	t.Parallel()
	require.Empty(t, deal(t, Of(0), "author"))
	require.Equal(t, [][]string{{}}, deal(t, Of(1), "author"), "one whose key is NULL")
}

// part is a part of these keys.
func part(keys ...any) *Part {
	k := Of(len(keys))
	for i, v := range keys {
		key, ok := rowmap.Key(v)
		if !ok {
			panic("no key")
		}
		k.Add(i, "", v, key)
	}
	return k.Parts()[0]
}

// truth 312
func TestCertain_IsWhatNoColumnCanSeeOtherwise(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		part    *Part
		kind    rowmap.Kind
		certain bool
		settled map[string]bool
	}{
		"numbers":        {part(1, 2), rowmap.Int, true, map[string]bool{"BIGINT": true, "INT8": true, "NUMERIC": true, "": true, "TEXT": false, "VARCHAR": false, "DOUBLE": false, "FLOAT8": false}},
		"large numbers":  {part(uint64(math.MaxUint64), 1), rowmap.Uint, true, map[string]bool{"BIGINT": true, "VARCHAR": false}},
		"texts":          {part("a", "b"), rowmap.String, true, map[string]bool{"TEXT": true, "VARCHAR": true, "BPCHAR": true, "UUID": true, "VARBINARY": true, "NUMERIC": false, "INET": false, "": false, "_TEXT": false, "DATE": false}},
		"cases":          {part("a", "A"), rowmap.String, false, nil},
		"blanks":         {part("a", "a "), rowmap.String, false, nil},
		"accents":        {part("a", "é"), rowmap.String, false, nil},
		"addresses":      {part("::1", "0:0:0:0:0:0:0:1"), rowmap.String, false, nil},
		"names of parts": {part("urn:isbn:1", "urn:isbn:2"), rowmap.String, true, nil},
		"one text":       {part("é"), rowmap.String, true, map[string]bool{"TEXT": true}},
		"bytes":          {part([]byte{1}, []byte{0xff}), rowmap.Bytes, true, map[string]bool{"BYTEA": true, "BLOB": true, "BINARY": true, "TEXT": false, "": false}},
		"text as bytes":  {part([]byte("a"), []byte("b")), rowmap.Bytes, true, map[string]bool{"BYTEA": true, "TEXT": true, "": false}},
		"uuids":          {part([16]byte{1}, [16]byte{2}), rowmap.UUID, true, map[string]bool{"UUID": true, "CHAR": true, "BINARY": true}},
		"floats":         {part(0.5, 1.5), rowmap.Float, true, map[string]bool{"FLOAT8": true, "REAL": true}},
		"close floats":   {part(0.1, float64(float32(0.1))), rowmap.Float, false, nil},
		"instants":       {part(noon, noon.Add(time.Second)), rowmap.Time, true, map[string]bool{"TIMESTAMPTZ": true, "DATETIME": true, "DATE": false, "TIME": false, "": false}},
		"bools":          {part(true, false), rowmap.Bool, true, map[string]bool{"BOOL": true}},
		"any":            {part("7", true), rowmap.Any, false, nil},
	} {
		require.Equal(t, tc.certain, tc.part.Certain(tc.kind), name)
		for typeName, settled := range tc.settled {
			require.Equal(t, settled, tc.part.Settled([]rowmap.Kind{tc.kind}, []string{typeName}), "%s in %s", name, typeName)
		}
	}
}
