package replicaset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// read is a read as the sender of statements has it.
type read struct {
	set   *set
	tried tried
	n     int
}

func (r *read) Fits(*member) bool { r.n++; return true }

func (r *read) once() {
	r.tried = tried{}
	m, _, ok := r.set.Pick(r, &r.tried)
	if !ok {
		panic("nobody fits")
	}
	r.tried.Add(m)
	a := m.Begin()
	a.Answered()
}

func benched(t testing.TB, p replicaset.Policy) *read {
	t.Helper()
	s := replicaset.New[string](replicaset.Settings{Policy: p})
	specs, names := weights(3, 2, 1)
	s.Replace(names, specOf(specs))
	for _, m := range s.Members() {
		m.Probed(true, "")
	}
	return &read{set: s}
}

// promise: no allocation on the way of a read
func TestSet_AllocatesNothingForARead(t *testing.T) {
	for _, p := range policies {
		r := benched(t, p)
		require.Zero(t, testing.AllocsPerRun(1000, r.once), p)
		require.Zero(t, testing.AllocsPerRun(1000, func() { r.set.Peek(r, nil) }), p)
		r.set.Members()[0].Set(replicaset.Lagging, true)
		require.Zero(t, testing.AllocsPerRun(1000, r.once), "%s, one is lagging", p)
		m := r.set.Members()[1]
		for range 2 {
			m.Probed(false, "no answer")
		}
		m.Probed(true, "")
		require.Equal(t, replicaset.StateSlowStart, m.State())
		require.Zero(t, testing.AllocsPerRun(1000, r.once), "%s, one in slow start", p)
		require.Zero(t, testing.AllocsPerRun(1000, func() { m.Doubt(m.Due()) }), p)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, p := range policies[1:] {
		b.Run(string(p), func(b *testing.B) {
			r := benched(b, p)
			b.ReportAllocs()
			for b.Loop() {
				r.once()
			}
		})
	}
}

func BenchmarkRead_Parallel(b *testing.B) {
	for _, p := range policies[1:] {
		b.Run(string(p), func(b *testing.B) {
			s := benched(b, p).set
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := &read{set: s}
				for pb.Next() {
					r.once()
				}
			})
		})
	}
}

func BenchmarkPick(b *testing.B) {
	r := benched(b, replicaset.RoundRobin)
	b.ReportAllocs()
	for b.Loop() {
		r.set.Pick(r, &r.tried)
	}
}

func BenchmarkAttempt(b *testing.B) {
	m := benched(b, replicaset.RoundRobin).set.Members()[0]
	b.ReportAllocs()
	for b.Loop() {
		m.Begin().Answered()
	}
}
