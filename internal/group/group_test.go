package group

import (
	"testing"

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

// deal deals posts by a column and returns their titles side by side.
func deal(t *testing.T, g *Groups, column string, posts []post, shards []string) []string {
	t.Helper()
	plan, err := rowmap.Of[post]()
	require.NoError(t, err)
	field, ok := plan.Column(column)
	require.True(t, ok)
	places, n := g.Deal(plan, field, plan.Records(&posts), shards)
	require.Len(t, places, len(posts))
	dealt := make([]string, n)
	for i, at := range places {
		if at < 0 {
			continue
		}
		require.Empty(t, dealt[at], "two records at one place")
		dealt[at] = posts[i].Title
	}
	require.NotContains(t, dealt, "", "a place without a record")
	return dealt
}

func of(g *Groups, dealt []string, parent int) []string {
	from, to := g.Bounds(parent)
	return dealt[from:to]
}

func TestDeal_KeepsTheOrderWithinAGroup(t *testing.T) {
	t.Parallel()
	g := New(2)
	g.AddInt(0, 7)
	g.AddInt(1, 3)
	require.Equal(t, []int64{7, 3}, g.Ints, "asked in the order of the parents")
	dealt := deal(t, g, "author", []post{{Title: "a", Author: 3}, {Title: "b", Author: 7}, {Title: "c", Author: 3}, {Title: "d", Author: 7}}, nil)
	require.Equal(t, []string{"b", "d"}, of(g, dealt, 0))
	require.Equal(t, []string{"a", "c"}, of(g, dealt, 1))
}

func TestDeal_GivesParentsOfOneKeyTheSameRecords(t *testing.T) {
	t.Parallel()
	g := New(3)
	g.AddInt(0, 7)
	g.AddInt(1, 7)
	g.AddInt(2, 8)
	require.Equal(t, []int64{7, 8}, g.Ints, "each key is asked once")
	dealt := deal(t, g, "author", []post{{Title: "a", Author: 7}, {Title: "b", Author: 8}}, nil)
	require.Equal(t, []string{"a"}, of(g, dealt, 0))
	require.Equal(t, []string{"a"}, of(g, dealt, 1))
	require.False(t, g.HandedOut(0))
	require.True(t, g.HandedOut(1), "who comes second must copy")
	require.False(t, g.HandedOut(2))
}

func TestDeal_LeavesOutUnknownKeysAndNull(t *testing.T) {
	t.Parallel()
	g := New(1)
	g.AddInt(0, 7)
	seven, nine := int64(7), int64(9)
	require.Equal(t, []string{"a"}, deal(t, g, "author", []post{{Title: "x", Author: 9}, {Title: "a", Author: 7}}, nil))
	require.Equal(t, []string{"a"}, deal(t, g, "reply", []post{{Title: "null"}, {Title: "x", Reply: &nine}, {Title: "a", Reply: &seven}}, nil))
}

func TestDeal_FindsKeysOfOtherKinds(t *testing.T) {
	t.Parallel()
	g := New(3)
	g.Add(0, "ada", "ada")
	g.Add(1, "ada", "ada")
	g.Add(2, int32(7), int64(7))
	require.Equal(t, []any{"ada", int32(7)}, g.Keys, "asked as the parent has it, once")
	dealt := deal(t, g, "slug", []post{{Title: "a", Slug: "ada"}, {Title: "x", Slug: "bob"}}, nil)
	require.Equal(t, []string{"a"}, of(g, dealt, 1))
	dealt = deal(t, g, "author", []post{{Title: "b", Author: 7}}, nil)
	require.Equal(t, []string{"b"}, of(g, dealt, 2))
	require.Empty(t, of(g, dealt, 0))
}

func TestDeal_KeepsShardsApart(t *testing.T) {
	t.Parallel()
	g := New(4)
	g.AddOnShard(0, "two", 7, int64(7))
	g.AddOnShard(1, "one", 7, int64(7))
	g.AddOnShard(2, "two", 7, int64(7))
	g.AddOnShard(3, "two", 8, int64(8))
	require.True(t, g.Sharded)
	require.Equal(t, []string{"two", "one"}, g.Order)
	require.Equal(t, map[string][]any{"two": {7, 8}, "one": {7}}, g.Shards, "each key once on each shard")
	posts := []post{{Title: "a", Author: 7}, {Title: "b", Author: 7}, {Title: "x", Author: 8}, {Title: "y", Author: 7}}
	dealt := deal(t, g, "author", posts, []string{"one", "two", "one", "three"})
	require.Equal(t, []string{"b"}, of(g, dealt, 0))
	require.Equal(t, []string{"a"}, of(g, dealt, 1))
	require.Equal(t, []string{"b"}, of(g, dealt, 2))
	require.Empty(t, of(g, dealt, 3), "the record with its key is on another shard")
}

func TestDeal_WithoutParentsOrKeysGivesNothing(t *testing.T) {
	t.Parallel()
	require.Empty(t, deal(t, New(0), "author", []post{{Title: "x", Author: 1}}, nil))
	g := New(1) // one whose key is NULL is put into no group
	require.Empty(t, deal(t, g, "author", []post{{Title: "x"}}, nil))
	from, to := g.Bounds(0)
	require.Zero(t, to-from)
	require.False(t, g.HandedOut(0))
	require.False(t, g.HandedOut(0), "no records, so none that were taken before")
	require.False(t, g.Sharded)
}
