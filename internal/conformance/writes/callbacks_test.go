package writes

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// story is what the callbacks of a test share, in the context.
type story struct {
	fl     conformance.Fleet
	events []string
	fail   map[string]error // by event
	do     func(ctx context.Context, event string, a *article) error
}

type storyKey struct{}

func (s *story) in(ctx context.Context) context.Context { return context.WithValue(ctx, storyKey{}, s) }

func (s *story) took() []string {
	out := s.events
	s.events = nil
	return out
}

// article has all callbacks.
type article struct {
	ID          int64
	Title, Slug string
}

func (a *article) tell(ctx context.Context, event string) error {
	s, _ := ctx.Value(storyKey{}).(*story)
	if s == nil {
		return nil
	}
	event += " " + a.Title
	s.events = append(s.events, event)
	if s.do != nil {
		if err := s.do(ctx, event, a); err != nil {
			return err
		}
	}
	return s.fail[event]
}

func (a *article) BeforeCreate(ctx context.Context) error {
	a.Slug = "slug-" + a.Title
	return a.tell(ctx, "before create")
}

func (a *article) AfterCreate(ctx context.Context) error {
	if a.ID == 0 {
		return errors.New("the id is not there")
	}
	return a.tell(ctx, "after create")
}

func (a *article) BeforeUpdate(ctx context.Context) error { return a.tell(ctx, "before update") }

func (a *article) AfterUpdate(ctx context.Context) error { return a.tell(ctx, "after update") }

func (a *article) BeforeDelete(ctx context.Context) error { return a.tell(ctx, "before delete") }

func (a *article) AfterDelete(ctx context.Context) error { return a.tell(ctx, "after delete") }

func articles(t *testing.T, fl conformance.Fleet) *dbfleet.Model[article] {
	t.Helper()
	fl.Create(t, `CREATE TABLE articles (id {id}, title VARCHAR(50) UNIQUE, slug {text})`, `CREATE TABLE trail (id {id}, line {text})`)
	return conformance.Model[article](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
}

func count(t *testing.T, q interface {
	Count(ctx context.Context) (int64, error)
}) int {
	t.Helper()
	n, err := q.Count(t.Context())
	require.NoError(t, err)
	return int(n)
}

// hazard 268, hazard 270: callbacks come in order, may change the record, and an error of
// one leaves nothing behind.
func TestCallbacks_AreAllOrNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := articles(t, fl)
		s := &story{fl: fl, fail: map[string]error{}}
		ctx := s.in(t.Context())
		a := article{Title: "a"}
		require.NoError(t, m.Create(ctx, &a))
		require.Equal(t, []string{"before create a", "after create a"}, s.took())
		got, err := m.Find(ctx, a.ID)
		require.NoError(t, err)
		require.Equal(t, "slug-a", got.Slug, "what the callback set is saved")
		require.NoError(t, m.Save(ctx, &a))
		require.NoError(t, m.SaveColumns(ctx, &a, "slug"))
		require.NoError(t, m.Upsert(ctx, &article{Title: "a"}, dbfleet.Conflict{Key: []string{"title"}}))
		require.NoError(t, m.Delete(ctx, &a))
		require.Equal(t, []string{"before update a", "after update a", "before update a", "after update a", "before create a", "after create a", "before delete a", "after delete a"}, s.took())
		_, err = m.Where("id", "=", 1).Update(ctx, map[string]any{"slug": "x"})
		require.NoError(t, err)
		_, err = m.Where("id", "=", 1).Delete(ctx)
		require.NoError(t, err)
		require.Empty(t, s.took(), "a query's writes call none")

		boom := errors.New("boom")
		kept := article{Title: "kept"}
		require.NoError(t, m.Create(ctx, &kept))
		counts := conformance.Statements(t, fl.Registry)
		for _, event := range []string{"before create x", "before update kept", "before delete kept"} {
			s.fail = map[string]error{event: boom}
			switch event {
			case "before create x":
				require.ErrorIs(t, m.Create(ctx, &article{Title: "x"}), boom)
			case "before update kept":
				changed := kept
				changed.Slug = "changed"
				require.ErrorIs(t, m.Save(ctx, &changed), boom)
			default:
				require.ErrorIs(t, m.Delete(ctx, &kept), boom)
			}
			sent := counts()
			require.Zero(t, sent["insert"]+sent["update"]+sent["delete"], event)
		}
		for _, event := range []string{"after create x", "after update kept", "after delete kept"} {
			s.fail = map[string]error{event: boom}
			x, changed := article{Title: "x"}, kept
			changed.Slug = "changed"
			switch event {
			case "after create x":
				require.ErrorIs(t, m.Create(ctx, &x), boom)
				require.Zero(t, x.ID, "the row is gone, and its id")
			case "after update kept":
				require.ErrorIs(t, m.Save(ctx, &changed), boom)
			default:
				require.ErrorIs(t, m.Delete(ctx, &kept), boom)
			}
			got, err := m.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, []article{kept}, got, event)
		}

		// Inside a transaction only the record's own work is undone.
		s.fail = map[string]error{"after create x": boom}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, m.Create(ctx, &article{Title: "y"}))
			require.ErrorIs(t, m.Create(ctx, &article{Title: "x"}), boom)
			require.ErrorIs(t, m.Using(tx).Create(s.in(t.Context()), &article{Title: "x"}), boom)
			return nil
		}))
		require.Equal(t, 2, count(t, m))
		s.fail = nil
		require.PanicsWithValue(t, "bug", func() {
			s.do = func(context.Context, string, *article) error { panic("bug") }
			_ = m.Create(ctx, &article{Title: "z"})
		})
		require.Equal(t, 2, count(t, m))
	})
}

