package writes

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// patron is a record that remembers what was read of it.
type patron struct {
	dbfleet.Snapshot
	ID        int64
	Name      string
	Visits    int
	Active    bool
	Raw       []byte
	Tags      dbfleet.JSON[[]string]
	UpdatedAt time.Time
	Rev       int
}

const patronsTable = `CREATE TABLE patrons (id {id}, name {text} NOT NULL UNIQUE, visits {int} NOT NULL, active {bool} NOT NULL, raw {bytes}, tags {json}, updated_at {time} NOT NULL, rev {int} NOT NULL)`

func patrons(t *testing.T, fl conformance.Fleet) *dbfleet.Model[patron] {
	t.Helper()
	fl.Create(t, patronsTable)
	return conformance.Model[patron](t, fl.Registry, dbfleet.ModelConfig{Table: "patrons", Timestamps: true, Version: "rev"})
}

func TestSaveChanges_WritesWhatDiffersAndNothingElse(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), patrons(t, fl)
		ann := patron{Name: "Ann", Visits: 1, Raw: []byte("abc"), Tags: dbfleet.JSONOf([]string{"x"})}
		require.NoError(t, m.Create(ctx, &ann))
		changed := func(r *patron) []string {
			t.Helper()
			list, err := dbfleet.Changed(m, r)
			require.NoError(t, err)
			return list
		}
		require.Empty(t, changed(&ann), "a record that was created is what its row is")

		writes := 0
		fl.DB("main").OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { writes++ })
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &ann))
		require.Zero(t, writes, "nothing differs")
		require.Equal(t, 1, ann.Rev)

		got, err := m.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Empty(t, changed(&got))
		_, err = m.Where("id", "=", ann.ID).Update(ctx, dbfleet.Row{"visits": 50})
		require.NoError(t, err)
		require.NoError(t, m.Refresh(ctx, &got))
		theirs := got
		got.Name, got.Active, got.Raw[0] = "Bob", true, 'z'
		got.Tags.V = append(got.Tags.V, "y")
		require.Equal(t, []string{"name", "active", "raw", "tags"}, changed(&got))
		require.Contains(t, changed(&theirs), "raw", "the copy has the same bytes")

		require.NoError(t, dbfleet.SaveChanges(ctx, m, &got))
		require.Empty(t, changed(&got))
		require.Equal(t, 3, got.Rev)
		again, err := m.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.Equal(t, 50, again.Visits)

		theirs.Name = "Cid"
		require.ErrorIs(t, dbfleet.SaveChanges(ctx, m, &theirs), dbfleet.ErrStaleRecord)
		again.ID++
		again.Name = "other"
		require.ErrorContains(t, dbfleet.SaveChanges(ctx, m, &again), "key")
		fresh := patron{Name: "Dan"}
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &fresh), "a zero key is created")
		require.Positive(t, fresh.ID)
		require.ErrorIs(t, dbfleet.SaveChanges(ctx, m, &patron{ID: ann.ID, Name: "x"}), dbfleet.ErrUnread)
		up := patron{Name: "Dan"}
		require.NoError(t, m.Upsert(ctx, &up, dbfleet.Conflict{Key: []string{"name"}}))
		_, err = dbfleet.Changed(m, &up)
		require.ErrorIs(t, err, dbfleet.ErrUnread)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		require.NotContains(t, string(text), "Snapshot")
	})
}

