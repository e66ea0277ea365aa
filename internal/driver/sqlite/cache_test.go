//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// counting counts what the driver prepares.
type counting struct {
	sqldriver.Conn
	prepared int
}

func (c *counting) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	c.prepared++
	return c.Conn.(sqldriver.ConnPrepareContext).PrepareContext(ctx, query)
}

// A working set above the cache degrades gently: only what there is no room for is
// prepared again.
func TestStatements_AboveTheRoomKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	const room, set, rounds = 8, 12, 30 // room is connect's
	s := connect(t)
	c := &counting{Conn: s.Conn}
	s.Conn = c
	for i := range set * rounds {
		require.Equal(t, [][]any{{int64(i%set + 1)}}, rowsOf(t, s, fmt.Sprintf("SELECT %d + ?", i%set), int64(1)))
	}
	require.LessOrEqual(t, c.prepared, room+(set-room)*rounds+set/2)
	require.LessOrEqual(t, s.Cache.Len(), room)
}
