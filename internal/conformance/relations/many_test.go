package relations

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type song struct {
	ID     int64
	Name   string
	Genres []genre
}

type genre struct {
	ID    int64
	Name  string
	Tying *songGenre
	Songs []song
	Plays []play
}

type songGenre struct {
	SongID  int64
	GenreID *int64
	Weight  int64
}

type play struct {
	ID      int64
	GenreID int64
}

// jukebox is songs with genres.
type jukebox struct {
	*dbfleet.Registry
	songs  *dbfleet.Model[song]
	genres *dbfleet.Model[genre]
	ties   *dbfleet.Model[songGenre]
	plays  *dbfleet.Model[play]
	on     [3]string // the connections of songs, ties and genres
}

// newJukebox makes the tables of songs, ties and genres on databases of these dialects.
func newJukebox(t *testing.T, dialects [3]string, apart bool) jukebox {
	t.Helper()
	ctx := t.Context()
	connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, dialects[0]))}
	j := jukebox{on: [3]string{"main", "main", "main"}}
	if apart {
		j.on = [3]string{"main", "between", "other"}
		connections["between"] = conformance.ConnectionTo(dbtest.New(t, dialects[1]))
		connections["other"] = conformance.ConnectionTo(dbtest.New(t, dialects[2]))
	}
	j.Registry = conformance.Open(t, connections)
	for i, list := range [][]string{
		{`CREATE TABLE songs (id {id}, name {text} NOT NULL)`},
		{`CREATE TABLE song_genres (song_id {bigint} NOT NULL, genre_id {bigint}, weight {bigint} NOT NULL, UNIQUE (song_id, genre_id))`},
		{`CREATE TABLE genres (id {id}, name {text} NOT NULL)`, `CREATE TABLE plays (id {id}, genre_id {bigint} NOT NULL)`},
	} {
		for _, ddl := range list {
			_, err := j.DB(j.on[i]).ExecContext(ctx, conformance.DDL(dialects[i], ddl))
			require.NoError(t, err)
		}
	}
	j.songs = conformance.Model[song](t, j.Registry, dbfleet.ModelConfig{Table: "songs", Connection: j.on[0]})
	j.ties = conformance.Model[songGenre](t, j.Registry, dbfleet.ModelConfig{Table: "song_genres", Connection: j.on[1], PrimaryKey: []string{"song_id", "genre_id"}})
	j.genres = conformance.Model[genre](t, j.Registry, dbfleet.ModelConfig{Table: "genres", Connection: j.on[2]})
	j.plays = conformance.Model[play](t, j.Registry, dbfleet.ModelConfig{Table: "plays", Connection: j.on[2]})
	require.NoError(t, j.songs.CreateMany(ctx, []song{{ID: 1, Name: "one"}, {ID: 2, Name: "two"}, {ID: 3, Name: "three"}}))
	require.NoError(t, j.genres.CreateMany(ctx, []genre{{ID: 1, Name: "rock"}, {ID: 2, Name: "jazz"}, {ID: 3, Name: "folk"}, {ID: 4, Name: "dub"}}))
	require.NoError(t, j.plays.CreateMany(ctx, []play{{ID: 1, GenreID: 1}, {ID: 2, GenreID: 1}, {ID: 3, GenreID: 2}}))
	for _, row := range []songGenre{
		{1, at(int64(1)), 30}, {1, at(int64(2)), 20}, {1, at(int64(3)), 10}, {2, at(int64(1)), 5}, {2, at(int64(9)), 6}, {2, nil, 7}, {2, nil, 8},
	} {
		_, err := j.ties.Query().Insert(ctx, map[string]any{"song_id": row.SongID, "genre_id": row.GenreID, "weight": row.Weight})
		require.NoError(t, err)
	}
	return j
}

func (j jukebox) genresOf() dbfleet.ToManyPivot[song, genre, songGenre] {
	return dbfleet.ManyToMany(j.songs, j.genres, j.ties, dbfleet.On("song_id"), dbfleet.On("genre_id"), func(s *song) *[]genre { return &s.Genres }).
		Scope(func(q *dbfleet.Query[genre]) *dbfleet.Query[genre] { return q.OrderBy("name", "asc") })
}

func (j jukebox) songsOf() dbfleet.ToManyPivot[genre, song, songGenre] {
	return dbfleet.ManyToMany(j.genres, j.songs, j.ties, dbfleet.On("genre_id"), dbfleet.On("song_id"), func(g *genre) *[]song { return &g.Songs }).
		Scope(func(q *dbfleet.Query[song]) *dbfleet.Query[song] { return q.OrderBy("id", "asc") })
}

func genreNames(list []genre) []string {
	out := []string{}
	for _, g := range list {
		out = append(out, g.Name)
	}
	return out
}

// onJukeboxes runs a test with all tables on one connection of each kind, and with the
// three on databases of three kinds, each kind once the pivot's.
func onJukeboxes(t *testing.T, f func(t *testing.T, j jukebox, apart bool)) {
	t.Helper()
	for i, d := range dbtest.Dialects {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			f(t, newJukebox(t, [3]string{d, d, d}, false), false)
		})
		t.Run("pivot on "+d, func(t *testing.T) {
			t.Parallel()
			f(t, newJukebox(t, [3]string{dbtest.Dialects[(i+1)%3], d, dbtest.Dialects[(i+2)%3]}, true), true)
		})
	}
}

