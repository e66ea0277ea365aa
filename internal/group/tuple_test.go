package group

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// tuples are the keys of parents, one a row.
func tuples(rows ...[]any) *Keys {
	k := Of(len(rows))
	for parent, row := range rows {
		t := TupleOf(row, row)
		k.Add(parent, "", t, t.Key())
	}
	return k
}

func TestGroups_AreAsFewAsTheColumnsAllow(t *testing.T) {
	t.Parallel()
	part := tuples([]any{1, "a"}, []any{2, "a"}, []any{3, "b"}, []any{1, "a"}).Parts()[0]
	require.Equal(t, []Group{
		{Columns: []int{1}, Values: []any{"a"}, Column: 0, List: []any{1, 2}},
		{Columns: []int{1}, Values: []any{"b"}, Column: 0, List: []any{3}},
	}, part.Groups())
	part = tuples([]any{1, "a", true}, []any{1, "b", true}, []any{1, "b", false}).Parts()[0]
	require.Equal(t, []Group{
		{Columns: []int{0, 1}, Values: []any{1, "a"}, Column: 2, List: []any{true}},
		{Columns: []int{0, 1}, Values: []any{1, "b"}, Column: 2, List: []any{true, false}},
	}, part.Groups())
}

func TestParts_OfSeveralColumnsHaveFewGroups(t *testing.T) {
	t.Parallel()
	diverse, alike := [][]any{}, [][]any{}
	for i := range 2 * MaxGroups {
		diverse, alike = append(diverse, []any{i, -i}), append(alike, []any{i % 3, i})
	}
	parts := tuples(diverse...).Parts()
	require.Len(t, parts, 2)
	for _, p := range parts {
		require.Len(t, p.Groups(), MaxGroups)
	}
	parts = tuples(alike...).Parts()
	require.Len(t, parts, 1)
	require.Len(t, parts[0].Groups(), 3)
}

func TestCertain_OfSeveralColumnsIsSoInEach(t *testing.T) {
	t.Parallel()
	text, number := rowmap.String, rowmap.Int
	part := tuples([]any{"a", int64(1)}, []any{"a", int64(2)}).Parts()[0]
	require.True(t, part.Certain(text, number), "one text")
	require.True(t, part.Settled([]rowmap.Kind{text, number}, []string{"TEXT", "BIGINT"}))
	require.False(t, part.Settled([]rowmap.Kind{text, number}, []string{"TEXT", "VARCHAR"}), "numbers in a column of texts")
	part = tuples([]any{"a", int64(1)}, []any{"A", int64(2)}).Parts()[0]
	require.False(t, part.Certain(text, number))
	part = tuples([]any{"a", "x"}, []any{"b", "y"}).Parts()[0]
	require.True(t, part.Certain(text, text))
}

func TestFits_OfSeveralColumnsNeedAllOfThem(t *testing.T) {
	t.Parallel()
	plan, err := rowmap.Of[post]()
	require.NoError(t, err)
	author, _ := plan.Column("author")
	slug, _ := plan.Column("slug")
	k := tuples([]any{int64(1), "a"}, []any{int64(1), "b"}, []any{int64(2), "a"})
	part := k.Parts()[0]
	posts := []post{{Author: 2, Slug: "a"}, {Author: 1, Slug: "b"}, {Author: 1, Slug: "b"}}
	fits, ok := k.Fits(nil, part, plan, []int{author, slug}, plan.Records(&posts), 0)
	require.True(t, ok)
	records, bounds := k.Deal(fits, false)
	require.Equal(t, []int32{1, 2, 0}, records)
	require.Equal(t, []int32{0, 0, 2, 3}, bounds)
	posts = []post{{Author: 2, Slug: "b"}}
	_, ok = k.Fits(nil, part, plan, []int{author, slug}, plan.Records(&posts), 0)
	require.False(t, ok)
}
