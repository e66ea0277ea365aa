package writes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type user struct {
	ID                   int64
	Name                 string
	Email                *string
	IsAdmin              bool
	Age                  int
	CreatedAt, UpdatedAt time.Time
}

const usersTable = `CREATE TABLE users (id {id}, name {text} NOT NULL, email {text} UNIQUE, is_admin {bool} NOT NULL,
	age {int} NOT NULL, created_at {time} NOT NULL, updated_at {time} NOT NULL)`

// promise 7: create, save, find, where, first, all and delete on a model.
func TestModel_CreatesFindsSavesAndDeletes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, usersTable)
		users := conformance.Model[user](t, fl.Registry, dbfleet.ModelConfig{Table: "users", Timestamps: true, Fillable: []string{"name"}})

		ada := user{Name: "Ada", Age: 36}
		require.NoError(t, users.Create(ctx, &ada))
		require.Positive(t, ada.ID)
		require.WithinDuration(t, time.Now(), ada.CreatedAt, time.Minute)

		got, err := users.Find(ctx, ada.ID)
		require.NoError(t, err)
		require.Equal(t, ada, got)

		got.Name, got.IsAdmin = "Ada Lovelace", true
		require.NoError(t, users.Save(ctx, &got))
		again, err := users.Where("is_admin", "=", 1).First(ctx)
		require.NoError(t, err)
		require.Equal(t, got, again)

		many := []user{{Name: "a"}, {Name: "b"}, {Name: "c"}}
		require.NoError(t, users.CreateMany(ctx, many))
		for _, u := range many {
			found, err := users.Find(ctx, u.ID)
			require.NoError(t, err)
			require.Equal(t, u, found)
		}
		n, err := users.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)

		require.NoError(t, users.Delete(ctx, &ada))
		_, err = users.Find(ctx, ada.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorIs(t, users.Delete(ctx, &ada), dbfleet.ErrNotFound)
		require.ErrorIs(t, users.Save(ctx, &ada), dbfleet.ErrNotFound)
	})
}

// note has timestamps of other names.
type note struct {
	ID               int64
	Text             string
	Written, Changed time.Time
}

func TestTimestamps_MayHaveNamesOfOnesOwn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE notes (id {id}, text {text} NOT NULL, written {time} NOT NULL, changed {time} NOT NULL)`)
		config := dbfleet.ModelConfig{Table: "notes", Timestamps: true, CreatedAt: "written", UpdatedAt: "changed"}
		notes := conformance.Model[note](t, fl.Registry, config)
		n := note{Text: "a"}
		require.NoError(t, notes.Create(ctx, &n))
		require.False(t, n.Written.IsZero() || n.Changed.IsZero())
		written := n.Written
		n.Written = n.Written.AddDate(-1, 0, 0)
		require.NoError(t, notes.Save(ctx, &n))
		got, err := notes.Find(ctx, n.ID)
		require.NoError(t, err)
		require.Equal(t, written, got.Written, "a save does not write it")
		_, err = notes.Where("id", "=", n.ID).Update(ctx, dbfleet.Row{"changed": written.AddDate(-1, 0, 0)})
		require.NoError(t, err)
		_, err = notes.Where("id", "=", n.ID).Update(ctx, dbfleet.Row{"text": "b"})
		require.NoError(t, err)
		require.NoError(t, notes.Refresh(ctx, &n))
		require.False(t, n.Changed.Before(written))

		var fault *dbfleet.ModelError
		config.UpdatedAt = "nope"
		_, err = dbfleet.NewModel[note](fl.Registry, config)
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "UpdatedAt", fault.Key)
		_, err = dbfleet.NewModel[note](fl.Registry, dbfleet.ModelConfig{Table: "notes", CreatedAt: "written"})
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "Timestamps", fault.Key)
	})
}
