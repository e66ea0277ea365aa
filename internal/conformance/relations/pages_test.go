package relations

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// The mark of a cursor is what its query asks for, on one connection and on three, and not
// the keys that other connections have answered with.
func TestCursorPage_GoesOnWhileWhatIsRelatedChanges(t *testing.T) {
	t.Parallel()
	onJukeboxes(t, func(t *testing.T, j jukebox, _ bool) {
		ctx := t.Context()
		songsOf, genresOf := j.songsOf(), j.genresOf()
		rock, jazz := genre{ID: 1}, genre{ID: 2}
		of := func(g *genre) *dbfleet.Query[song] { return songsOf.For(g).OrderBy("id", dbfleet.Asc) }
		first, err := dbfleet.CursorPage(ctx, of(&rock), dbfleet.Cursor{Size: 1})
		require.NoError(t, err)
		require.EqualValues(t, 1, first.Items[0].ID)
		n, err := songsOf.Attach(ctx, &rock, song{ID: 3})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		rest, err := dbfleet.CursorPage(ctx, of(&rock), dbfleet.Cursor{Size: 5, After: first.Next})
		require.NoError(t, err)
		require.Len(t, rest.Items, 2, "songs 2 and 3")
		back, err := dbfleet.CursorPage(ctx, of(&rock), dbfleet.Cursor{Size: 5, Before: rest.Previous})
		require.NoError(t, err)
		require.Len(t, back.Items, 1)

		name := dbfleet.Col[string]("name")
		having := j.songs.Filter(genresOf.Has(name.Eq("rock"))).OrderBy("id", dbfleet.Asc)
		page, err := dbfleet.CursorPage(ctx, having, dbfleet.Cursor{Size: 1})
		require.NoError(t, err)
		_, err = genresOf.DetachAll(ctx, &page.Items[0])
		require.NoError(t, err)
		page, err = dbfleet.CursorPage(ctx, having, dbfleet.Cursor{Size: 5, After: page.Next})
		require.NoError(t, err)
		require.Len(t, page.Items, 2)

		for what, q := range map[string]*dbfleet.Query[song]{
			"another parent":    of(&jazz),
			"another condition": j.songs.Filter(genresOf.Has(name.Eq("jazz"))).OrderBy("id", dbfleet.Asc),
			"the contrary":      j.songs.Filter(genresOf.HasNone(name.Eq("rock"))).OrderBy("id", dbfleet.Asc),
			"none":              j.songs.OrderBy("id", dbfleet.Asc),
		} {
			for _, after := range []string{first.Next, page.Next} {
				_, err = dbfleet.CursorPage(ctx, q, dbfleet.Cursor{Size: 5, After: after})
				require.ErrorIs(t, err, dbfleet.ErrCursor, what)
			}
		}
	})
}
