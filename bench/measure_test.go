package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMeasure_GivesEveryPeerEveryRound(t *testing.T) {
	t.Parallel()
	peers, err := chosen("peer", "raw,dbfleet,sqlx", Peers(), func(p *Peer) string { return p.Name })
	require.NoError(t, err)
	l, err := openLab(t.Context(), t, startServer(t, "null"), reads, peers)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.close()) }()
	all, err := l.measure(t.Context(), []Operation{Read, ReadParallel, Insert, Scan}, Plan{Rounds: 3, HeavyRounds: 2, Budget: time.Millisecond})
	require.NoError(t, err)
	require.Len(t, all, 3, "insert belongs elsewhere")
	for _, p := range peers {
		require.Len(t, all[Read][p.Name], 3)
		require.Len(t, all[ReadParallel][p.Name], 3)
		require.Len(t, all[Scan][p.Name], 2)
	}
}

func TestCheck_RefusesOtherRows(t *testing.T) {
	t.Parallel()
	l, err := openLab(t.Context(), t, startServer(t, "sqlite"), reads, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.close()) }()
	ctx := t.Context()
	wrong := func(op Operation, result any) {
		f := Func{Run: func(context.Context, int) error { return nil }, Last: func() any { return result }}
		require.Error(t, l.target.check(ctx, l.look, op, f), op)
	}
	wrong(Read, stored[5])
	wrong(ReadMany, stored[:99])
	wrong(ReadMany, append(stored[:99:99], stored[100]))
	wrong(Scan, stored[:100])
	wrong(Eager, newFamilies()[:99])
	families := newFamilies()
	families[7].Children = families[7].Children[:4]
	wrong(Eager, families)
	wrong(Build, Statement{SQL: "SELECT id, name, email, age, balance, active, created_at, seen_at FROM people WHERE id = 1002 AND active AND age > 3"})
	wrong(Update, stored[0])
	wrong(Insert, newcomer(0))
}

func TestInParallel_DoesAsManyAsAsked(t *testing.T) {
	t.Parallel()
	for n := range 10 {
		done := make(chan int, 100)
		run := inParallel(func(_ context.Context, n int) error { done <- n; return nil })
		require.NoError(t, run(t.Context(), n))
		close(done)
		sum := 0
		for d := range done {
			sum += d
		}
		require.Equal(t, n, sum)
	}
}
