package stmtcache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
)

func TestCache_KeepsTheRecentlyUsed(t *testing.T) {
	t.Parallel()
	var dropped []string
	c := stmtcache.New(2, func(s string) { dropped = append(dropped, s) })
	a := c.Put("a", "A")
	c.Put("b", "B")
	require.Equal(t, "A", c.Get("a").Stmt)
	c.Put("c", "C")
	require.Equal(t, []string{"B"}, dropped)
	require.Nil(t, c.Get("b"))
	a.Busy = true
	c.Remove(a)
	require.Equal(t, []string{"B"}, dropped, "its cursor is open")
	c.Free(a)
	require.Equal(t, []string{"B", "A"}, dropped)
	c.Clear()
	require.Equal(t, []string{"B", "A", "C"}, dropped)
	require.False(t, c.Repeated("x"))
	require.True(t, c.Repeated("x"))
	require.False(t, stmtcache.New(0, func(string) {}).Keeps("x"))
}
