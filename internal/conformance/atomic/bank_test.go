package atomic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// A transfer moves money between accounts of different databases. It leaves its name in
// each of them.
type transfer struct {
	name  string
	names []string // of the connections
	err   error
}

// bank is a stage with accounts, reached through proxies, while its servers fail.
type bank struct {
	*stage
	servers map[string]*dbtest.Server
	proxies map[string]*dbtest.Proxy // by connection
	through *dbfleet.Registry

	mu   sync.Mutex // protects following fields
	done []*transfer
}

const accountsEach, fortune = 6, 1000

func openBank(t *testing.T) *bank {
	t.Helper()
	own, create := servers(t)
	b := &bank{stage: newStage(t, []string{"postgres", "mysql", "sqlite"}, create), servers: own, proxies: map[string]*dbtest.Proxy{}}
	connections := map[string]dbfleet.ConnectionConfig{}
	for _, name := range b.names {
		db := b.databases[name]
		if db.Server != nil {
			b.proxies[name] = dbtest.NewProxy(t, db.Server.Addr())
			db = b.proxies[name].Through(db)
		}
		c := conformance.ConnectionTo(db)
		c.ConnectTimeout, c.Pool.MaxOpen, c.Pool.AcquireTimeout = time.Second, 16, time.Second
		connections[name] = c
		for i := range accountsEach {
			_, err := b.DB(name).ExecContext(t.Context(), fmt.Sprintf("INSERT INTO touched (owner, n) VALUES ('%d', %d)", i, fortune))
			require.NoError(t, err)
		}
	}
	b.through = conformance.Open(t, connections)
	return b
}

// move does one transfer.
func (b *bank) move(ctx context.Context, r *rand.Rand, name string) {
	names := slices.Clone(b.names)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:2+r.IntN(2)]
	tr := &transfer{name: name, names: names}
	amount := 1 + r.IntN(9)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(300+r.IntN(2000))*time.Millisecond)
	defer cancel()
	if r.IntN(2) == 0 { // give up before the trouble is over
		ctx = twophase.With(ctx, twophase.Options{Bound: 100 * time.Millisecond})
	}
	tr.err = b.through.Atomic(ctx, names, func(ctx context.Context) error {
		for i, name := range names {
			change := amount
			if i == 0 {
				change = -amount * (len(names) - 1)
			}
			for _, text := range []string{
				fmt.Sprintf("UPDATE touched SET n = n + (%d) WHERE owner = '%d'", change, r.IntN(accountsEach)),
				"INSERT INTO left_behind (owner) VALUES ('" + tr.name + "')",
			} {
				if _, err := b.through.DB(name).ExecContext(ctx, text); err != nil {
					return err
				}
			}
		}
		return nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, tr)
}

// trouble happens to a server or to the way to it, for a while.
func (b *bank) trouble(t *testing.T, r *rand.Rand) {
	t.Helper()
	dialect := []string{"postgres", "mysql"}[r.IntN(2)]
	server, proxy := b.servers[dialect], b.proxies[b.names[slices.Index(b.mix, dialect)]]
	while := time.After(time.Duration(100+r.IntN(1200)) * time.Millisecond)
	switch r.IntN(6) {
	case 0:
		server.Kill(t)
		<-while
		server.Start(t)
	case 1:
		server.Pause(t)
		<-while
		server.Resume(t)
	case 2:
		proxy.Refuse()
		<-while
	case 3:
		proxy.Blackhole()
		<-while
	case 4:
		for _, marker := range []string{"PREPARE", "COMMIT", "XA "} {
			proxy.On(dbtest.Fault{Marker: marker, Action: dbtest.Action(1 + r.IntN(4)), Reset: r.IntN(2) == 0, Times: 2})
		}
		<-while
	case 5:
		proxy.Cut()
		<-while
	}
	proxy.Heal()
}

// The money is all there, and what was told of each transfer is true, whatever fails.
func TestBank_TheMoneyIsAllThere(t *testing.T) {
	t.Parallel()
	length, seed := time.Minute, uint64(1)
	if torture() {
		length = 10 * time.Minute
	}
	if n, err := strconv.ParseUint(os.Getenv("DBFLEET_TORTURE_SEED"), 10, 64); err == nil {
		seed = n
	}
	b := openBank(t)
	stopRecovery, err := b.RecoverInBackground(dbfleet.RecoverOptions{Every: 300 * time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for n := 0; ctx.Err() == nil; n++ {
				b.move(context.Background(), r, fmt.Sprint("transfer ", w, " ", n))
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 1000))
	for end := time.Now().Add(length); time.Now().Before(end); {
		b.trouble(t, r)
		<-time.After(time.Duration(r.IntN(500)) * time.Millisecond)
	}
	cancel()
	workers.Wait()
	stopRecovery()
	conformance.RequireIdleSoon(t, b.through)
	b.settle(t)
}

// settle says that all is as it was told.
func (b *bank) settle(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	want := map[string]int{}
	for _, tr := range b.done {
		seen[(&cut{err: tr.err}).kind()]++
		c := &cut{fault: fault{name: tr.name}, err: tr.err}
		c.true(t, b.stage)
		want[tr.name] = len(tr.names) * btoi(told(c.err) == "all")
	}
	t.Logf("%v", seen)
	b.recovered(t)
	have := b.leftBehind(t)
	for _, tr := range b.done {
		require.Equal(t, want[tr.name], have[tr.name], "%s over %v: %v", tr.name, tr.names, tr.err)
	}
	total := 0
	for _, name := range b.names {
		var n int
		require.NoError(t, b.DB(name).QueryRowContext(t.Context(), "SELECT SUM(n) FROM touched").Scan(&n))
		total += n
	}
	require.Equal(t, len(b.names)*accountsEach*fortune, total)
	require.NotZero(t, seen["committed"])
	require.NotZero(t, seen["none"])
	for _, tr := range b.done {
		if tr.err == nil || errors.Is(tr.err, dbfleet.ErrCommitPending) {
			require.Equal(t, len(tr.names), have[tr.name])
		}
	}
}
