package writes

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Stamps are what records embed by a pointer.
type Stamps struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time
}

type stampedNote struct {
	*Stamps
	Title string
}

// "On an error the record is as it was before", also behind a pointer that a copy of
// the record shares with it.
func TestWrites_ThatFailLeaveEmbeddedStructsAsTheyWere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE notes (id {id}, title VARCHAR(50) NOT NULL UNIQUE, created_at {time}, updated_at {time})`)
		notes := conformance.Model[stampedNote](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", Timestamps: true})
		ctx := t.Context()
		require.NoError(t, notes.Create(ctx, &stampedNote{Title: "taken"}))
		require.NoError(t, notes.Create(ctx, &stampedNote{Title: "stored"}))
		for name, write := range map[string]func(ctx context.Context, list []stampedNote) error{
			"Create": func(ctx context.Context, list []stampedNote) error {
				list[0].Title = "taken"
				return notes.Create(ctx, &list[0])
			},
			"Save": func(ctx context.Context, list []stampedNote) error {
				list[2].Title = "taken"
				return notes.Save(ctx, &list[2])
			},
			"CreateMany": func(ctx context.Context, list []stampedNote) error {
				list[1].Title = "taken"
				return notes.CreateMany(ctx, list[:2])
			},
		} {
			stored, err := notes.Where("title", "=", "stored").First(ctx)
			require.NoError(t, err)
			list := []stampedNote{{&Stamps{}, "a"}, {nil, "b"}, stored}
			stamps, was := list[0].Stamps, *stored.Stamps
			require.ErrorIs(t, write(ctx, list), dbfleet.ErrUnique, name)
			require.Same(t, stamps, list[0].Stamps, name)
			require.Equal(t, Stamps{}, *stamps, name)
			require.Nil(t, list[1].Stamps, name)
			require.Same(t, stored.Stamps, list[2].Stamps, name)
			require.Equal(t, was, *stored.Stamps, name)
		}
		list := []stampedNote{{&Stamps{}, "x"}, {&Stamps{}, "y"}}
		_, err := notes.Load(ctx, slices.Values(list))
		require.NoError(t, err)
		require.Equal(t, []stampedNote{{&Stamps{}, "x"}, {&Stamps{}, "y"}}, list, "Load takes copies")
	})
}

// truth 721
func TestFill_ThatFailsLeavesEmbeddedStructsAsTheyWere(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	type numbered struct {
		*Stamps
		Title  string
		Number int64
	}
	m := conformance.Model[numbered](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", Fillable: []string{"created_at", "number", "title"}})
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	record := numbered{Stamps: &Stamps{ID: 7, CreatedAt: at}, Title: "before"}
	stamps := record.Stamps
	require.ErrorIs(t, m.Fill(&record, map[string]any{"created_at": at.Add(time.Hour), "number": "abc", "title": "after"}), dbfleet.ErrType)
	require.Equal(t, numbered{Stamps: &Stamps{ID: 7, CreatedAt: at}, Title: "before"}, record)
	var without numbered
	require.Error(t, m.Fill(&without, map[string]any{"created_at": at, "number": "abc"}))
	require.Nil(t, without.Stamps)
	require.NoError(t, m.Fill(&record, map[string]any{"created_at": at.Add(time.Hour), "number": "12"}))
	require.Same(t, stamps, record.Stamps, "it is filled in its place")
	require.Equal(t, numbered{Stamps: &Stamps{ID: 7, CreatedAt: at.Add(time.Hour)}, Title: "before", Number: 12}, record)
}