func TestManyToMany_LoadsFromBothSides(t *testing.T) {
	t.Parallel()
	onJukeboxes(t, func(t *testing.T, j jukebox, apart bool) {
		ctx := t.Context()
		sent := counted(j.Registry)
		list, err := j.songs.With(j.genresOf()).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 3, sent(), "the songs, the pivot, the genres")
		require.Equal(t, []string{"folk", "jazz", "rock"}, genreNames(list[0].Genres))
		require.Equal(t, []string{"rock"}, genreNames(list[1].Genres), "what is gone, and NULL, is no genre")
		require.NotNil(t, list[2].Genres)
		require.Empty(t, list[2].Genres)
		list[0].Genres[2].Name = "changed"
		require.Equal(t, "rock", list[1].Genres[0].Name, "each parent has its own")

		// Without an order of their own, in that of the pivot.
		byWeight := dbfleet.ManyToMany(j.songs, j.genres, j.ties, dbfleet.On("song_id"), dbfleet.On("genre_id"), func(s *song) *[]genre { return &s.Genres }).
			ScopePivot(func(q *dbfleet.Query[songGenre]) *dbfleet.Query[songGenre] {
				return q.Where("weight", ">", 10).OrderBy("weight", "asc")
			})
		s, err := j.songs.With(byWeight).Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, []string{"jazz", "rock"}, genreNames(s.Genres))
		lazy, err := byWeight.For(&s).OrderBy("name", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"jazz", "rock"}, genreNames(lazy))

		// With the rows between.
		kept := j.genresOf().KeepPivot(func(g *genre) **songGenre { return &g.Tying })
		for _, r := range []dbfleet.ToManyPivot[song, genre, songGenre]{kept, kept.Scope(func(q *dbfleet.Query[genre]) *dbfleet.Query[genre] { return q.Limit(2).Offset(1) })} {
			list, err = j.songs.With(r).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			for _, s := range list {
				for _, g := range s.Genres {
					require.Equal(t, s.ID, g.Tying.SongID)
					require.Equal(t, g.ID, *g.Tying.GenreID)
				}
			}
		}
		require.Equal(t, []string{"jazz", "rock"}, genreNames(list[0].Genres))
		require.EqualValues(t, 30, list[0].Genres[1].Tying.Weight)
		require.Empty(t, list[1].Genres)

		// Some for each parent, nested, and from the other side.
		two := j.genresOf().Scope(func(q *dbfleet.Query[genre]) *dbfleet.Query[genre] { return q.Limit(2) })
		playsOf := dbfleet.HasMany(j.genres, j.plays, dbfleet.On("genre_id"), func(g *genre) *[]play { return &g.Plays })
		list, err = j.songs.With(two.With(j.songsOf(), playsOf)).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"folk", "jazz"}, genreNames(list[0].Genres))
		require.Len(t, list[0].Genres[1].Plays, 1)
		require.Len(t, list[1].Genres[0].Songs, 2)
		require.Len(t, list[1].Genres[0].Plays, 2)
		played := dbfleet.HasManyThrough(j.genresOf(), playsOf, func(*song) *[]play { return new([]play) })
		plays, err := played.For(&list[0]).Get(ctx)
		require.NoError(t, err)
		require.Len(t, plays, 3, "a step of a relation through others")

		// As a query, and as a condition.
		before := sent()
		lazy, err = j.genresOf().For(&list[0]).Where("name", "!=", "jazz").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"folk", "rock"}, genreNames(lazy))
		require.Equal(t, map[bool]int{false: 1, true: 2}[apart], sent()-before)
		name := dbfleet.Col[string]("name")
		n, err := j.songs.Filter(j.genresOf().Has(name.Eq("rock"))).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = j.songs.Filter(j.genresOf().HasNone(name.Eq("jazz"))).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		rows, err := j.genresOf().PivotFor(&list[0]).OrderBy("weight", "asc").Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 3)

		// Records at hand, and none.
		hand := []song{{ID: 2}}
		require.NoError(t, j.genresOf().LoadInto(ctx, hand))
		require.Equal(t, []string{"rock"}, genreNames(hand[0].Genres))
		before = sent()
		require.NoError(t, j.genresOf().LoadInto(ctx, []song{{ID: 77}}))
		require.Equal(t, 1, sent()-before, "no rows, no genres to ask for")
		if apart {
			_, err = j.genresOf().MaxKeys(1).For(&list[0]).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrTooManyKeys)
		}
	})
}

// rowsOf are the genres that a stranger sees tied to a song, sorted.
func (j jukebox) rowsOf(t *testing.T, id int64) []int64 {
	t.Helper()
	list, err := j.ties.Where("song_id", "=", id).Get(t.Context())
	require.NoError(t, err)
	out := []int64{}
	for _, row := range list {
		if row.GenreID != nil {
			out = append(out, *row.GenreID)
		}
	}
	slices.Sort(out)
	return out
}

