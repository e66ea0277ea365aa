package writes

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// subscriber is a record whose e-mail is written in one form.
type subscriber struct {
	ID    int64
	Email string
	N     int64
}

func (s *subscriber) BeforeSave(context.Context) error {
	s.Email = strings.ToLower(strings.TrimSpace(s.Email))
	return nil
}

func subscribers(t *testing.T, fl conformance.Fleet) *dbfleet.Model[subscriber] {
	t.Helper()
	text := map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}[fl.Database.Dialect]
	fl.Create(t, `CREATE TABLE subscribers (id {id}, email `+text+` NOT NULL UNIQUE, n {bigint} NOT NULL)`)
	return conformance.Model[subscriber](t, fl.Registry, dbfleet.ModelConfig{Table: "subscribers"})
}

// Seen: a row that was there was looked for by what the record held before BeforeSave, so
// that the second call failed with ErrUnique.
func TestFirstOrCreate_FindsWhatBeforeSaveMakesOfTheRecord(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), subscribers(t, fl)
		first := subscriber{Email: " Ann"}
		created, err := m.FirstOrCreate(ctx, &first, "email")
		require.NoError(t, err)
		require.True(t, created)
		again := func(ctx context.Context) {
			second := subscriber{Email: "ANN "}
			created, err := m.FirstOrCreate(ctx, &second, "email")
			require.NoError(t, err)
			require.False(t, created)
			require.Equal(t, subscriber{ID: first.ID, Email: "ann"}, second)
			second = subscriber{Email: "aNN", N: second.N + 1}
			created, err = m.UpdateOrCreate(ctx, &second, "email")
			require.NoError(t, err)
			require.False(t, created)
			require.Equal(t, subscriber{ID: first.ID, Email: "ann", N: 1}, second)
			_, err = m.Where("id", "=", first.ID).Update(ctx, dbfleet.Row{"n": 0})
			require.NoError(t, err)
		}
		again(ctx)
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			again(ctx)
			return nil
		}))
		other := subscriber{ID: first.ID, Email: "Bob"}
		_, err = m.FirstOrCreate(ctx, &other, "email")
		require.ErrorIs(t, err, dbfleet.ErrUnique, "of another constraint")
		require.Equal(t, subscriber{ID: first.ID, Email: "Bob"}, other)
	})
}

func TestFirstOrCreate_OfManyAtOnceMakesOneRowOfWhatBeforeSaveMakesEqual(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := subscribers(t, fl)
		var wg sync.WaitGroup
		var mu sync.Mutex
		made, ids := 0, map[int64]bool{}
		for _, email := range []string{"Bob", "bob ", " BOB", "bOb", "boB", "BOb", "bob", "B0B"} {
			wg.Go(func() {
				s := subscriber{Email: strings.ReplaceAll(email, "0", "O")}
				created, err := m.FirstOrCreate(t.Context(), &s, "email")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%q: %s", email, err)
					return
				}
				ids[s.ID] = true
				if created {
					made++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, made)
		require.Len(t, ids, 1)
	})
}
