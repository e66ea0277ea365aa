package promises

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const (
	membersTable = `CREATE TABLE members (id {id}, name {text} NOT NULL, email {text} NOT NULL UNIQUE, is_admin {bool} NOT NULL,
		created_at {time} NOT NULL, updated_at {time} NOT NULL)`
	articlesTable = `CREATE TABLE articles (id {id}, member_id {bigint} NOT NULL, title {text} NOT NULL)`
	visitsTable   = `CREATE TABLE visits (id {id}, event_type {text} NOT NULL, member_id {bigint} NOT NULL, created_at {time} NOT NULL)`
)

// What docs/promises.md promises, one test for each, on all three databases.

type guideUser struct {
	ID                   int64
	Name, Email          string
	IsAdmin              bool
	CreatedAt, UpdatedAt time.Time

	Articles []guidePost
	Visits   []guideEvent
}

// Greeting is a method of the model.
func (m *guideUser) Greeting() string { return "Hello " + m.Name }

type guidePost struct {
	ID, MemberID int64
	Title        string
	Author       *guideUser
}

type guideEvent struct {
	ID        int64
	EventType string
	MemberID  int64
	CreatedAt time.Time
}

// estate is a registry of several connections, each a database of its own.
type estate struct {
	*dbfleet.Registry
	t       *testing.T
	dialect string
}

// onEachEstate runs f on fresh databases of every kind, one for each name. The
// first is the default.
func onEachEstate(t *testing.T, names []string, f func(t *testing.T, e estate)) {
	t.Helper()
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			config := dbfleet.Config{Default: names[0], Connections: map[string]dbfleet.ConnectionConfig{}}
			for _, name := range names {
				config.Connections[name] = conformance.ConnectionTo(dbtest.New(t, dialect))
			}
			r, err := dbfleet.Open(config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			f(t, estate{r, t, dialect})
		})
	}
}

// create runs a statement written with {types} on connections.
func (e estate) create(statement string, connections ...string) {
	e.t.Helper()
	for _, name := range connections {
		db := e.DB(name)
		_, err := db.ExecContext(context.Background(), conformance.DDL(string(db.Driver()), statement))
		require.NoError(e.t, err, name)
	}
}

// count is how many rows a table of a connection has.
func (e estate) count(connection, table string) int64 {
	e.t.Helper()
	n, err := e.DB(connection).Table(table).Primary().Count(e.t.Context())
	require.NoError(e.t, err)
	return n
}

func (e estate) members() *dbfleet.Model[guideUser] {
	return conformance.Model[guideUser](e.t, e.Registry, dbfleet.ModelConfig{
		Table: "members", Connection: "users_db", Fillable: []string{"name", "email"}, Timestamps: true,
	})
}

// fill puts purchases of three users into a connection: 1, 2 and 3 of them.
func (e estate) fill(connection string) {
	e.t.Helper()
	e.create(conformance.PurchasesTable, connection)
	for user := range 3 {
		for n := range user + 1 {
			_, err := e.DB(connection).Table("purchases").Insert(e.t.Context(), dbfleet.Row{"user_id": user + 1, "total": 10 * (n + 1)})
			require.NoError(e.t, err)
		}
	}
}
