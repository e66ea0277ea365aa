package rowmap

import (
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth 703
// What unread.go relies on.
func TestUnread_IsRememberedByCopies(t *testing.T) {
	t.Parallel()
	type record struct {
		ID   int
		Name string
	}
	require.True(t, isUnread(unreadText()))
	require.False(t, isUnread(""))
	require.False(t, isUnread(string([]byte{})))
	require.False(t, isUnread("x"[:0]))

	first := record{Name: unreadText()}
	second := first
	list := append([]record{}, second)
	grown := append(list, make([]record, 100)...)
	kept := map[int]record{1: grown[0]}
	runtime.GC()
	clone := reflect.ValueOf(kept[1])
	boxed := clone.Interface().(record)
	channel := make(chan record, 1)
	channel <- boxed
	last := <-channel
	require.True(t, isUnread(last.Name))

	require.Equal(t, record{}, last, "it is the empty text")
	require.Equal(t, record{}, map[record]record{{}: last}[record{Name: unreadText()}])
	last.Name = ""
	require.False(t, isUnread(last.Name))
}
