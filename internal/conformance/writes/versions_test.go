package writes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// page is a record that several people write at once.
type page struct {
	ID        int64
	Title     string
	Body      string
	Rev       int
	DeletedAt *time.Time
}

const pagesTable = `CREATE TABLE pages (id {id}, title {text} NOT NULL UNIQUE, body {text} NOT NULL, rev {int} NOT NULL, deleted_at {time} NULL)`

func pages(t *testing.T, fl conformance.Fleet) *dbfleet.Model[page] {
	t.Helper()
	fl.Create(t, pagesTable)
	return conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages", Version: "rev"})
}

func TestVersion_RefusesToWriteOverTheWritesOfOthers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		mine := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &mine))
		require.Equal(t, 1, mine.Rev)
		theirs, err := m.Find(ctx, mine.ID)
		require.NoError(t, err)
		require.Equal(t, mine, theirs)

		mine.Body = "mine"
		require.NoError(t, m.Save(ctx, &mine))
		require.Equal(t, 2, mine.Rev)
		theirs.Body = "theirs"
		was := theirs
		for _, write := range map[string]func(context.Context, *page) error{
			"save": m.Save, "delete": m.Delete, "force": m.ForceDelete,
			"columns": func(ctx context.Context, p *page) error { return m.SaveColumns(ctx, p, "body") },
		} {
			err = write(ctx, &theirs)
			require.ErrorIs(t, err, dbfleet.ErrStaleRecord)
			require.NotErrorIs(t, err, dbfleet.ErrNotFound)
			require.ErrorContains(t, err, `"pages"`)
			require.Equal(t, was, theirs, "an error leaves the record as it was")
		}
		got, err := m.Find(ctx, mine.ID)
		require.NoError(t, err)
		require.Equal(t, mine, got)

		require.NoError(t, m.SaveColumns(ctx, &mine, "title"))
		require.Equal(t, 3, mine.Rev)
		require.NoError(t, m.Delete(ctx, &mine))
		for _, write := range []func(context.Context, *page) error{m.Save, m.Delete} {
			err = write(ctx, &theirs)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			require.NotErrorIs(t, err, dbfleet.ErrStaleRecord)
		}
		require.ErrorContains(t, m.SaveColumns(ctx, &theirs, "rev"), "version")
	})
}

func TestVersion_IsRaisedByWritesOfQueriesAndUpserts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &p))
		rev := func() int {
			got, err := m.Find(ctx, p.ID)
			require.NoError(t, err)
			return got.Rev
		}
		_, err := m.Where("id", "=", p.ID).Update(ctx, dbfleet.Row{"body": "x"})
		require.NoError(t, err)
		require.Equal(t, 2, rev())
		require.ErrorIs(t, m.Save(ctx, &p), dbfleet.ErrStaleRecord)
		_, err = m.Where("id", "=", p.ID).Update(ctx, dbfleet.Row{"rev": 9})
		require.ErrorContains(t, err, "version")
		byTitle := dbfleet.Conflict{Key: []string{"title"}}
		require.NoError(t, m.Upsert(ctx, &page{Title: "a", Body: "y"}, byTitle))
		require.Equal(t, 3, rev())
		require.NoError(t, m.UpsertMany(ctx, []page{{Title: "a"}, {Title: "b"}}, dbfleet.Conflict{Key: []string{"title"}, Update: []string{"body"}}))
		require.Equal(t, 4, rev())
		require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"title": "a", "body": "z"}, byTitle))
		require.Equal(t, 5, rev())
		require.NoError(t, m.Upsert(ctx, &page{Title: "a"}, dbfleet.Conflict{Key: []string{"title"}, DoNothing: true}))
		require.Equal(t, 5, rev())

		_, err = m.Query().Insert(ctx, dbfleet.Row{"title": "c", "body": ""})
		require.NoError(t, err)
		list := []page{{Title: "d"}, {Title: "e"}}
		require.NoError(t, m.CreateMany(ctx, list))
		require.Equal(t, 1, list[1].Rev)
		n, err := m.WhereIn("title", []string{"b", "c", "d", "e"}).Where("rev", "=", 1).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
	})
}

func TestVersion_IsThatOfBeforeWhenTheTransactionIsUndone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &p))
		undo := errors.New("undo")
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, m.Save(ctx, &p))
			require.NoError(t, m.Save(ctx, &p))
			require.Equal(t, 3, p.Rev)
			return undo
		}), undo)
		require.Equal(t, 1, p.Rev)
		require.NoError(t, m.Save(ctx, &p))
	})
}

// A transaction that reads from a snapshot sees the version that it has read, and is told
// of the other one all the same.
func TestVersion_TellsOfAWriteThatTheTransactionDoesNotSee(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &p))
		err := fl.Transaction(ctx, "main", func(inTx context.Context, _ *dbfleet.Tx) error {
			mine, err := m.Find(inTx, p.ID)
			require.NoError(t, err)
			require.NoError(t, m.Save(ctx, &p)) // outside
			return m.Save(inTx, &mine)
		})
		require.ErrorIs(t, err, dbfleet.ErrStaleRecord)
		require.NotErrorIs(t, err, dbfleet.ErrNotFound)
	})
}

func TestVersion_HoldsForRowsThatAreMarkedAsDeleted(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, pagesTable)
		ctx, m := t.Context(), conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages", Version: "rev", SoftDelete: "deleted_at"})
		p := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &p))
		old := p
		require.NoError(t, m.Delete(ctx, &p))
		require.Equal(t, 2, p.Rev)
		require.ErrorIs(t, m.Save(ctx, &old), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Delete(ctx, &old), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Restore(ctx, &old), dbfleet.ErrStaleRecord)
		require.ErrorIs(t, m.ForceDelete(ctx, &old), dbfleet.ErrStaleRecord)
		require.NoError(t, m.Restore(ctx, &p))
		require.Equal(t, 3, p.Rev)
		require.ErrorIs(t, m.Delete(ctx, &old), dbfleet.ErrStaleRecord)
		n, err := m.Where("title", "=", "a").Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		gone, err := m.Query().OnlyDeleted().Find(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, 4, gone.Rev)
		require.NoError(t, m.ForceDelete(ctx, &gone))
	})
}

// Of many who read, change and save the same record, each write is there at the end.
func TestVersion_LosesNoWriteOfManyAtOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a"}
		require.NoError(t, m.Create(ctx, &p))
		const each, people = 5, 4
		done := make(chan error, people)
		for range people {
			go func() {
				for range each {
					for {
						mine, err := m.Find(ctx, p.ID)
						if err == nil {
							mine.Body += "x"
							err = m.Save(ctx, &mine)
						}
						if err == nil {
							break
						}
						if !errors.Is(err, dbfleet.ErrStaleRecord) && !dbfleet.IsRetryable(err) {
							done <- err
							return
						}
					}
				}
				done <- nil
			}()
		}
		for range people {
			require.NoError(t, <-done)
		}
		got, err := m.Find(ctx, p.ID)
		require.NoError(t, err)
		require.Len(t, got.Body, each*people)
		require.Equal(t, each*people+1, got.Rev)
	})
}

func TestVersion_RefusesAColumnThatCannotHoldIt(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	for column, why := range map[string]string{"title": "not an int", "id": "another role", "nope": `no column "nope"`} {
		_, err := dbfleet.NewModel[page](fl.Registry, dbfleet.ModelConfig{Table: "pages", Version: column})
		var fault *dbfleet.ModelError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "Version", fault.Key)
		require.ErrorContains(t, err, why)
	}
}