// Every way to read a record tells it what was read.
func TestSnapshot_IsTakenByEveryRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), patrons(t, fl)
		made := []patron{{Name: "a"}, {Name: "b"}, {Name: "c"}}
		require.NoError(t, m.CreateMany(ctx, made))
		unchanged := func(list ...patron) {
			t.Helper()
			for i := range list {
				names, err := dbfleet.Changed(m, &list[i])
				require.NoError(t, err)
				require.Empty(t, names)
				list[i].Visits += 7
				names, err = dbfleet.Changed(m, &list[i])
				require.NoError(t, err)
				require.Equal(t, []string{"visits"}, names)
			}
		}
		unchanged(append([]patron{}, made...)...)
		list, err := m.Get(ctx)
		require.NoError(t, err)
		unchanged(list...)
		one, err := m.First(ctx)
		require.NoError(t, err)
		unchanged(one)
		for r, err := range m.Query().Iter(ctx) {
			require.NoError(t, err)
			unchanged(r)
		}
		for i := range made {
			made[i].Visits = 3
		}
		require.NoError(t, m.SaveMany(ctx, made))
		unchanged(append([]patron{}, made...)...)
		found := patron{Name: "a"}
		_, err = m.FirstOrCreate(ctx, &found, "name")
		require.NoError(t, err)
		unchanged(found)
		updated := patron{Name: "b", Visits: 9}
		_, err = m.UpdateOrCreate(ctx, &updated, "name")
		require.NoError(t, err)
		unchanged(updated)
	})
}

func TestSnapshot_KnowsWhichColumnsWereRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), patrons(t, fl)
		ann := patron{Name: "Ann", Visits: 7, Active: true}
		require.NoError(t, m.Create(ctx, &ann))
		part, err := m.Select("id", "name", "raw", "tags", "rev").Find(ctx, ann.ID)
		require.NoError(t, err)
		part.Name = "Bob"
		for _, err := range []error{m.Save(ctx, &part), m.SaveMany(ctx, []patron{part}), m.Upsert(ctx, &part)} {
			require.ErrorIs(t, err, dbfleet.ErrUnread)
			require.ErrorContains(t, err, "visits, active")
		}
		names, err := dbfleet.Changed(m, &part)
		require.NoError(t, err)
		require.Equal(t, []string{"name"}, names)
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &part))
		got, err := m.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, "Bob", got.Name)
		require.Equal(t, 7, got.Visits)
		part.Visits, part.Active = 8, true
		require.NoError(t, m.Save(ctx, &part), "all of them were set")
	})
}

func TestSnapshot_IsThatOfBeforeWhenTheTransactionIsUndone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), patrons(t, fl)
		ann := patron{Name: "Ann"}
		require.NoError(t, m.Create(ctx, &ann))
		undo := errors.New("undo")
		ann.Name = "Bob"
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, dbfleet.SaveChanges(ctx, m, &ann))
			ann.Visits = 5
			require.NoError(t, dbfleet.SaveChanges(ctx, m, &ann))
			return undo
		}), undo)
		names, err := dbfleet.Changed(m, &ann)
		require.NoError(t, err)
		require.Equal(t, []string{"name", "visits"}, names, "they are yet to be written")
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &ann))
		got, err := m.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, ann, got)
	})
}

func TestSaveChanges_RefusesATypeThatRemembersNothing(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	m := conformance.Model[page](t, fl.Registry, dbfleet.ModelConfig{Table: "pages"})
	require.ErrorContains(t, dbfleet.SaveChanges(t.Context(), m, &page{ID: 1}), "dbfleet.Snapshot")
	_, err := dbfleet.Changed(m, &page{ID: 1})
	require.ErrorContains(t, err, "dbfleet.Snapshot")
}

// Nothing was left out of a record that no query has read: it is the program's, whatever
// columns of it were written.
func TestSnapshot_OfAnUpsertedRecordKnowsNothingUntilAllOfItIsWritten(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, patronsTable)
		m := conformance.Model[patron](t, fl.Registry, dbfleet.ModelConfig{Table: "patrons", Timestamps: true})
		ctx, ann := t.Context(), patron{Name: "Ann", Visits: 1}
		require.NoError(t, m.Upsert(ctx, &ann, dbfleet.Conflict{Key: []string{"name"}}))
		ann.Visits = 2
		require.NoError(t, m.SaveColumns(ctx, &ann, "visits"))
		require.ErrorIs(t, dbfleet.SaveChanges(ctx, m, &ann), dbfleet.ErrUnread)
		require.NoError(t, m.Save(ctx, &ann))
		ann.Visits = 3
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &ann))
		got, err := m.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, 3, got.Visits)
	})
}
