package values

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A text that is no JSON gets into a column of documents through no door: the row could not
// be read any more.
func TestJSON_ATextThatIsNoDocumentIsRefused(t *testing.T) {
	t.Parallel()
	type page struct {
		ID   int64
		Name string
		Conf dbfleet.JSON[settings]
		Ptr  *dbfleet.JSON[any]
	}
	type note struct {
		ID         int64
		Body, Ours string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE pages (id {id}, name {text} NOT NULL UNIQUE, conf {json}, ptr {json})`,
			`CREATE TABLE notes (id {id}, body {text} NOT NULL, ours {text} NOT NULL)`)
		m := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages", Fillable: []string{"name", "conf", "ptr"}})
		notes := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		require.NoError(t, notes.Create(ctx, &note{Body: "no document", Ours: `{"theme":"dark"}`}))
		one := page{Name: "one", Conf: dbfleet.JSONOf(settings{Theme: "light"})}
		require.NoError(t, m.Create(ctx, &one))

		// Values: before anything is sent.
		sent := 0
		remove := fl.DB("main").OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { sent++; return ctx })
		byName := dbfleet.Conflict{Key: []string{"name"}}
		for _, column := range []string{"conf", "ptr"} {
			for _, bad := range []any{"no document", "", []byte("{"), ptr("{} {}"), "{'theme': 'dark'}"} {
				one := m.Where("id", "=", one.ID)
				_, err := one.Update(ctx, dbfleet.Row{column: bad})
				refused := func(err error) {
					t.Helper()
					in := new(dbfleet.ColumnError)
					require.ErrorAs(t, err, &in, "%q", bad)
					require.Equal(t, "pages", in.Table)
					require.Equal(t, column, in.Column)
				}
				refused(err)
				require.ErrorIs(t, err, dbfleet.ErrType)
				_, err = m.Query().Insert(ctx, dbfleet.Row{"name": "two", column: bad})
				refused(err)
				_, err = m.Query().Insert(ctx, dbfleet.Row{"name": "two", column: "{}"}, dbfleet.Row{"name": "three", column: bad})
				refused(err)
				refused(m.Query().Upsert(ctx, dbfleet.Row{"name": "one", column: bad}, byName))
				_, err = m.CreateFrom(ctx, dbfleet.Row{"name": "two", column: bad})
				require.Error(t, err)
			}
		}
		require.Zero(t, sent)
		remove()

		// SQL and queries: by the database.
		sql := []any{dbfleet.Raw("'no document'"), dbfleet.Raw("?", "no document"), dbfleet.Raw("name"), notes.Select("body")}
		for _, bad := range sql {
			_, err := m.Where("id", "=", one.ID).Update(ctx, dbfleet.Row{"conf": bad})
			require.Error(t, err, "%v", bad)
			_, err = m.Query().Insert(ctx, dbfleet.Row{"name": "two", "conf": bad})
			require.Error(t, err, "%v", bad)
			require.Error(t, m.Query().Upsert(ctx, dbfleet.Row{"name": "one", "conf": bad}, byName), "%v", bad)
		}
		list, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []page{one}, list)
		cast := map[string]string{"sqlite": "%s", "mysql": "%s", "postgres": "%s::jsonb"}[fl.Database.Dialect]
		body := func(column string) string { return strings.ReplaceAll(cast, "%s", column) }
		_, err = dbfleet.InsertFrom(ctx, m.Query(), []string{"name", "conf"}, notes.Select("ours").SelectRaw(body("body")))
		require.Error(t, err)
		list, err = m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []page{one}, list)

		// Documents get in, by each of them.
		dark := dbfleet.JSONOf(settings{Theme: "dark"})
		is := func(want any) {
			t.Helper()
			got, err := m.Where("name", "=", "one").First(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got.Conf)
			_, err = m.Where("name", "=", "one").Update(ctx, dbfleet.Row{"conf": nil})
			require.NoError(t, err)
		}
		for _, good := range []any{`{"theme": "dark"}`, []byte(`{"theme":"dark"}`), dark, dbfleet.Raw(body("'{\"theme\":\"dark\"}'")), notes.Query().SelectRaw(body("ours"))} {
			_, err := m.Where("name", "=", "one").Update(ctx, dbfleet.Row{"conf": good})
			require.NoError(t, err, "%v", good)
			is(dark)
			require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"name": "one", "conf": good}, byName))
			is(dark)
		}
		_, err = m.Where("name", "=", "one").Update(ctx, dbfleet.Row{"conf": dbfleet.Raw("NULL")})
		require.NoError(t, err)
		is(dbfleet.JSON[settings]{})
		n, err := dbfleet.InsertFrom(ctx, m.Query(), []string{"name", "conf", "ptr"}, notes.Select("body").SelectRaw(body("ours")).SelectRaw("NULL"))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		got, err := m.Where("name", "=", "no document").First(ctx)
		require.NoError(t, err)
		require.Equal(t, dark, got.Conf)
	})
}
