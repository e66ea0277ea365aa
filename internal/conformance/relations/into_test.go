package relations

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// What With loads, LoadInto loads into records at hand.
func TestLoadInto_LoadsWhatWithLoads(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		ctx := t.Context()
		byID := func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.OrderBy("id", "asc") }
		essays := s.essaysOf.Scope(byID).With(s.repliesOf.Scope(func(q *dbfleet.Query[reply]) *dbfleet.Query[reply] { return q.OrderBy("id", "asc") }))
		count := dbfleet.CountRelated(s.essaysOf, func(w *writer) *int64 { return &w.Total })
		want, err := s.writers.With(essays, s.bossOf, count).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		sent := conformance.Statements(t, s.Registry)
		list, err := s.writers.OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.NoError(t, essays.LoadInto(ctx, list))
		require.NoError(t, s.bossOf.LoadInto(ctx, list))
		require.NoError(t, count.LoadInto(ctx, list))
		require.Equal(t, want, list)
		require.Equal(t, map[string]int{"select": 5}, sent())
		for _, w := range s.allWriters {
			require.NoError(t, essays.LoadOne(ctx, &w))
			require.NoError(t, s.bossOf.LoadOne(ctx, &w))
			require.NoError(t, count.LoadOne(ctx, &w))
			require.Equal(t, want[w.ID-1], w)
		}
		sent()
		require.NoError(t, essays.LoadInto(ctx, nil))
		require.NoError(t, essays.LoadInto(ctx, []writer{}))
		require.Empty(t, sent())
		require.ErrorContains(t, essays.LoadOne(ctx, nil), "nil pointer")
		require.ErrorContains(t, (dbfleet.ToMany[writer, essay]{}).LoadInto(ctx, list), "zero value")
		require.ErrorContains(t, (dbfleet.Tally[writer]{}).LoadInto(ctx, list), "zero value")
	})
}

func TestLoadInto_ReadsInTheTransactionOfTheContext(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		undo := errors.New("undo")
		w := writer{ID: 900, Ref: at[int64](900)}
		err := s.essays.Query().Transaction(t.Context(), func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, s.essays.Create(ctx, &essay{ID: 5000, WriterRef: w.Ref}))
			require.NoError(t, s.essaysOf.LoadOne(ctx, &w))
			require.Len(t, w.Essays, 1)
			list := []writer{w}
			using := s.essaysOf.Scope(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Using(tx) })
			require.NoError(t, using.LoadInto(t.Context(), list))
			require.Len(t, list[0].Essays, 1)
			return undo
		})
		require.ErrorIs(t, err, undo)
		require.NoError(t, s.essaysOf.LoadOne(t.Context(), &w))
		require.Empty(t, w.Essays)
	})
}

// Children refer to the very parents that were returned.
func TestInverse_RefersToTheParentItself(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		ctx := t.Context()
		sent := conformance.Statements(t, s.Registry)
		list, err := s.writers.With(s.essaysOf.Inverse(func(e *essay) **writer { return &e.Author })).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"select": 2}, sent())
		n := 0
		for i := range list {
			for _, e := range list[i].Essays {
				n++
				require.Same(t, &list[i], e.Author)
			}
		}
		require.Positive(t, n)
		_, err = json.Marshal(list)
		require.Error(t, err, "a cycle")
		again := s.allWriters[:3:3]
		require.NoError(t, s.essaysOf.Inverse(func(e *essay) **writer { return &e.Author }).LoadInto(ctx, again))
		for i := range again {
			for _, e := range again[i].Essays {
				require.Same(t, &again[i], e.Author)
			}
		}
		_, err = s.writers.With(s.essaysOf.Inverse(nil)).Get(ctx)
		require.ErrorContains(t, err, "Inverse: the function is nil")
		_, err = s.writers.With(s.essaysOf.Inverse(func(*essay) **writer { return nil })).Get(ctx)
		require.ErrorContains(t, err, "Inverse: its function returned nil")
	})
}
