package relations

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Those who change the children of one parent at the same time wait for each other.
func TestPivot_ManyAtOnceOnOneParentEndInNoDeadlock(t *testing.T) {
	t.Parallel()
	for _, soft := range []string{"", "deleted_at"} {
		t.Run("soft "+soft, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				l := newLabels(t, fl, soft)
				of, beside := l.of(l.films, "film"), l.of(l.articles, "article")
				all := make([]label, 12)
				for i := range all {
					all[i].ID = int64(i + 1)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				callers, calls := 8, 12
				if fl.Database.Dialect == "sqlite" { // where one transaction after the other writes
					callers = 2
				}
				errs := make([]error, callers)
				var together sync.WaitGroup
				for i := range callers {
					together.Go(func() {
						random := rand.New(rand.NewPCG(7, uint64(i)))
						for range calls {
							some := append([]label(nil), all...)
							random.Shuffle(len(some), func(a, b int) { some[a], some[b] = some[b], some[a] })
							some = some[:1+random.IntN(6)]
							relation, parent := of, &shown{ID: 1}
							if i%4 == 3 { // beside the others
								relation, parent = beside, &shown{ID: 1 + int64(i%2)}
							}
							var err error
							switch random.IntN(5) {
							case 0, 1:
								_, err = relation.Sync(ctx, parent, some)
							case 2:
								_, err = relation.Toggle(ctx, parent, some...)
							case 3:
								_, err = relation.Detach(ctx, parent, some...)
							case 4:
								_, err = relation.Attach(ctx, parent, some...)
							}
							if err != nil {
								errs[i] = err
								return
							}
						}
					})
				}
				together.Wait()
				for _, err := range errs {
					require.NoError(t, err)
				}
				done, err := of.Sync(ctx, &shown{ID: 1}, all[:2])
				require.NoError(t, err)
				n, err := of.For(&shown{ID: 1}).Count(ctx)
				require.NoError(t, err)
				require.EqualValues(t, 2, n, "%v", done)
			})
		})
	}
}