func TestManyToMany_AttachesAndDetaches(t *testing.T) {
	t.Parallel()
	onJukeboxes(t, func(t *testing.T, j jukebox, _ bool) {
		ctx := t.Context()
		genresOf := j.genresOf()
		three := song{ID: 3}
		sent := counted(j.Registry)
		n, err := genresOf.Attach(ctx, &three, genre{ID: 1}, genre{ID: 2}, genre{ID: 1})
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "given twice is attached once")
		require.Equal(t, 2, sent(), "what is there, and what is new")
		n, err = genresOf.AttachWith(ctx, &three, songGenre{Weight: 9}, genre{ID: 2}, genre{ID: 3})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, []int64{1, 2, 3}, j.rowsOf(t, 3))
		rows, err := genresOf.PivotFor(&three).OrderBy("genre_id", "asc").Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 0, rows[1].Weight, "what is there stays as it is")
		require.EqualValues(t, 9, rows[2].Weight)

		n, err = genresOf.Detach(ctx, &three, genre{ID: 2}, genre{ID: 4}, genre{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, []int64{1, 3}, j.rowsOf(t, 3))
		require.Equal(t, []int64{1, 2, 3}, j.rowsOf(t, 1), "of others nothing is touched")

		done, err := genresOf.Sync(ctx, &three, []genre{{ID: 4}, {ID: 3}, {ID: 4}})
		require.NoError(t, err)
		require.Equal(t, []genre{{ID: 4}}, done.Attached)
		require.Len(t, done.Detached, 1)
		require.EqualValues(t, 1, *done.Detached[0].GenreID)
		require.Equal(t, []int64{3, 4}, j.rowsOf(t, 3))
		done, err = genresOf.Sync(ctx, &three, []genre{{ID: 4}, {ID: 3}})
		require.NoError(t, err)
		require.Empty(t, done.Attached)
		require.Empty(t, done.Detached)
		done, err = genresOf.Sync(ctx, &three, nil)
		require.NoError(t, err)
		require.Len(t, done.Detached, 2)
		require.Empty(t, j.rowsOf(t, 3))
		require.Equal(t, []int64{1, 9}, j.rowsOf(t, 2))

		heavy := genresOf.ScopePivot(func(q *dbfleet.Query[songGenre]) *dbfleet.Query[songGenre] { return q.Where("weight", ">=", 20) })
		n, err = heavy.DetachAll(ctx, &song{ID: 1})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, []int64{3}, j.rowsOf(t, 1))
		n, err = genresOf.DetachAll(ctx, &song{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 4, n, "also what refers to NULL")

		// Nothing to do, nothing sent.
		before := sent()
		n, err = genresOf.Attach(ctx, &three)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = genresOf.Detach(ctx, &three)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, before, sent())

		// What was not saved has no key.
		var one *dbfleet.RecordError
		_, err = genresOf.Attach(ctx, &song{}, genre{ID: 1})
		require.ErrorContains(t, err, "was it saved")
		_, err = genresOf.Attach(ctx, &three, genre{ID: 1}, genre{Name: "new"})
		require.ErrorAs(t, err, &one)
		require.Equal(t, 1, one.Index)
		_, err = genresOf.Sync(ctx, &three, []genre{{Name: "new"}})
		require.ErrorAs(t, err, &one)
		_, err = genresOf.Attach(ctx, nil, genre{ID: 1})
		require.ErrorContains(t, err, "nil pointer")
		_, err = genresOf.Detach(ctx, nil, genre{ID: 1})
		require.ErrorContains(t, err, "nil pointer")
		require.Equal(t, before, sent(), "before anything is sent")

		// Many, in several statements.
		many := make([]genre, 3000)
		for i := range many {
			many[i].ID = int64(i + 1)
		}
		n, err = genresOf.Attach(ctx, &three, many...)
		require.NoError(t, err)
		require.EqualValues(t, len(many), n)
		done, err = genresOf.Sync(ctx, &three, many[:1])
		require.NoError(t, err)
		require.Len(t, done.Detached, len(many)-1)
		require.Equal(t, []int64{1}, j.rowsOf(t, 3))
	})
}

// In the transaction of the context, on the pivot's connection, which undoes it.
func TestManyToMany_SyncsInTheTransaction(t *testing.T) {
	t.Parallel()
	onJukeboxes(t, func(t *testing.T, j jukebox, _ bool) {
		undo := fmt.Errorf("undo")
		one := song{ID: 1}
		err := j.Transaction(t.Context(), j.on[1], func(ctx context.Context, _ *dbfleet.Tx) error {
			done, err := j.genresOf().Sync(ctx, &one, []genre{{ID: 4}})
			require.NoError(t, err)
			require.Len(t, done.Detached, 3)
			n, err := j.genresOf().Attach(ctx, &one, genre{ID: 4}, genre{ID: 1})
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			found, err := j.songs.With(j.genresOf()).Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, []string{"dub", "rock"}, genreNames(found.Genres))
			return undo
		})
		require.ErrorIs(t, err, undo)
		require.Equal(t, []int64{1, 2, 3}, j.rowsOf(t, 1))
	})
}
