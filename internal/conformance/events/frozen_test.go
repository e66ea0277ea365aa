//go:build unix

package events

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const frozenVariable = "DBFLEET_TEST_RELAY_FROZEN"

// A relay stands still after a statement for longer than its lease, another one takes over,
// and then it goes on. What both deliver has its effect once, in order.
func TestRelay_GoesOnAfterAnotherHasTakenOver(t *testing.T) {
	if text := os.Getenv(frozenVariable); text != "" {
		freeze(t, text)
		return
	}
	t.Parallel()
	for _, mix := range [][]string{{"postgres"}, {"postgres", "mysql"}, {"mysql", "postgres"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			onRelayOf(t, mix, func(t *testing.T, r *relay, databases []dbtest.Database) {
				const rounds = 10
				for i := range rounds {
					r.add(t, 3*i+1)
					r.add(t, 3*i+2)
					frozen := startFrozen(t, databases, int64(2*i+1))
					// A transaction that stands still keeps the other one waiting.
					ctx, cancel := context.WithTimeout(t.Context(), 10*relayLease)
					for ctx.Err() == nil {
						_, err := r.outbox.Deliver(ctx, r.handler(), dbfleet.DeliverOptions{Lease: relayLease})
						require.NotErrorIs(t, err, errOrder)
						if n, err := r.outbox.Pending(t.Context()); err == nil && n == 0 {
							break
						}
					}
					cancel()
					r.add(t, 3*i+3)
					frozen.goOn(t)
					r.finish(t, 3*i+3)
					frozen.end(t)
				}
			})
		})
	}
}

// frozen is a process that stands still.
type frozen struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startFrozen(t *testing.T, databases []dbtest.Database, after int64) *frozen {
	t.Helper()
	v := victim{DiesAfter: after}
	for _, db := range databases {
		db.Server = nil
		v.Databases = append(v.Databases, db)
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	f := &frozen{Cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRelay_GoesOnAfterAnotherHasTakenOver$", "-test.count=1")}
	f.Env = append(os.Environ(), frozenVariable+"="+string(text))
	f.in, err = f.StdinPipe()
	require.NoError(t, err)
	out, err := f.StdoutPipe()
	require.NoError(t, err)
	f.Stderr = f.Stdout
	f.out = bufio.NewReader(out)
	require.NoError(t, f.Start())
	line, err := f.out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "stands\n", line)
	return f
}

func (f *frozen) goOn(t *testing.T) {
	t.Helper()
	require.NoError(t, f.Process.Signal(syscall.SIGCONT))
}

// end ends the process, which must not have seen an event out of order.
func (f *frozen) end(t *testing.T) {
	t.Helper()
	require.NoError(t, f.in.Close())
	rest, err := io.ReadAll(f.out)
	require.NoError(t, err)
	require.NoError(t, f.Wait(), "%s", rest)
}

// freeze is the process: it stands still after a statement, and then goes on until its
// input ends.
func freeze(t *testing.T, text string) {
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	r := relayOn(t, connectionsTo(v.Databases))
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int64
	r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
		if sent.Add(1) == v.DiesAfter {
			fmt.Println("stands")
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
	})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var order atomic.Pointer[error]
	_ = r.outbox.Run(ctx, r.handler(), dbfleet.DeliverOptions{Lease: relayLease, Every: 5 * time.Millisecond, OnError: func(_ context.Context, _ dbfleet.Event, err error) {
		if errors.Is(err, errOrder) {
			order.Store(&err)
		}
	}})
	if err := order.Load(); err != nil {
		t.Fatal(*err)
	}
}
