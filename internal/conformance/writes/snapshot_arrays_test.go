package writes

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type heldTags struct {
	dbfleet.Snapshot
	ID      int64
	Tags    []string `db:"tags"`
	Numbers *[]int64 `db:"numbers"`
}

// truth 710: a change of an array is a change, and what was not changed is none.
func TestSnapshot_SeesTheChangeOfAnArray(t *testing.T) {
	t.Parallel()
	fl := conformance.OnPostgres(t)
	fl.Create(t, "CREATE TABLE held_tags (id {id}, tags text[], numbers bigint[])")
	m := conformance.Model[heldTags](t, fl.Registry, dbfleet.ModelConfig{Table: "held_tags"})
	stored := func() (text string) {
		require.NoError(t, fl.DB("main").QueryRowContext(t.Context(),
			"SELECT concat(tags::text, ' ', coalesce(numbers::text, 'null')) FROM held_tags").Scan(&text))
		return text
	}
	r := heldTags{Tags: []string{"a"}}
	require.NoError(t, m.Create(t.Context(), &r))
	for _, c := range []struct {
		change func(r *heldTags)
		column string
		want   string
	}{
		{func(r *heldTags) { r.Tags = []string{"b"} }, "tags", "{b} null"},
		{func(r *heldTags) { r.Tags[0] = "c" }, "tags", "{c} null"},
		{func(r *heldTags) { r.Tags = append(r.Tags, "d") }, "tags", "{c,d} null"},
		{func(r *heldTags) { r.Numbers = &[]int64{1} }, "numbers", "{c,d} {1}"},
		{func(r *heldTags) { (*r.Numbers)[0] = 2 }, "numbers", "{c,d} {2}"},
		{func(r *heldTags) { r.Numbers = nil }, "numbers", "{c,d} null"},
	} {
		c.change(&r)
		changed, err := dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Equal(t, []string{c.column}, changed)
		require.NoError(t, dbfleet.SaveChanges(t.Context(), m, &r))
		require.Equal(t, c.want, stored())
		r, err = m.Find(t.Context(), r.ID)
		require.NoError(t, err)
		changed, err = dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Empty(t, changed)
	}
}

type calledTags struct {
	ID   int64
	Name string
	Tags []string `db:"tags"`
}

func (c *calledTags) BeforeUpdate(context.Context) error {
	c.Tags = []string{"called"}
	return nil
}

// truth 704: what a callback changes is written too.
func TestSaveColumns_WritesTheArrayThatACallbackHasChanged(t *testing.T) {
	t.Parallel()
	fl := conformance.OnPostgres(t)
	fl.Create(t, "CREATE TABLE called_tags (id {id}, name {text} NOT NULL, tags text[])")
	m := conformance.Model[calledTags](t, fl.Registry, dbfleet.ModelConfig{Table: "called_tags"})
	r := calledTags{Name: "x", Tags: []string{"a"}}
	require.NoError(t, m.Create(t.Context(), &r))
	r.Name = "y"
	require.NoError(t, m.SaveColumns(t.Context(), &r, "name"))
	found, err := m.Find(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, found)
}

// onlyRead can be read and not written.
type onlyRead string

func (o *onlyRead) Scan(v any) error { *o = onlyRead(fmt.Sprint(v)); return nil }

type heldOnlyRead struct {
	dbfleet.Snapshot
	ID   int64
	Name string
	Loud onlyRead
}

// truth 710: the change of a field that cannot be written is told; others are saved without it.
func TestSnapshot_TellsTheChangeOfAFieldThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, "CREATE TABLE held (id {id}, name {text}, loud {text})", "INSERT INTO held (name, loud) VALUES ('a', 'b')")
	m := conformance.Model[heldOnlyRead](t, fl.Registry, dbfleet.ModelConfig{Table: "held"})
	r, err := m.Find(t.Context(), 1)
	require.NoError(t, err)
	r.Name = "c"
	require.NoError(t, dbfleet.SaveChanges(t.Context(), m, &r))
	r.Loud = "changed"
	changed, err := dbfleet.Changed(m, &r)
	require.NoError(t, err)
	require.Equal(t, []string{"loud"}, changed)
	require.Error(t, dbfleet.SaveChanges(t.Context(), m, &r))
}
