//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: an unknown outcome is its own error
func TestLocateNext_TellsWhatIsDoneWhereverTheConnectionIsCut(t *testing.T) {
	t.Parallel()
	l := setupLocating(t)
	proxy, o := proxied(t, l.db)
	pool := open(t, o)
	const packets = 4 // of the answer to the INSERT
	rows := 0
	for _, hold := range []bool{false, true} {
		for cut := range packets + 3 {
			name := fmt.Sprint("marked ", hold, cut)
			c := acquire(t, pool)
			for i := range 3 {
				mustExec(t, c, insertName, fmt.Sprint(name, i))
			}
			rows += 4
			fault := dbtest.Fault{Marker: name + " now", Action: dbtest.CutReply, Dialect: "postgres", Packets: cut, Times: 1}
			if hold {
				fault.Action = dbtest.HoldReply
			}
			sent := proxy.On(fault)
			require.True(t, c.LocateNext())
			ctx := newPassing(t)
			const patience = 300 * time.Millisecond
			if cut < packets {
				ctx.passAfter(sent.Fired(), patience)
			}
			_, err := c.Exec(ctx, insertName, []any{name + " now"})
			if cut < packets {
				require.True(t, Classify(err).Unanswered, "%s: %v", name, err)
			} else {
				require.NoError(t, err, name)
			}
			time.AfterFunc(patience, ctx.pass)
			_, err = c.Position(ctx)
			require.Error(t, err, name)
			c.Release()
		}
	}
	require.Eventually(t, func() bool { return count(t, l.db, "t") == rows }, 10*time.Second, 10*time.Millisecond)
}

// promise: at most one execution
func TestLocateNext_TellsWhetherAStatementWasSentWhereverTheWriteFails(t *testing.T) {
	t.Parallel()
	l := setupLocating(t)
	for i := range 3 {
		mustExec(t, l.c, insertName, fmt.Sprint(i))
	}
	mustExec(t, l.c, insertName, "of the same length 00000")
	alone := l.size.Load()
	rows := 4
	for _, sent := range []int64{0, 1, alone / 2, alone - 1, alone, alone + 1, alone + 100} {
		for i := range 3 {
			mustExec(t, l.c, insertName, fmt.Sprint(sent, " before ", i))
		}
		rows += 3
		require.True(t, l.c.LocateNext())
		l.fail.Store(sent)
		_, err := l.c.Exec(t.Context(), insertName, []any{fmt.Sprintf("of the same length %05d", sent+1)})
		require.Error(t, err, sent)
		if sent >= alone {
			rows++
		}
		var notSent *NotSentError
		require.Equal(t, sent == 0, errors.As(err, &notSent), "%d: %v", sent, err)
		require.Equal(t, sent != 0, Classify(err).Unanswered, "%d: %v", sent, err)
		_, err = l.c.Position(t.Context())
		require.Error(t, err)
		l.c.Release()
		l.take()
	}
	require.Eventually(t, func() bool { return count(t, l.db, "t") == rows }, 10*time.Second, 10*time.Millisecond)
}
