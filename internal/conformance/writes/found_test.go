package writes

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestRefresh_ReadsTheRowAndKeepsRelations(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		ann := author{Name: "Ann", Books: []book{{Title: "A"}}}
		require.NoError(t, authors.Create(ctx, &ann))
		_, err := authors.Where("id", "=", ann.ID).Update(ctx, dbfleet.Row{"age": 31})
		require.NoError(t, err)
		require.NoError(t, authors.Refresh(ctx, &ann))
		require.Equal(t, 31, ann.Age)
		require.Len(t, ann.Books, 1)
		got, err := authors.Find(ctx, ann.ID)
		require.NoError(t, err)
		ann.Books = nil
		require.Equal(t, got, ann)

		undo := errors.New("undo")
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := authors.Where("id", "=", ann.ID).Update(ctx, dbfleet.Row{"age": 99})
			require.NoError(t, err)
			require.NoError(t, authors.Refresh(ctx, &ann))
			require.Equal(t, 99, ann.Age)
			return undo
		}), undo)
		require.Equal(t, got, ann, "what was never committed is not in the record")

		_, err = authors.Where("id", "=", ann.ID).Delete(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, authors.Refresh(ctx, &ann), dbfleet.ErrNotFound)
		require.Equal(t, got, ann)
		require.ErrorContains(t, authors.Refresh(ctx, &author{}), "zero")
	})
}

func TestFirstOrCreate_TellsWhetherItCreated(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		ann := author{Name: "Ann", Age: 30}
		created, err := authors.FirstOrCreate(ctx, &ann, "name")
		require.NoError(t, err)
		require.True(t, created)
		require.Positive(t, ann.ID)
		again := author{Name: "Ann", Age: 99}
		created, err = authors.FirstOrCreate(ctx, &again, "name")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, ann, again)
		byKey := author{ID: ann.ID}
		created, err = authors.FirstOrCreate(ctx, &byKey)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, ann, byKey)

		_, err = authors.FirstOrCreate(ctx, &author{Name: "x"})
		require.ErrorContains(t, err, "zero")
		_, err = authors.FirstOrCreate(ctx, &author{Name: "x"}, "nmae")
		require.ErrorContains(t, err, "nmae")
		_, err = authors.FirstOrCreate(ctx, &author{Name: "x"}, "deleted_at")
		require.ErrorContains(t, err, "NULL")
		other := author{Name: "Ann", Age: 77}
		before := other
		created, err = authors.FirstOrCreate(ctx, &other, "age")
		require.ErrorIs(t, err, dbfleet.ErrUnique, "another constraint")
		require.False(t, created)
		require.Equal(t, before, other)

		require.NoError(t, authors.Delete(ctx, &ann))
		_, err = authors.FirstOrCreate(ctx, &author{Name: "Ann"}, "name")
		require.ErrorIs(t, err, dbfleet.ErrUnique, "a deleted row has the name")
	})
}

// hazard 118: a search that fails is an error, and leaves nothing behind.
func TestFirstOrCreate_TellsOfATableThatIsMissing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "nowhere"})
		for range 20 {
			created, err := m.FirstOrCreate(t.Context(), &page{Title: "a"}, "title")
			require.Error(t, err)
			require.False(t, created)
		}
		require.Zero(t, fl.DB("main").Pool().Stats().InUse)
	})
}

func TestFirstOrCreate_OfManyAtOnceCreatesOneRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		for _, inTx := range []bool{false, true} {
			title := map[bool]string{false: "a", true: "b"}[inTx]
			type outcome struct {
				id      int64
				created bool
				err     error
			}
			const people = 6
			start, done := make(chan struct{}), make(chan outcome, people)
			for range people {
				go func() {
					<-start
					p, o := page{Title: title}, outcome{}
					once := func(ctx context.Context) (err error) {
						p = page{Title: title}
						o.created, err = m.FirstOrCreate(ctx, &p, "title")
						return err
					}
					for {
						if o.err = once(ctx); inTx {
							o.err = fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
								if err := once(ctx); err != nil {
									return err
								}
								_, err := tx.Table("pages").Count(ctx) // the transaction goes on
								return err
							})
						}
						if !dbfleet.IsRetryable(o.err) {
							break
						}
					}
					o.id = p.ID
					done <- o
				}()
			}
			close(start)
			ids, created := map[int64]bool{}, 0
			for range people {
				o := <-done
				require.NoError(t, o.err)
				ids[o.id] = true
				if o.created {
					created++
				}
			}
			require.Len(t, ids, 1)
			if !inTx {
				require.Equal(t, 1, created)
			}
			n, err := m.Where("title", "=", title).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
	})
}

