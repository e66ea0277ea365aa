package relations

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A constraint that is looked at when a transaction ends is none that Attach can use.
func TestCheck_TellsOfDeferrableConstraintsOfLinks(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := newTold(t, fl)
		tags := dbfleet.ManyToMany(w.posts, w.tags, w.postTags, dbfleet.On("post_id"), dbfleet.On("tag_id"), func(p *toldPost) *[]toldTag { return &p.Tags })
		told := ""
		if fl.Database.Dialect == "postgres" { // only this one has them
			told = `post_tags.post_id: warning: the unique constraint "links" is DEFERRABLE, with which Attach and Sync fail (many to many of relations.toldPost); make it NOT DEFERRABLE`
			fl.Create(t, "ALTER TABLE post_tags ADD CONSTRAINT links UNIQUE (post_id, tag_id) DEFERRABLE")
		} else {
			fl.Create(t, "CREATE UNIQUE INDEX links ON post_tags (post_id, tag_id)")
		}
		_, err := tags.Attach(t.Context(), &toldPost{ID: 1}, toldTag{ID: 2})
		if told == "" {
			require.NoError(t, err)
			for _, f := range missing(t, fl.Registry) {
				require.NotContains(t, f, "warning")
			}
			return
		}
		require.ErrorContains(t, err, "55000")
		found := missing(t, fl.Registry)
		require.Contains(t, found, told)
		fl.Create(t, "CREATE UNIQUE INDEX also ON post_tags (tag_id, post_id)")
		_, err = tags.Attach(t.Context(), &toldPost{ID: 1}, toldTag{ID: 2})
		require.ErrorContains(t, err, "55000", "whichever else there is")
		require.Contains(t, missing(t, fl.Registry), found[len(found)-1])
		fl.Create(t, "ALTER TABLE post_tags DROP CONSTRAINT links")
		_, err = tags.Attach(t.Context(), &toldPost{ID: 1}, toldTag{ID: 2})
		require.NoError(t, err)
		require.NotContains(t, missing(t, fl.Registry), found[len(found)-1])
		runtime.KeepAlive(w)
	})
}