// hazard 271, hazard 272: once per record, the index told; a context that ends stops them.
func TestCallbacks_OfManyRecords(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := articles(t, fl)
		boom := errors.New("boom")
		s := &story{fl: fl}
		ctx := s.in(t.Context())
		many := func() []article { return []article{{Title: "a"}, {Title: "b"}, {Title: "c"}} }
		for _, event := range []string{"before create b", "after create b"} {
			s.fail = map[string]error{event: boom}
			list := many()
			err := m.CreateMany(ctx, list)
			require.ErrorIs(t, err, boom)
			var at *dbfleet.RecordError
			require.ErrorAs(t, err, &at)
			require.Equal(t, 1, at.Index)
			require.Equal(t, "dbfleet: record 1: boom", err.Error())
			require.Equal(t, many(), list)
			require.Zero(t, count(t, m))
		}
		s.fail = nil
		s.took()
		require.NoError(t, m.CreateMany(ctx, many()))
		require.Equal(t, []string{"before create a", "before create b", "before create c", "after create a", "after create b", "after create c"}, s.took())

		canceled, cancel := context.WithCancel(ctx)
		s.do = func(_ context.Context, event string, _ *article) error {
			if event == "before create e" {
				cancel()
			}
			return nil
		}
		err := m.CreateMany(canceled, []article{{Title: "d"}, {Title: "e"}, {Title: "f"}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []string{"before create d", "before create e"}, s.took())
		require.Equal(t, 3, count(t, m))
	})
}

// hazard 269: what callbacks do takes part in the record's transaction; a callback that
// saves its own record again and again ends with an error.
func TestCallbacks_RunStatementsInTheTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := articles(t, fl)
		boom := errors.New("boom")
		s := &story{fl: fl}
		ctx := s.in(t.Context())
		trail := fl.DB("main").Table("trail")
		s.do = func(ctx context.Context, event string, a *article) error {
			_, err := trail.Insert(ctx, map[string]any{"line": event})
			if err != nil {
				return err
			}
			route, err := trail.Route(ctx)
			if err == nil && !route.Tx {
				err = fmt.Errorf("%s ran outside: %v", event, route)
			}
			return err
		}
		require.NoError(t, m.Create(ctx, &article{Title: "a"}))
		require.Equal(t, 2, count(t, trail))
		s.fail = map[string]error{"after create b": boom}
		require.ErrorIs(t, m.Create(ctx, &article{Title: "b"}), boom)
		require.Equal(t, 2, count(t, trail), "the trail went with the record")

		s.fail = nil
		require.ErrorIs(t, fl.Transaction(t.Context(), "main", func(_ context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, m.Using(tx).Create(ctx, &article{Title: "b"}), "the context itself carries no transaction")
			return boom
		}), boom)
		require.Equal(t, 2, count(t, trail))

		only := conformance.Model[titled](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
		require.ErrorIs(t, fl.Transaction(t.Context(), "main", func(_ context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, only.Using(tx).Create(ctx, &titled{Title: "c"}), "a Before method alone sees it too")
			return boom
		}), boom)
		require.Equal(t, 2, count(t, trail))

		depth := 0
		s.do = func(ctx context.Context, event string, a *article) error {
			if event != "after update a" {
				return nil
			}
			depth++
			return m.Save(ctx, a)
		}
		a, err := m.Where("title", "=", "a").First(ctx)
		require.NoError(t, err)
		require.ErrorContains(t, m.Save(ctx, &a), "deep")
		require.LessOrEqual(t, depth, 20)
		require.Equal(t, 1, count(t, m))
	})
}

// titled has a Before method only.
type titled struct {
	ID    int64
	Title string
}

func (a *titled) BeforeCreate(ctx context.Context) error {
	s := ctx.Value(storyKey{}).(*story)
	return s.do(ctx, "titled", nil)
}

// Bulk writes through Using take part in the transaction also when callbacks
// open a savepoint around them.
func TestCallbacks_OfBulkWritesThroughAHandle(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := articles(t, fl)
		require.NoError(t, fl.Transaction(ctx, "main", func(_ context.Context, tx *dbfleet.Tx) error {
			list := []article{{Title: "a"}, {Title: "b"}, {Title: "c"}}
			if err := m.Using(tx).CreateMany(ctx, list); err != nil {
				return err
			}
			for _, a := range list {
				require.Positive(t, a.ID)
			}
			more := []article{{Title: "a"}, {Title: "d"}}
			return m.Using(tx).UpsertMany(ctx, more, dbfleet.Conflict{Key: []string{"title"}})
		}))
		require.Equal(t, 4, count(t, m))
	})
}
