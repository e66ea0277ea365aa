package relations

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A transaction that has read before may still see a link that another has taken away since:
// what Attach, Sync and Toggle leave is what they were asked for all the same.
func TestAttach_SeesWhatOthersHaveDetachedSinceTheTransactionRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" { // where others cannot write meanwhile
			return
		}
		ctx := t.Context()
		w := newTold(t, fl)
		fl.Create(t, "CREATE UNIQUE INDEX links ON post_tags (post_id, tag_id)")
		tags := dbfleet.ManyToMany(w.posts, w.tags, w.postTags, dbfleet.On("post_id"), dbfleet.On("tag_id"), func(p *toldPost) *[]toldTag { return &p.Tags })
		post, kept, gone := &toldPost{ID: 1}, toldTag{ID: 1}, toldTag{ID: 2}
		for name, do := range map[string]func(ctx context.Context) (int, error){
			"Attach": func(ctx context.Context) (int, error) {
				n, err := tags.Attach(ctx, post, kept, gone, gone)
				return int(n), err
			},
			"Sync": func(ctx context.Context) (int, error) {
				done, err := tags.Sync(ctx, post, []toldTag{gone, kept, gone})
				return len(done.Attached), err
			},
			"Toggle": func(ctx context.Context) (int, error) {
				done, err := tags.Toggle(ctx, post, gone)
				return len(done.Attached), err
			},
		} {
			_, err := tags.Sync(ctx, post, []toldTag{kept, gone})
			require.NoError(t, err)
			require.NoError(t, fl.Transaction(ctx, "main", func(in context.Context, _ *dbfleet.Tx) error {
				if _, err := w.postTags.Count(in); err != nil {
					return err
				}
				n, err := tags.Detach(ctx, post, gone)
				require.NoError(t, err)
				require.EqualValues(t, 1, n)
				attached, err := do(in)
				require.Equal(t, 1, attached, name)
				return err
			}))
			var left []int64
			left, err = dbfleet.Pluck[int64](ctx, w.postTags.Where("post_id", "=", 1).OrderBy("tag_id", dbfleet.Asc), "tag_id")
			require.NoError(t, err)
			require.Equal(t, []int64{1, 2}, left, name)
		}
	})
}
