package group_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

type child struct {
	ID     int64
	Parent int64
	Name   string
}

func children(t *testing.T, list ...child) (*rowmap.Plan, rowmap.Records) {
	t.Helper()
	plan, err := rowmap.Of[child]()
	require.NoError(t, err)
	return plan, plan.Records(&list)
}

// dealt are the names of the children of each parent.
func dealt(g *group.Groups, places []int, n int, list []string, parents int) [][]string {
	by := make([]string, n)
	for i, at := range places {
		if at >= 0 {
			by[at] = list[i]
		}
	}
	out := make([][]string, parents)
	for p := range out {
		from, to := g.Bounds(p)
		out[p] = by[from:to]
	}
	return out
}

func TestDeal_GivesEachParentItsRecordsInTheirOrder(t *testing.T) {
	t.Parallel()
	g := group.New(5)
	g.AddInt(0, 7)
	g.AddInt(1, 8)
	g.AddInt(2, 7) // of the same key as the first
	g.AddInt(4, 9) // without records; the fourth has no key
	require.Equal(t, []int64{7, 8, 9}, g.Ints, "each key is asked for once")
	plan, records := children(t, child{1, 8, "a"}, child{2, 7, "b"}, child{3, 5, "nobody's"}, child{4, 7, "c"}, child{5, 8, "d"})
	places, n := g.Deal(plan, 1, records, nil)
	require.Equal(t, 4, n)
	require.Equal(t, -1, places[2])
	require.Equal(t, [][]string{{"b", "c"}, {"a", "d"}, {"b", "c"}, {}, {}}, dealt(g, places, n, []string{"a", "b", "", "c", "d"}, 5))
	require.False(t, g.HandedOut(0))
	require.True(t, g.HandedOut(2), "another parent has taken them")
	require.False(t, g.HandedOut(1))
	require.False(t, g.HandedOut(3), "it has no group")
}

func TestDeal_FindsKeysOfOtherTypes(t *testing.T) {
	t.Parallel()
	g := group.New(3)
	g.Add(0, "x", "x")
	g.Add(1, uint8(4), int64(4))
	g.Add(2, "x", "x")
	require.Equal(t, []any{"x", uint8(4)}, g.Keys)
	plan, records := children(t, child{Parent: 4, Name: "x"})
	byNumber, n := g.Deal(plan, 1, records, nil)
	require.Equal(t, 1, n)
	from, to := g.Bounds(1)
	require.Equal(t, []int{0, 1}, []int{from, to})
	require.Equal(t, []int{0}, byNumber)
	byText, n := g.Deal(plan, 2, records, nil)
	require.Equal(t, 1, n)
	require.Equal(t, []int{0}, byText)
	from, to = g.Bounds(0)
	require.Equal(t, 1, to-from)
}

func TestDeal_TellsShardsApart(t *testing.T) {
	t.Parallel()
	g := group.New(3)
	require.False(t, g.Sharded)
	g.AddOnShard(0, "one", int64(7), int64(7))
	g.AddOnShard(1, "two", int64(7), int64(7))
	g.AddOnShard(2, "one", int64(7), int64(7))
	require.True(t, g.Sharded)
	require.Equal(t, []string{"one", "two"}, g.Order)
	require.Equal(t, map[string][]any{"one": {int64(7)}, "two": {int64(7)}}, g.Shards)
	plan, records := children(t, child{1, 7, "a"}, child{2, 7, "b"}, child{3, 7, "c"})
	places, n := g.Deal(plan, 1, records, []string{"two", "one", "three"})
	require.Equal(t, 2, n)
	require.Equal(t, [][]string{{"b"}, {"a"}, {"b"}}, dealt(g, places, n, []string{"a", "b", "c"}, 3))
}
