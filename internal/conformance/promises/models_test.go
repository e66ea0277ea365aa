package promises

import (
	"context"
	"database/sql"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise 6
func TestPromise06_AModelsConnectionRoutesAllItsOperations(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db") // and not on the default
		members := e.members()
		var went []string
		e.OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { went = append(went, q.Route.Connection) })

		ada := guideUser{Name: "Ada", Email: "a"}
		require.NoError(t, members.Create(ctx, &ada))
		require.NoError(t, members.CreateMany(ctx, []guideUser{{Name: "B", Email: "b"}, {Name: "C", Email: "c"}}))
		require.NoError(t, members.Upsert(ctx, &guideUser{Name: "D", Email: "d"}, dbfleet.Conflict{Key: []string{"email"}}))
		ada.Name = "Ada L."
		require.NoError(t, members.Save(ctx, &ada))
		_, err := members.Find(ctx, ada.ID)
		require.NoError(t, err)
		_, err = members.Where("name", "=", "B").Update(ctx, dbfleet.Row{"is_admin": true})
		require.NoError(t, err)
		n, err := members.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		require.NoError(t, members.Delete(ctx, &ada))
		deleted, err := members.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, deleted)
		require.NotEmpty(t, went)
		for _, c := range went {
			require.Equal(t, "users_db", c)
		}
	})
}

// promise 7
func TestPromise07_CreateSaveFindWhereFirstAllDelete(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		members := e.members()
		john := guideUser{Name: "John", Email: "john@example.com"}
		require.NoError(t, members.Create(ctx, &john))
		require.Positive(t, john.ID)
		require.False(t, john.CreatedAt.IsZero())

		john.IsAdmin = true
		require.NoError(t, members.Save(ctx, &john))
		user, err := members.Find(ctx, john.ID)
		require.NoError(t, err)
		require.Equal(t, john, user)
		admins, err := members.Where("is_admin", "=", 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []guideUser{john}, admins)
		first, err := members.OrderBy("id", dbfleet.Asc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, john, first)
		all, err := members.Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)

		same, err := members.Where("id", "=", john.ID).Update(ctx, dbfleet.Row{"name": "John", "updated_at": john.UpdatedAt})
		require.NoError(t, err)
		require.EqualValues(t, 1, same, "rows that matched, also where nothing changed")
		require.NoError(t, members.Delete(ctx, &john))
		_, err = members.Find(ctx, john.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorIs(t, err, sql.ErrNoRows)
	})
}

// promise 8
func TestPromise08_FillableTimestampsAndMethods(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		members := e.members()
		jane, err := members.CreateFrom(ctx, map[string]any{"name": "Jane", "email": "jane@example.com"})
		require.NoError(t, err)
		require.Equal(t, "Hello Jane", jane.Greeting())
		_, err = members.CreateFrom(ctx, map[string]any{"name": "Eve", "is_admin": true})
		var refused *dbfleet.NotFillableError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "is_admin", refused.Column)

		created, updated := jane.CreatedAt, jane.UpdatedAt
		require.WithinDuration(t, time.Now(), created, time.Minute)
		require.NoError(t, members.Save(ctx, &jane))
		found, err := members.Find(ctx, jane.ID)
		require.NoError(t, err)
		require.Equal(t, created, found.CreatedAt)
		require.False(t, found.UpdatedAt.Before(updated))
		require.Equal(t, jane.UpdatedAt, found.UpdatedAt)
		require.EqualValues(t, 1, e.count("users_db", "members"))
	})
}

// promise 9
func TestPromise09_AnotherConnectionForOneOperation(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "main", "analytics")
		visits := conformance.Model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Timestamps: true})
		for i := range 3 {
			require.NoError(t, visits.DB("analytics").Create(ctx, &guideEvent{EventType: "purchase", MemberID: int64(i)}))
		}
		require.NoError(t, visits.Create(ctx, &guideEvent{EventType: "login"}))

		bought, err := visits.DB("analytics").Where("event_type", "=", "purchase").OrderBy("created_at", dbfleet.Desc).Limit(100).Get(ctx)
		require.NoError(t, err)
		require.Len(t, bought, 3)
		all, err := visits.Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1, "the model is as it was")
	})
}

// promise 10
func TestPromise10_RelationsAcrossDatabases(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		// Visits live in a database of another kind.
		other := dbtest.Dialects[(slices.Index(dbtest.Dialects, e.dialect)+1)%3]
		require.NoError(t, e.Add("analytics", conformance.ConnectionTo(dbtest.New(t, other))))
		t.Cleanup(func() { require.NoError(t, e.Remove(context.Background(), "analytics")) })
		e.create(membersTable, "users_db")
		e.create(articlesTable, "users_db")
		e.create(visitsTable, "analytics")

		members := e.members()
		articles := conformance.Model[guidePost](t, e.Registry, dbfleet.ModelConfig{Table: "articles", Connection: "users_db"})
		visits := conformance.Model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "analytics", Timestamps: true})
		articlesOf := dbfleet.HasMany(members, articles, dbfleet.On("member_id"), func(m *guideUser) *[]guidePost { return &m.Articles })
		visitsOf := dbfleet.HasMany(members, visits, dbfleet.On("member_id"), func(m *guideUser) *[]guideEvent { return &m.Visits })
		author := dbfleet.BelongsTo(articles, members, dbfleet.On("member_id"), func(a *guidePost) **guideUser { return &a.Author })

		both := []guideUser{{Name: "Ada", Email: "a"}, {Name: "Bob", Email: "b"}}
		require.NoError(t, members.CreateMany(ctx, both))
		require.NoError(t, articles.CreateMany(ctx, []guidePost{{MemberID: both[0].ID, Title: "x"}, {MemberID: both[0].ID, Title: "y"}}))
		require.NoError(t, visits.CreateMany(ctx, []guideEvent{{EventType: "login", MemberID: both[1].ID}}))

		var statements atomic.Int64 // relations of several connections are loaded at once
		e.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { statements.Add(1) })
		list, err := members.OrderBy("id", dbfleet.Asc).With(articlesOf, visitsOf).Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, statements.Load(), "one for each relation, however many parents")
		require.Len(t, list[0].Articles, 2)
		require.Empty(t, list[0].Visits)
		require.Empty(t, list[1].Articles)
		require.Equal(t, "login", list[1].Visits[0].EventType)

		y, err := articles.Where("title", "=", "y").With(author).First(ctx)
		require.NoError(t, err)
		require.Equal(t, "Ada", y.Author.Name)
		n, err := visitsOf.For(&both[1]).Where("event_type", "=", "login").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// promise 29
func TestPromise29_ModelsByConnection(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db", "analytics"}, func(t *testing.T, e estate) {
		e.members()
		conformance.Model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "analytics"})
		conformance.Model[conformance.Purchase](t, e.Registry, dbfleet.ModelConfig{
			Table: "purchases", Shard: dbfleet.ShardBy("user_id", func(int64) string { return "main" }),
		})
		driver := dbfleet.Driver(e.dialect)
		list := e.Describe()
		require.Len(t, list, 3)
		require.Equal(t, "user_id", list[0].ShardKey)
		require.Equal(t, []string{"analytics", "users_db"}, []string{list[1].Connection, list[2].Connection})
		require.Equal(t, []dbfleet.Driver{driver, driver}, []dbfleet.Driver{list[1].Driver, list[2].Driver})
		require.Equal(t, "visits", list[1].Table)
		require.Equal(t, []string{"id"}, list[2].PrimaryKey)

		_, err := dbfleet.NewModel[guideEvent](e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "nowhere"})
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
	})
}
