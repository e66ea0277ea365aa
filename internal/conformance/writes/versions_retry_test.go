package writes

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestRetryStale_RunsAClosureAgainThatReadsWhatItSaves(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a", Body: "0"}
		require.NoError(t, m.Create(ctx, &p))
		// run appends to the body, and is overtaken at its first attempts.
		run := func(overtaken int, options dbfleet.TxOptions) (runs int, err error) {
			early, err := m.Find(ctx, p.ID)
			require.NoError(t, err)
			overtake := func() {
				other, err := m.Find(ctx, p.ID)
				require.NoError(t, err)
				other.Body += "o"
				require.NoError(t, m.Save(ctx, &other))
			}
			oneWriter := fl.Database.Dialect == "sqlite" // nobody overtakes a transaction that writes
			if oneWriter && overtaken > 0 {
				overtake()
			}
			err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				runs++
				mine, err := m.Find(ctx, p.ID)
				require.NoError(t, err)
				if runs <= overtaken {
					if oneWriter {
						mine = early
					} else {
						overtake()
					}
				}
				mine.Body += "m"
				return m.Save(ctx, &mine)
			}, options)
			return runs, err
		}
		runs, err := run(1, dbfleet.TxOptions{Retries: 3})
		require.ErrorIs(t, err, dbfleet.ErrStaleRecord)
		require.Equal(t, 1, runs, "it is for the caller to decide")
		runs, err = run(2, dbfleet.TxOptions{Retries: 3, RetryStale: true})
		require.NoError(t, err)
		require.Equal(t, 3, runs)
		runs, err = run(9, dbfleet.TxOptions{Retries: 2, RetryStale: true})
		require.ErrorIs(t, err, dbfleet.ErrStaleRecord)
		require.Equal(t, 3, runs)
		got, err := m.Find(ctx, p.ID)
		require.NoError(t, err)
		want := map[bool]string{true: "0oomo", false: "0ooomooo"}[fl.Database.Dialect == "sqlite"]
		require.Equal(t, want, got.Body, "no write is lost and none is made twice")

		runs = 0
		unknown := fmt.Errorf("%w: %w", dbfleet.ErrStaleRecord, dbfleet.ErrOutcomeUnknown)
		err = fl.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error { runs++; return unknown }, dbfleet.TxOptions{Retries: 2, RetryStale: true})
		require.Equal(t, unknown, err)
		require.Equal(t, 1, runs)
		err = fl.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error { runs++; return nil }, dbfleet.TxOptions{RetryStale: true})
		require.ErrorContains(t, err, "RetryStale")
		require.Equal(t, 1, runs, "nothing ran")
	})
}
