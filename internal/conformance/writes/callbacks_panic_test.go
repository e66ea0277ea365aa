package writes

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A callback that ends in a panic, or in runtime.Goexit, undoes the write; the
// records are then as they were, too.
func TestCallbacks_ThatPanicLeaveTheRecordsAsTheyWere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE articles (id {id}, title {text} NOT NULL, slug {text} NOT NULL)`)
		articles := conformance.Model[article](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
		stored := article{Title: "stored"}
		require.NoError(t, articles.Create(t.Context(), &stored))
		for _, end := range []func(){func() { panic("of a callback") }, runtime.Goexit} {
			for event, write := range map[string]func(ctx context.Context, list []article) error{
				"create":       func(ctx context.Context, list []article) error { return articles.Create(ctx, &list[0]) },
				"create again": articles.CreateMany,
				"update":       func(ctx context.Context, list []article) error { return articles.Save(ctx, &list[2]) },
				"update title": func(ctx context.Context, list []article) error { return articles.SaveColumns(ctx, &list[2], "title") },
				"delete":       func(ctx context.Context, list []article) error { return articles.Delete(ctx, &list[2]) },
				"create upsert": func(ctx context.Context, list []article) error {
					return articles.Upsert(ctx, &list[0], dbfleet.Conflict{})
				},
			} {
				for _, when := range []string{"before ", "after "} {
					before := []article{{Title: "a"}, {Title: "b"}, stored}
					if event != "create again" { // of which the last record's callback ends it
						before[0].Title = "b"
					} else {
						before = before[:2]
					}
					list := append([]article(nil), before...)
					s := &story{fl: fl, do: func(_ context.Context, told string, a *article) error {
						a.Slug = "changed"
						if strings.HasPrefix(told, when) && (a.Title == "b" || a.Title == "stored") {
							end()
						}
						return nil
					}}
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						defer func() { _ = recover() }()
						t.Errorf("%s%s: %v", when, event, write(s.in(t.Context()), list))
					}()
					<-ended
					require.Equal(t, before, list, when+event)
				}
			}
		}
		conformance.RequireIdle(t, fl.Registry)
		all, err := articles.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []article{stored}, all)
	})
}
