package queries

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// asked is how many statements With sends for two parents of these keys and a
// child of each, beside that for the parents.
func asked[K any](t *testing.T, fl conformance.Fleet, name, column string, a, b K) int {
	t.Helper()
	type child struct {
		ID  int64
		Ref K
	}
	type parent struct {
		ID       int64
		Ref      K
		Children []child `db:"-"`
		Last     *child  `db:"-"`
	}
	fl.Create(t, "CREATE TABLE "+name+"_parents (id {id}, ref "+column+")", "CREATE TABLE "+name+"_children (id {id}, ref "+column+")")
	parents := conformance.Model[parent](t, fl.Registry, dbfleet.ModelConfig{Table: name + "_parents"})
	children := conformance.Model[child](t, fl.Registry, dbfleet.ModelConfig{Table: name + "_children"})
	require.NoError(t, parents.CreateMany(t.Context(), []parent{{Ref: a}, {Ref: b}}))
	require.NoError(t, children.CreateMany(t.Context(), []child{{Ref: a}, {Ref: b}, {Ref: b}}))
	count, _ := sent(fl.Registry)
	many := dbfleet.HasMany(parents, children, dbfleet.On("ref", "ref"), func(p *parent) *[]child { return &p.Children })
	last := dbfleet.HasOne(parents, children, dbfleet.On("ref", "ref"), func(p *parent) **child { return &p.Last }).
		Scope(func(q *dbfleet.Query[child]) *dbfleet.Query[child] { return q.OrderBy("id", "desc") })
	list, err := parents.With(many).OrderBy("id", "asc").Get(t.Context())
	require.NoError(t, err, name)
	require.Len(t, list[0].Children, 1, name)
	require.Len(t, list[1].Children, 2, name)
	n := count() - 1
	list, err = parents.With(last).OrderBy("id", "asc").Get(t.Context())
	require.NoError(t, err, name)
	require.EqualValues(t, 1, list[0].Last.ID, name)
	require.EqualValues(t, 3, list[1].Last.ID, name)
	require.Equal(t, n+3, count(), "the last of them in one: %s", name)
	return n
}

// truth 312
//
// Where Go knows of the keys that they are equal, each relation is one statement;
// where it cannot know, the database is asked once more, or in another way at once.
func TestRelation_AsksOnceWhereGoCanTell(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		noon := time.Date(2024, 5, 1, 12, 0, 0, 123456000, time.UTC)
		d := fl.Database.Dialect
		require.Equal(t, 1, asked(t, fl, "ints", "{bigint}", int64(1), int64(2)))
		require.Equal(t, 1, asked(t, fl, "pointers", "{int}", at(int32(1)), at(int32(2))))
		require.Equal(t, 1, asked(t, fl, "unsigned", "{bigint}", uint64(1), uint64(2)))
		require.Equal(t, 1, asked(t, fl, "texts", "{text}", "ada", "bob"))
		require.Equal(t, 1, asked(t, fl, "texts_maybe", "{text}", at("ada"), at("bob")))
		require.Equal(t, 1, asked(t, fl, "long", "{long}", "ada", "bob"))
		require.Equal(t, 1, asked(t, fl, "uuids", "{uuid}", [16]byte{1}, [16]byte{2}))
		require.Equal(t, 1, asked(t, fl, "uuid_texts", "{uuid}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"))
		require.Equal(t, 1, asked(t, fl, "bytes", "{bytes}", []byte{1, 0xff}, []byte{2, 0xff}))
		require.Equal(t, 1, asked(t, fl, "floats", "{float}", 0.25, 1e10))
		require.Equal(t, 1, asked(t, fl, "times", "{time}", noon, noon.Add(time.Microsecond)))
		require.Equal(t, 1, asked(t, fl, "bools", "{bool}", true, false))
		require.Equal(t, 1, asked(t, fl, "cases", "VARCHAR(9)"+map[string]string{"mysql": " COLLATE utf8mb4_bin"}[d], "ada", "ADA"), "the keys say at once that the database must be asked which")
		require.Equal(t, 1, asked(t, fl, "accents", "VARCHAR(9)"+map[string]string{"mysql": " COLLATE utf8mb4_bin"}[d], "é", "e"))
		require.Equal(t, 2, asked(t, fl, "decimals", "DECIMAL(5,2)", "1.50", "2.50"), "texts in a column for numbers")
		require.Equal(t, 2, asked(t, fl, "days", "{date}", noon.Truncate(24*time.Hour), noon.Truncate(24*time.Hour).Add(24*time.Hour)))
	})
}

// failing is a text that cannot be stored when it is "broken".
type failing string

func (f failing) Value() (driver.Value, error) {
	if f == "broken" {
		return nil, errors.New("this key cannot be told")
	}
	return string(f), nil
}

// truth 307
func TestRelation_KeyThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type child struct {
			ID  int64
			Ref string
		}
		type parent struct {
			ID       int64
			Code     failing
			Children []child `db:"-"`
		}
		fl.Create(t, "CREATE TABLE parents (id {id}, code {text})", "CREATE TABLE children (id {id}, ref {text})", "INSERT INTO parents (code) VALUES ('fine'), ('broken')")
		parents := conformance.Model[parent](t, fl.Registry, dbfleet.ModelConfig{Table: "parents"})
		children := conformance.Model[child](t, fl.Registry, dbfleet.ModelConfig{Table: "children"})
		of := dbfleet.HasMany(parents, children, dbfleet.On("ref", "code"), func(p *parent) *[]child { return &p.Children })
		list, err := parents.Query().OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		_, err = of.For(&list[1]).Get(t.Context())
		require.ErrorContains(t, err, "this key cannot be told")
		_, err = parents.With(of).Get(t.Context())
		require.ErrorContains(t, err, "this key cannot be told")
		require.ErrorContains(t, err, `"parents"`)
		_, err = parents.With(of).Find(t.Context(), list[0].ID)
		require.NoError(t, err)
	})
}

// truth 315, 316
func TestRelation_ReadsOneOfVeryManyChildren(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLibrary(t, fl)
		for range 12 { // 4,096 times as many
			_, err := fl.DB("main").ExecContext(ctx, "INSERT INTO posts (id, person_id, title, views) SELECT id + (SELECT MAX(id) FROM posts), person_id, title, views FROM posts")
			require.NoError(t, err)
		}
		rows := map[string]int64{}
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { rows[fmt.Sprint(len(rows))] = e.Rows })
		list, err := l.people.With(latestOf(l), postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(2) })).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 6)
		require.Equal(t, map[string]int64{"0": 6, "1": 3, "2": 6}, rows)
	})
}
