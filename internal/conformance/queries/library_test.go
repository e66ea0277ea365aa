package queries

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// person and post are the rows of most query tests; see newLibrary.
type person struct {
	ID     int64
	Name   string
	Age    *int64
	City   string
	Active bool
	BossID *int64
	Posts  []post
	Boss   *person
	Latest *post
}

type post struct {
	ID       int64
	PersonID *int64
	Title    string
	Views    int64
	Author   *person
}

func at[V any](v V) *V { return &v }

// library is a fresh database with six people and six posts.
type library struct {
	conformance.Fleet
	people *dbfleet.Model[person]
	posts  *dbfleet.Model[post]
}

func newLibrary(t *testing.T, fl conformance.Fleet) library {
	t.Helper()
	fl.Create(t,
		`CREATE TABLE people (id {id}, name {text} NOT NULL, age {bigint}, city {text} NOT NULL, active {bool} NOT NULL, boss_id {bigint})`,
		`CREATE TABLE posts (id {id}, person_id {bigint}, title {text} NOT NULL, views {bigint} NOT NULL)`)
	l := library{
		Fleet:  fl,
		people: conformance.Model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "people"}),
		posts:  conformance.Model[post](t, fl.Registry, dbfleet.ModelConfig{Table: "posts"}),
	}
	require.NoError(t, l.people.CreateMany(t.Context(), []person{
		{ID: 1, Name: "ada", Age: at[int64](36), City: "london", Active: true},
		{ID: 2, Name: "bob", Age: at[int64](41), City: "paris", BossID: at[int64](1)},
		{ID: 3, Name: "cid", City: "london", Active: true, BossID: at[int64](1)},
		{ID: 4, Name: "dan", Age: at[int64](18), City: "rome", BossID: at[int64](2)},
		{ID: 5, Name: "eve", Age: at[int64](36), City: "paris", Active: true, BossID: at[int64](2)},
		{ID: 6, Name: "50%_off", Age: at[int64](0), City: `back\slash`},
	}))
	require.NoError(t, l.posts.CreateMany(t.Context(), []post{
		{ID: 1, PersonID: at[int64](1), Title: "one", Views: 10},
		{ID: 2, PersonID: at[int64](1), Title: "two", Views: 20},
		{ID: 3, PersonID: at[int64](2), Title: "three", Views: 5},
		{ID: 4, PersonID: at[int64](5), Title: "four", Views: 7},
		{ID: 5, PersonID: at[int64](5), Title: "one", Views: 9},
		{ID: 6, Title: "orphan", Views: 1},
	}))
	return l
}

// ids runs a query for people and returns their ids, sorted.
func ids(t *testing.T, q *dbfleet.Query[person]) []int64 {
	t.Helper()
	list, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []int64{}
	for _, p := range list {
		out = append(out, p.ID)
	}
	slices.Sort(out)
	return out
}

// inOrder runs a query for people and returns their ids as they come.
func inOrder(t *testing.T, q *dbfleet.Query[person]) []int64 {
	t.Helper()
	list, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []int64{}
	for _, p := range list {
		out = append(out, p.ID)
	}
	return out
}

// column runs a query for rows and returns one column as text.
func column(t *testing.T, q *dbfleet.Query[dbfleet.Row], name string) []string {
	t.Helper()
	rows, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []string{}
	for _, r := range rows {
		require.Contains(t, r, name)
		out = append(out, fmt.Sprint(r[name]))
	}
	return out
}

// idle fails unless every connection of the pool has been given back.
func idle(t *testing.T, r *dbfleet.Registry, name string) {
	t.Helper()
	require.Zero(t, r.DB(name).Pool().Stats().InUse, "a connection was not given back")
}

// sent counts the statements that reach a registry's connections.
func sent(r *dbfleet.Registry) (count func() int, last func() dbfleet.QueryEvent) {
	var mu sync.Mutex
	var list []dbfleet.QueryEvent
	r.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, e)
		return ctx
	})
	count = func() int { mu.Lock(); defer mu.Unlock(); return len(list) }
	last = func() dbfleet.QueryEvent { mu.Lock(); defer mu.Unlock(); return list[len(list)-1] }
	return count, last
}
