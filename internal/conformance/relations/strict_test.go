package relations

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// A relation that is read for one parent after the other is reported, once, with its name
// and where it was read.
func TestWithN1Check_ReportsWhatIsReadForEachParent(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		var reports []dbfleet.N1Report
		watch := func(options ...dbfleet.N1Options) context.Context {
			reports = nil
			return dbfleet.WithN1Check(t.Context(), func(r dbfleet.N1Report) { reports = append(reports, r) }, options...)
		}
		refers := func(n int64) *writer { return &writer{ID: n, Ref: at(n), Tenant: 1, BossID: at(n)} }

		ctx := watch()
		for n := range int64(6) {
			_, err := s.essaysOf.For(refers(n)).Where("views", ">", 1).Get(ctx)
			require.NoError(t, err)
			_, err = s.essaysOf.For(refers(0)).Count(t.Context())
			require.NoError(t, err, "no context of the check")
		}
		require.Len(t, reports, 1)
		require.Equal(t, "essays of writers by writer_ref", reports[0].Relation)
		require.Equal(t, 3, reports[0].Parents)
		require.Regexp(t, `^relations/strict_test\.go:\d+ relations\.TestWithN1Check_`, reports[0].Caller)

		ctx = watch(dbfleet.N1Options{Parents: 2})
		for range 5 { // the same parent, With, LoadInto, conditions and writes
			_, err := s.essaysOf.For(refers(1)).Get(ctx)
			require.NoError(t, err)
			list, err := s.writers.With(s.essaysOf, s.bossOf, s.staffOf.Scope(func(q *dbfleet.Query[writer]) *dbfleet.Query[writer] { return q.Limit(1) })).Filter(s.essaysOf.Has()).Get(ctx)
			require.NoError(t, err)
			require.NoError(t, s.byTenant.LoadInto(ctx, list))
		}
		for n := range int64(4) {
			_, err := s.essaysOf.For(refers(n)).Where("id", "<", 0).Delete(ctx)
			require.NoError(t, err)
		}
		require.Empty(t, reports)

		ctx = watch()
		for n := range int64(3) {
			require.NoError(t, s.byTenant.LoadOne(ctx, refers(n)))
			require.NoError(t, dbfleet.CountRelated(s.staffOf, func(w *writer) *int64 { return &w.Total }).LoadOne(ctx, refers(n)))
			_, err := s.bossOf.For(refers(n)).Exists(ctx)
			require.NoError(t, err)
		}
		names := []string{}
		for _, r := range reports {
			names = append(names, r.Relation)
		}
		require.ElementsMatch(t, []string{"essays of writers by writer_ref, tenant", "writers of writers by boss_id", "writers of writers by id"}, names)
	})
}
