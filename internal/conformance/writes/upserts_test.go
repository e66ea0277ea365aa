package writes

import (
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

var errUnsendable = errors.New("this value cannot be sent")

// unsendable is a number whose Value fails if it is bad.
type unsendable struct{ bad bool }

func (u unsendable) Value() (driver.Value, error) {
	if u.bad {
		return nil, errUnsendable
	}
	return 1.0, nil
}

func (u *unsendable) Scan(any) error { return nil }

// member is upserted by its email.
type member struct {
	ID                   int64
	Email                string
	Name                 string
	Visits               int
	CreatedAt, UpdatedAt time.Time
}

func members(t *testing.T, fl conformance.Fleet) *dbfleet.Model[member] {
	t.Helper()
	fl.Create(t, `CREATE TABLE members (id {id}, email VARCHAR(50) NOT NULL UNIQUE, name {text} NOT NULL, visits {int} NOT NULL,
		created_at {time} NOT NULL, updated_at {time} NOT NULL)`)
	return conformance.Model[member](t, fl.Registry, dbfleet.ModelConfig{Table: "members", Timestamps: true})
}

var byEmail = dbfleet.Conflict{Key: []string{"email"}}

// hazard 105, hazard 108, promise 20: the record gets the id of the row, be it new,
// changed or unchanged; the row is updated in place.
func TestUpsert_GivesTheRowsID(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		fl.Create(t, `CREATE TABLE letters (id {id}, member_id {bigint} NOT NULL REFERENCES members (id) ON DELETE CASCADE)`)
		other := member{Email: "z", Name: "Z"}
		require.NoError(t, m.Create(ctx, &other))
		first := member{Email: "a", Name: "A", Visits: 1}
		require.NoError(t, m.Upsert(ctx, &first, byEmail))
		require.Greater(t, first.ID, other.ID)
		_, err := fl.DB("main").Table("letters").Insert(ctx, map[string]any{"member_id": first.ID})
		require.NoError(t, err)

		changed := member{Email: "a", Name: "AA", Visits: 0}
		require.NoError(t, m.Upsert(ctx, &changed, byEmail))
		require.Equal(t, first.ID, changed.ID)
		got, err := m.Find(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, "AA", got.Name)
		require.Zero(t, got.Visits, "zero values are written")
		require.Equal(t, first.CreatedAt, got.CreatedAt, "the row is older than this upsert")
		require.True(t, got.UpdatedAt.After(first.UpdatedAt))
		n, err := fl.DB("main").Table("letters").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the row was not deleted in between")

		same := got
		same.ID = 0
		require.NoError(t, m.Upsert(ctx, &same, byEmail), "nothing but updated_at changes")
		require.Equal(t, first.ID, same.ID)
		unchanged := member{Email: "a", Name: "ignored"}
		require.NoError(t, m.Upsert(ctx, &unchanged, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Equal(t, first.ID, unchanged.ID)
		fresh := member{Email: "b", Name: "B"}
		require.NoError(t, m.Upsert(ctx, &fresh, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Greater(t, fresh.ID, first.ID)

		own := member{ID: 900, Email: "a", Name: "own id"}
		require.NoError(t, m.Upsert(ctx, &own, byEmail))
		require.Equal(t, first.ID, own.ID, "the row keeps its id, the record takes it")
		own = member{ID: 901, Email: "own", Name: "own id"}
		require.NoError(t, m.Upsert(ctx, &own, byEmail))
		require.EqualValues(t, 901, own.ID)
		own.Name = "by id"
		require.NoError(t, m.Upsert(ctx, &own, dbfleet.Conflict{}), "by the primary key")
		got, err = m.Find(ctx, 901)
		require.NoError(t, err)
		require.Equal(t, "by id", got.Name)

		partly := member{Email: "a", Name: "not this", Visits: 9}
		require.NoError(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"visits"}}))
		got, err = m.Find(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, 9, got.Visits)
		require.Equal(t, "own id", got.Name)
		require.Equal(t, partly.UpdatedAt, got.UpdatedAt, "updated_at always is")

		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"mail"}}), &unknown)
		require.ErrorAs(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Update: []string{"mail"}}), &unknown)
		if fl.Database.Dialect != "mysql" { // hazard 107: which decides by whatever unique key there is
			require.Error(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"name"}}), "there is no such unique key")
		}
	})
}

