package relations

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// together holds each of the first n inserts into a table back until all of them are on
// their way: each of the callers has looked by then, and found nothing.
func together(db *dbfleet.DB, table string, n int) {
	var mu sync.Mutex
	waiting, all := 0, make(chan struct{})
	db.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if !strings.HasPrefix(e.SQL, "INSERT") || !strings.Contains(e.SQL, table) {
			return ctx
		}
		mu.Lock()
		if waiting++; waiting == n {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-ctx.Done():
		}
		return ctx
	})
}

func TestAttach_EachOfManyAtOnceTellsWhatItDid(t *testing.T) {
	t.Parallel()
	const callers = 2
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLabels(t, fl, "")
		ofFilm := l.of(l.films, "film")
		if fl.Database.Dialect != "sqlite" { // where one transaction after the other writes
			together(fl.DB("main"), "labellings", callers)
		}
		var all sync.WaitGroup
		counts, errs := make([]int64, callers), make([]error, callers)
		for i := range callers {
			children := []label{{ID: 1}, {ID: 2}}
			if i%2 == 1 {
				children = []label{{ID: 2}, {ID: 1}, {ID: 2}}
			}
			all.Go(func() { counts[i], errs[i] = ofFilm.Attach(t.Context(), &shown{ID: 1}, children...) })
		}
		all.Wait()
		sum := int64(0)
		for i := range callers {
			require.NoError(t, errs[i])
			sum += counts[i]
		}
		require.EqualValues(t, 2, sum, "%v", counts)
		n, err := l.rows.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

// Where rows stay when they are deleted, one of many brings the row back.
func TestAttach_EachOfManyAtOnceTellsWhetherItBroughtTheRowBack(t *testing.T) {
	t.Parallel()
	const callers = 4
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLabels(t, fl, "deleted_at")
		ofFilm := l.of(l.films, "film")
		film := shown{ID: 1}
		n, err := ofFilm.Attach(ctx, &film, label{ID: 1})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = ofFilm.DetachAll(ctx, &film)
		require.NoError(t, err)
		var all sync.WaitGroup
		done, errs := make([]dbfleet.Synced[label, labelling], callers), make([]error, callers)
		for i := range callers {
			all.Go(func() { done[i], errs[i] = ofFilm.Sync(ctx, &film, []label{{ID: 1}}) })
		}
		all.Wait()
		sum := 0
		for i := range callers {
			require.NoError(t, errs[i])
			sum += len(done[i].Attached)
		}
		require.Equal(t, 1, sum)
		rows, err := l.rows.Query().WithDeleted().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, rows)
		n, err = ofFilm.Attach(ctx, &film, label{ID: 1})
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// A pivot's column that must have a value.
func TestSyncWith_FillsTheOtherColumnsOfNewLinks(t *testing.T) {
	t.Parallel()
	type grade struct {
		FilmID, LabelID int64
		By              string `db:"given_by"`
		Stars           int
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLabels(t, fl, "")
		fl.Create(t, `CREATE TABLE grades (film_id {bigint}, label_id {bigint}, given_by {text} NOT NULL CHECK (given_by <> ''), stars {int} NOT NULL, PRIMARY KEY (film_id, label_id))`)
		grades := conformance.Model[grade](t, fl.Registry, dbfleet.ModelConfig{Table: "grades", PrimaryKey: []string{"film_id", "label_id"}})
		of := dbfleet.ManyToMany(l.films, l.labels, grades, dbfleet.On("film_id"), dbfleet.On("label_id"), func(s *shown) *[]label { return &s.Labels })
		film := shown{ID: 1}
		_, err := of.Sync(ctx, &film, []label{{ID: 1}})
		require.ErrorIs(t, err, dbfleet.ErrCheck)
		done, err := of.SyncWith(ctx, &film, grade{By: "ann", Stars: 1}, []label{{ID: 1}})
		require.NoError(t, err)
		require.Equal(t, []label{{ID: 1}}, done.Attached)
		done, err = of.SyncWith(ctx, &film, grade{FilmID: 9, LabelID: 9, By: "bob", Stars: 2}, []label{{ID: 2}, {ID: 1}})
		require.NoError(t, err)
		require.Equal(t, []label{{ID: 2}}, done.Attached)
		require.Empty(t, done.Detached)
		rows, err := grades.OrderBy("label_id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []grade{{1, 1, "ann", 1}, {1, 2, "bob", 2}}, rows, "a row that stays is left as it is")
		toggled, err := of.ToggleWith(ctx, &film, grade{By: "cid", Stars: 3}, label{ID: 2})
		require.NoError(t, err)
		require.Equal(t, []grade{{1, 2, "bob", 2}}, toggled.Detached)
		toggled, err = of.ToggleWith(ctx, &film, grade{By: "cid", Stars: 3}, label{ID: 2})
		require.NoError(t, err)
		require.Equal(t, []label{{ID: 2}}, toggled.Attached)
		rows, err = grades.OrderBy("label_id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []grade{{1, 1, "ann", 1}, {1, 2, "cid", 3}}, rows)
	})
}
