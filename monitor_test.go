package dbfleet

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// There is a goroutine as long as there is something to watch, from the first use on.
func TestMonitor_RunsWhileThereIsSomethingToWatch(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r, err := Open(Config{Default: "main", Connections: map[string]ConnectionConfig{"main": {Driver: SQLite, Database: filepath.Join(folder, "main.db")}}})
	require.NoError(t, err)
	m := func() *monitor {
		e, err := r.lookup("main")
		require.NoError(t, err)
		return e.monitor
	}()
	copies := []ReplicaConfig{{Host: filepath.Join(folder, "copy.db")}}
	require.NoError(t, r.DB("main").Ping(t.Context()))
	require.False(t, m.running.Load(), "nothing is to be watched")
	require.NoError(t, r.SetReplicas(t.Context(), "main", copies))
	require.False(t, m.running.Load(), "nobody uses it")
	for range 3 {
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.True(t, m.running.Load())
		require.NoError(t, r.SetReplicas(t.Context(), "main", nil))
		require.Eventually(t, func() bool { return !m.running.Load() }, 20*time.Second, time.Millisecond)
		require.NoError(t, r.SetReplicas(t.Context(), "main", copies))
	}
	require.NoError(t, r.DB("main").Ping(t.Context()))
	require.NoError(t, r.Close())
	require.False(t, m.running.Load())
	m.begin()
	require.False(t, m.running.Load(), "it does not come back")
}

// A name that leads elsewhere is noticed at once; one of several addresses that an answer
// leaves out is not gone before the next one.
func TestNames_TellWhichAddressesAreGone(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	var s names
	look := func(list ...netip.Addr) []netip.Addr {
		require.True(t, s.begins("db"))
		require.False(t, s.begins("db"), "it is being looked up")
		return s.took("db", list, nil)
	}
	require.Empty(t, look(a, b))
	require.Empty(t, look(a))
	require.Empty(t, look(b), "it has not been missing twice")
	require.Empty(t, look(a, b))
	require.Empty(t, look(a, c))
	require.Equal(t, []netip.Addr{b}, look(a, c))
	require.Empty(t, look(), "no answer says nothing")
	require.Equal(t, []netip.Addr{a, c}, look(b))
	require.Empty(t, look(b))
}

// The name of a node that has come between two rounds is looked up at once, so that it is
// known where its first connections lead.
func TestNames_OfANodeThatHasComeAreLookedUpAtOnce(t *testing.T) {
	t.Parallel()
	config := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", ReadHosts: []string{"a", "127.0.0.1"}}
	config, err := config.prepare("main")
	require.NoError(t, err)
	e, err := newEntry(&Registry{}, "main", config, &hookList{})
	require.NoError(t, err)
	var mu sync.Mutex
	var asked []string
	e.monitor.names.lookUp = func(_ context.Context, host string) ([]netip.Addr, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, host)
		return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
	}
	now := time.Now()
	at := func(after time.Duration) []string {
		asked = nil
		e.monitor.lookUpNames(now.Add(after), e.nodes())
		e.monitor.asking.Wait()
		slices.Sort(asked)
		return asked
	}
	require.Equal(t, []string{"a", "db"}, at(0))
	require.Empty(t, at(time.Second))
	_, err = e.setReplicas(func(m *membership) { m.discovered = []ReplicaConfig{{Host: "b"}} })
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, at(2*time.Second))
	require.Empty(t, at(3*time.Second))
	require.Equal(t, []string{"a", "b", "db"}, at(config.Reads.DiscoverEvery))
}

// Names that are not given stay with their hosts, whatever the order.
func TestMembership_NamesStayWithTheirHosts(t *testing.T) {
	t.Parallel()
	config := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", ReadHosts: []string{"a", "b:5433"}}
	config, err := config.prepare("main")
	require.NoError(t, err)
	e, err := newEntry(&Registry{}, "main", config, &hookList{})
	require.NoError(t, err)
	name := func(list ...ReplicaConfig) (names []string) {
		for _, r := range e.members.named(e, list) {
			names = append(names, r.Name)
		}
		return names
	}
	require.Equal(t, []string{"replica-2", "replica-1"}, name(ReplicaConfig{Host: "b:5433"}, ReplicaConfig{Host: "A:5432"}))
	require.Equal(t, []string{"replica-1", "replica-2", "replica-3"}, name(ReplicaConfig{Host: "x"}, ReplicaConfig{Host: "b:5433"}, ReplicaConfig{Host: "y"}))
	require.Equal(t, []string{"replica-2", "replica-1"}, name(ReplicaConfig{Host: "z", Name: "replica-2"}, ReplicaConfig{Host: "b:5433"}))
}

// hazard: a replica may be found promoted at the moment at which it leaves the list, and its
// connections are closed.
func TestFollow_TakesNoReplicaThatHasLeft(t *testing.T) {
	t.Parallel()
	config := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", ReadHosts: []string{"a", "b"}}
	config, err := config.prepare("main")
	require.NoError(t, err)
	e, err := newEntry(&Registry{}, "main", config, &hookList{})
	require.NoError(t, err)
	primary, a, b := e.nodes()[0], e.nodes()[1], e.nodes()[2]
	_, err = e.setReplicas(func(m *membership) { m.listed = []ReplicaConfig{{Host: "b"}} })
	require.NoError(t, err)
	require.False(t, e.follow(a, "it was promoted"))
	require.Same(t, primary, e.primary())
	require.True(t, e.follow(b, "it was promoted"))
	require.Same(t, b, e.primary())
	e.drains.Wait()
}

// A program that starts while two claim to be the primary is not to choose the one whose
// answer it heard first because it stood still, and not the servers.
func TestFirstLook_WaitsAnewAfterThisMachineStoodStill(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(d time.Duration) time.Time { return began.Add(d) }
	ends := func(l *lookup, from, to time.Duration) (after time.Duration) {
		for d := from; d < to; d += lookEvery {
			if l.hasEnough(at(d), false) {
				return d
			}
		}
		return 0
	}
	l := &lookup{first: true, began: began}
	require.Zero(t, ends(l, 0, time.Second), "nobody takes writes")
	l = &lookup{first: true, began: began, writes: []*node{{}}}
	require.Equal(t, firstWait, ends(l, 0, time.Second), "who has not answered is not waited for")
	l = &lookup{first: true, began: began, writes: []*node{{}}}
	require.False(t, l.hasEnough(at(0), false))
	require.Equal(t, time.Second+firstWait, ends(l, time.Second, 3*time.Second))
}