// hazard 68, hazard 106: the same key twice in a batch is refused on all databases,
// whatever the chunks; several new and old rows get their ids.
func TestUpsertMany_RefusesTheSameKeyTwice(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		many := []member{{Email: "a"}, {Email: "b"}, {Email: "c"}}
		require.NoError(t, m.UpsertMany(ctx, many, byEmail))
		again := []member{{Email: "new"}, {Email: "b", Name: "bb"}, {ID: 500, Email: "n2"}, {Email: "a", Name: "aa"}}
		require.NoError(t, m.UpsertMany(ctx, again, byEmail))
		require.Equal(t, many[1].ID, again[1].ID)
		require.Equal(t, many[0].ID, again[3].ID)
		for _, want := range again {
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want.Email, got.Email)
			require.Equal(t, want.Name, got.Name)
		}
		nothing := []member{{Email: "c"}, {Email: "x"}, {Email: "a"}}
		require.NoError(t, m.UpsertMany(ctx, nothing, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Equal(t, many[2].ID, nothing[0].ID)
		require.Equal(t, many[0].ID, nothing[2].ID)
		require.Positive(t, nothing[1].ID)

		counts := conformance.Statements(t, fl.Registry)
		twice := make([]member, 2500)
		for i := range twice {
			twice[i].Email = string(rune('ā' + i))
		}
		twice[2400].Email = twice[3].Email
		err := m.UpsertMany(ctx, twice, byEmail)
		var refused *dbfleet.StatementError
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "records 3 and 2400 have the same key")
		require.Empty(t, counts())
		require.Zero(t, twice[0].CreatedAt, "an error leaves the records as they were")

		failing := []member{{Email: "q1"}, {ID: many[0].ID, Email: "q2"}} // the second meets another unique key
		if fl.Database.Dialect != "mysql" {
			require.ErrorIs(t, m.UpsertMany(ctx, failing, byEmail), dbfleet.ErrUnique)
			ok, err := m.Where("email", "=", "q1").Exists(ctx)
			require.NoError(t, err)
			require.False(t, ok, "all or none")
		}
	})
}

// A key that is no generated number.
func TestUpsert_OfOtherKeys(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE tags (id VARCHAR(20) PRIMARY KEY, slug VARCHAR(20) NOT NULL UNIQUE, n {int})`,
			`CREATE TABLE links (a {int}, b {int}, PRIMARY KEY (a, b))`)
		type tag struct {
			ID   string
			Slug string
			N    int
		}
		tags := conformance.Model[tag](t, fl.Registry, dbfleet.ModelConfig{Table: "tags"})
		require.NoError(t, tags.Create(ctx, &tag{"first", "go", 1}))
		for _, conflict := range []dbfleet.Conflict{{Key: []string{"slug"}}, {Key: []string{"slug"}, DoNothing: true}} {
			many := []tag{{"second", "go", 2}, {"third" + map[bool]string{true: "!"}[conflict.DoNothing], "sql" + map[bool]string{true: "!"}[conflict.DoNothing], 3}}
			require.NoError(t, tags.UpsertMany(ctx, many, conflict))
			require.Equal(t, "first", many[0].ID, "the record has the key of the row that is there")
			got, err := tags.Find(ctx, many[1].ID)
			require.NoError(t, err)
			require.Equal(t, many[1], got)
		}
		type link struct{ A, B int }
		links := conformance.Model[link](t, fl.Registry, dbfleet.ModelConfig{Table: "links", PrimaryKey: []string{"a", "b"}})
		for range 2 {
			require.NoError(t, links.UpsertMany(ctx, []link{{1, 1}, {1, 2}}, dbfleet.Conflict{}), "there is nothing to update")
		}
		n, err := links.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
