package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// spreadLab has the peers of ReadSpread open on a cluster.
func spreadLab(t *testing.T, database string) *lab {
	t.Helper()
	s := startServer(t, database)
	s.make = s.counters // round trips are counted
	l, err := openLab(t.Context(), t, s, reads, ReplicaPeers())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	require.NoError(t, l.checkAll(t.Context(), Spreads))
	return l
}

// promise: that a read is spread over replicas costs at most one allocation and no round
// trip, and none of either more in a session, once it is known what the replicas have.
func TestSpread_CostsAnAllocationAndNoTrip(t *testing.T) { //nolint:paralleltest // allocations are those of the whole process
	for _, database := range ReplicaDatabases {
		t.Run(database, func(t *testing.T) {
			const reads = 500
			l := spreadLab(t, database)
			ctx := context.WithoutCancel(t.Context())
			allocations, trips := map[string]float64{}, map[string]float64{}
			for _, p := range l.peers {
				run := l.open[p.Name].Funcs[ReadSpread].Run
				require.NoError(t, run(ctx, 100))
				before := l.target.trips()
				allocations[p.Name] = testing.AllocsPerRun(4, func() { require.NoError(t, run(ctx, reads)) }) / reads
				trips[p.Name] = float64(l.target.trips()-before) / (5 * reads)
			}
			for _, peer := range []string{ours, inSession} {
				require.LessOrEqual(t, allocations[peer], allocations[raw]+1.5, "%s, with what the monitor does meanwhile: %v", peer, allocations)
				require.Less(t, trips[peer], 1.5, "%s, with what the monitor asks: %v", peer, trips)
			}
		})
	}
}

func TestReport_HasASectionAboutReplicas(t *testing.T) {
	t.Parallel()
	r := twoRounds()
	r.add("mariadb_cluster", ReadSpread, series{
		raw: {{ns: 1000, allocs: 10}, {ns: 2000, allocs: 10}}, ours: {{ns: 1010, allocs: 11}, {ns: 2060, allocs: 11}}, inSession: {{ns: 1040, allocs: 11}, {ns: 2020, allocs: 11}},
	})
	r.find("mariadb_cluster", ReadSpread, ours).Trips = 1
	file := filepath.Join(t.TempDir(), "replicas.json")
	require.NoError(t, r.write(file))
	section, err := replicaCost(file)
	require.NoError(t, err)
	require.Contains(t, section, "| MariaDB: dbfleet, two replicas in turn | 1.5 µs | **1.02** | 1.01–1.02 | 1.01 | 11 | 1 |")
	require.Contains(t, section, "| MariaDB: the same in a session that has written | 1.5 µs | **1.02** | 1.02–1.03 | 1.04 | 11 | – |")
	require.NotContains(t, section, "PostgreSQL:")
	section, err = replicaCost(file + ".missing")
	require.NoError(t, err)
	require.Empty(t, section)
}
