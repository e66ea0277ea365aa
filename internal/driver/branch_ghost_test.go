//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// MariaDB answers that it has finished a branch, and has not, to a session that asks for
// it while the one that prepared it ends: before the end of that is waited for, it did so
// about once in a hundred times here.
func TestBranchFault_WhatIsAnsweredAsTheOwnerEndsIsDone(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, _ *Pool, db dbtest.Database) {
		o := optionsFor(db)
		o.MaxOpen = 24
		p := open(t, o)
		var workers sync.WaitGroup
		var mu sync.Mutex
		var ghosts []string
		for w := range 8 {
			finisher, looker := acquire(t, p), acquire(t, p)
			workers.Go(func() {
				for i := range 50 {
					id, key, commit := newBranchID(), w*1000+i, i%2 == 0
					owner := beginBranch(t, p, id)
					mustExec(t, owner, "INSERT INTO t VALUES ("+strconv.Itoa(key)+", 'a')")
					require.NoError(t, owner.PrepareBranch(t.Context()))
					gone := make(chan struct{})
					go func() {
						defer close(gone)
						owner.Release() // which closes it
					}()
					for start := time.Now(); ; {
						err := finisher.finishPrepared(t.Context(), id, commit)
						if err == nil {
							break
						}
						require.ErrorIs(t, err, ErrBranchHeld)
						require.Less(t, time.Since(start), 20*time.Second)
					}
					<-gone
					if commit == (len(rowsOf(t, looker, "SELECT id FROM t WHERE id = "+strconv.Itoa(key))) == 0) {
						mu.Lock()
						ghosts = append(ghosts, fmt.Sprint(id, " ", commit))
						mu.Unlock()
					}
				}
			})
		}
		workers.Wait()
		require.Empty(t, ghosts)
		all := acquire(t, p)
		if db.Dialect == "mysql" {
			mustExec(t, all, "SET innodb_lock_wait_timeout = 5")
		}
		mustExec(t, all, "DELETE FROM t") // no lock is left
		for w := range 8 {
			for i := range 50 {
				mustExec(t, all, "INSERT INTO t VALUES ("+strconv.Itoa(w*1000+i)+", 'free')")
			}
		}
	})
}

// A number that is another connection's by now, since the server was started again or
// another one was promoted, delays the end of a branch and does not prevent it.
func TestBranchFault_NumberOfAnotherConnectionIsNoOwner(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	bystander := acquire(t, p)
	mustExec(t, bystander, createT)
	number := rowsOf(t, bystander, "SELECT CONNECTION_ID() + 2")[0][0]
	for _, commit := range []bool{true, false} {
		id := newBranchID()
		xid := fmt.Sprintf("'%s','%s',%v", id.Global, id.Qualifier, number)
		db.Exec(t, "XA START "+xid, "INSERT INTO t VALUES (1, 'a')", "XA END "+xid, "XA PREPARE "+xid)

		r := acquire(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		require.ErrorIs(t, r.finishPrepared(ctx, id, commit), context.DeadlineExceeded)
		cancel()
		r.Release()
		r = acquire(t, p)
		require.True(t, listed(t, r, id))

		settled(t, r, id, commit)
		require.Equal(t, map[bool]int{true: 1, false: 0}[commit], count(t, db, "t"))
		mustExec(t, r, "DELETE FROM t")
	}
}