func TestFirstOrCreate_FindsWhatTheTransactionsSnapshotHasNot(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		ctx, m := t.Context(), pages(t, fl)
		require.NoError(t, fl.Transaction(ctx, "main", func(inTx context.Context, _ *dbfleet.Tx) error {
			_, err := m.Count(inTx) // takes the snapshot
			require.NoError(t, err)
			theirs := page{Title: "a"}
			require.NoError(t, m.Create(ctx, &theirs))
			mine := page{Title: "a"}
			created, err := m.FirstOrCreate(inTx, &mine, "title")
			require.NoError(t, err)
			require.False(t, created)
			require.Equal(t, theirs, mine)
			mine = page{Title: "a", Body: "x"}
			created, err = m.UpdateOrCreate(inTx, &mine, "title")
			require.NoError(t, err)
			require.False(t, created)
			ignored, err := dbfleet.CreateIgnore(inTx, m, &page{Title: "a"})
			require.NoError(t, err)
			require.False(t, ignored)
			return nil
		}))
		n, err := m.Where("body", "=", "x").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestUpdateOrCreate_SavesTheRowThatIsThere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a", Body: "1"}
		created, err := m.UpdateOrCreate(ctx, &p, "title")
		require.NoError(t, err)
		require.True(t, created)
		again := page{Title: "a", Body: "2"}
		created, err = m.UpdateOrCreate(ctx, &again, "title")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, page{ID: p.ID, Title: "a", Body: "2", Rev: 2}, again)
		got, err := m.Find(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, again, got)

		const people = 5
		done := make(chan error, people)
		for range people {
			go func() {
				_, err := m.UpdateOrCreate(ctx, &page{Title: "b"}, "title")
				for dbfleet.IsRetryable(err) {
					_, err = m.UpdateOrCreate(ctx, &page{Title: "b"}, "title")
				}
				done <- err
			}()
		}
		for range people {
			require.NoError(t, <-done)
		}
		got, err = m.Where("title", "=", "b").First(ctx)
		require.NoError(t, err)
		require.Equal(t, people, got.Rev, "each of them has written")
	})
}

func TestUpdateOrCreate_IsNotOvertakenAgainAndAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		require.NoError(t, m.Create(ctx, &page{Title: "a"}))
		overtaken := 0
		fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			if e.Op == "update" && !e.Route.Tx { // in a transaction the row is locked
				overtaken++
				fl.Database.Exec(t, "UPDATE pages SET rev = rev + 1")
			}
			return ctx
		})
		p := page{Title: "a", Body: "mine"}
		created, err := m.UpdateOrCreate(ctx, &p, "title")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, 1, overtaken)
		got, err := m.Find(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, page{ID: p.ID, Title: "a", Body: "mine", Rev: 3}, got)
		require.Equal(t, got, p)
	})
}

func TestCreateIgnore_LeavesTheRowAndTheRecordAsTheyAre(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		p := page{Title: "a", Body: "1"}
		created, err := dbfleet.CreateIgnore(ctx, m, &p)
		require.NoError(t, err)
		require.True(t, created)
		require.Positive(t, p.ID)
		again := page{Title: "a", Body: "2"}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			created, err := dbfleet.CreateIgnore(ctx, m, &again)
			require.False(t, created)
			if err == nil {
				_, err = m.Count(ctx) // the transaction goes on
			}
			return err
		}))
		require.Equal(t, page{Title: "a", Body: "2"}, again)
		n, err := m.Where("body", "=", "1").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestTouch_SetsTheTimeAndNothingElse(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, books := library(t, fl)
		ann := author{Name: "Ann", Age: 30}
		require.NoError(t, authors.Create(ctx, &ann))
		old := ann.UpdatedAt
		long := old.AddDate(-1, 0, 0)
		_, err := authors.Where("id", "=", ann.ID).Update(ctx, dbfleet.Row{"updated_at": long, "age": 31})
		require.NoError(t, err)
		require.NoError(t, dbfleet.Touch(ctx, authors, &ann))
		got, err := authors.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, 31, got.Age, "it is not saved")
		require.Equal(t, ann.UpdatedAt, got.UpdatedAt)
		require.False(t, got.UpdatedAt.Before(old))

		_, err = authors.Where("id", "=", ann.ID).Update(ctx, dbfleet.Row{"updated_at": long})
		require.NoError(t, err)
		_, err = dbfleet.TouchRows(ctx, authors)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		n, err := dbfleet.TouchRows(ctx, authors.Where("name", "=", "Ann"))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.NoError(t, authors.Refresh(ctx, &ann))
		require.True(t, ann.UpdatedAt.After(long))
		require.ErrorContains(t, dbfleet.Touch(ctx, books, &book{ID: 1}), "Timestamps")
		_, err = dbfleet.TouchRows(ctx, books.Query().AllRows())
		require.ErrorContains(t, err, "Timestamps")
	})
}

// What a scope of the model leaves out is not there for these verbs either.
func TestScopes_HoldForWhatIsReadAgainOrSavedTogether(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, all := t.Context(), pages(t, fl)
		small := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages", Version: "rev", Scopes: []dbfleet.Scope{
			{Name: "small", Conditions: []dbfleet.Cond{dbfleet.Col[string]("body").NotEq("big")}},
		}})
		list := []page{{Title: "a", Body: "x"}, {Title: "b", Body: "x"}, {Title: "c", Body: "big"}}
		require.NoError(t, all.CreateMany(ctx, list))
		require.ErrorIs(t, small.Refresh(ctx, &list[2]), dbfleet.ErrNotFound)
		_, err := small.FirstOrCreate(ctx, &page{Title: "c"}, "title")
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		_, err = small.UpdateOrCreate(ctx, &page{Title: "c"}, "title")
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		err = small.SaveMany(ctx, list)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorContains(t, err, "record 2")
		require.NoError(t, small.SaveMany(ctx, list[:2]))
		require.Equal(t, 2, list[1].Rev)
	})
}
