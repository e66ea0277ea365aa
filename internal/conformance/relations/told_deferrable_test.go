package relations

import (
	"context"
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

// A model's own constraint that is looked at when a transaction ends is told, too, and so is
// one that CreateIgnore and Upsert would meet.
func TestCheck_TellsOfDeferrableConstraintsOfModels(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE nicknames (id {id}, name {text} NOT NULL)")
		names := conformance.Model[nickname](t, fl.Registry, dbfleet.ModelConfig{Table: "nicknames"})
		told := func() (problems []string) {
			list, err := fl.Check(ctx)
			require.NoError(t, err)
			for _, f := range list {
				if f.Table == "nicknames" {
					require.Equal(t, dbfleet.SeverityNotice, f.Severity)
					problems = append(problems, f.Column+": "+f.Problem)
				}
			}
			return problems
		}
		if fl.Database.Dialect != "postgres" { // only this one has them
			fl.Create(t, "CREATE UNIQUE INDEX each_once ON nicknames (name)")
			require.Empty(t, told())
			return
		}
		fl.Create(t, "ALTER TABLE nicknames ADD CONSTRAINT each_once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
		require.Len(t, told(), 1)
		require.Contains(t, told()[0], `name: the unique constraint "each_once" is DEFERRABLE`)
		require.NoError(t, names.Create(ctx, &nickname{Name: "a"}))
		require.ErrorContains(t, names.Upsert(ctx, &nickname{Name: "a"}, dbfleet.Conflict{Key: []string{"name"}, DoNothing: true}), "55000")
		created := false
		err := fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) (err error) {
			created, err = dbfleet.CreateIgnore(ctx, names, &nickname{Name: "a"})
			return err
		})
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		require.True(t, created, "nothing was told before the end")
		fl.Create(t, "ALTER TABLE nicknames DROP CONSTRAINT each_once", "ALTER TABLE nicknames ADD UNIQUE (name)")
		require.Empty(t, told())
		runtime.KeepAlive(names)
	})
}

type nickname struct {
	ID   int64
	Name string
}

// A schema that is not there is told as a table is that is not there.
func TestCheck_TellsOfTablesOfASchemaThatIsNotThere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, "CREATE TABLE nicknames (id {id}, name {text} NOT NULL)")
		m := conformance.Model[nickname](t, fl.Registry, dbfleet.ModelConfig{Table: "no_such_schema.nicknames"})
		list, err := fl.Check(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, dbfleet.SeverityError, list[0].Severity)
		require.Contains(t, list[0].Problem, "is not there")
		runtime.KeepAlive(m)
	})
}
