package relations

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestToggle_AttachesWhatIsNotThereAndDetachesWhatIs(t *testing.T) {
	t.Parallel()
	for _, soft := range []string{"", "deleted_at"} {
		t.Run("soft "+soft, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				ctx := t.Context()
				l := newLabels(t, fl, soft)
				of := l.of(l.articles, "article")
				one := shown{ID: 1}
				_, err := l.of(l.films, "film").Attach(ctx, &one, label{ID: 1}, label{ID: 2})
				require.NoError(t, err)
				is := func(want ...int64) {
					t.Helper()
					list, err := of.For(&one).Get(ctx)
					require.NoError(t, err)
					got := []int64{}
					for _, x := range list {
						got = append(got, x.ID)
					}
					require.Equal(t, append([]int64{}, want...), got)
				}
				done, err := of.Toggle(ctx, &one, label{ID: 2}, label{ID: 2})
				require.NoError(t, err)
				require.Equal(t, []label{{ID: 2}}, done.Attached)
				require.Empty(t, done.Detached)
				is(2)
				done, err = of.Toggle(ctx, &one, label{ID: 1}, label{ID: 2})
				require.NoError(t, err)
				require.Equal(t, []label{{ID: 1}}, done.Attached)
				require.Len(t, done.Detached, 1)
				require.EqualValues(t, 2, done.Detached[0].LabelID)
				is(1)
				done, err = of.Toggle(ctx, &one, label{ID: 1}, label{ID: 2})
				require.NoError(t, err)
				require.Equal(t, []label{{ID: 2}}, done.Attached, "also one that was there before")
				is(2)
				done, err = of.Toggle(ctx, &one)
				require.NoError(t, err)
				require.Empty(t, done.Attached)
				require.Empty(t, done.Detached)
				is(2)
				n, err := l.of(l.films, "film").PivotFor(&one).Count(ctx)
				require.NoError(t, err)
				require.EqualValues(t, 2, n, "films are left alone")
			})
		})
	}
}

var errUndone = errors.New("undone")

// It is all or nothing, and refuses what nothing can refer to before it writes.
func TestToggle_IsOneTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLabels(t, fl, "")
		of := l.of(l.articles, "article")
		one := shown{ID: 1}
		_, err := of.Attach(ctx, &one, label{ID: 1})
		require.NoError(t, err)
		_, err = of.Toggle(ctx, &shown{}, label{ID: 1})
		require.ErrorContains(t, err, "was it saved?")
		_, err = of.Toggle(ctx, &one, label{ID: 1}, label{})
		require.ErrorContains(t, err, "was it saved?")
		err = fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			done, err := of.Toggle(ctx, &one, label{ID: 1}, label{ID: 2})
			require.NoError(t, err)
			require.Len(t, done.Attached, 1)
			return errUndone
		})
		require.ErrorIs(t, err, errUndone)
		list, err := of.For(&one).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.EqualValues(t, 1, list[0].ID)
	})
}

// The three tables may be anywhere, and the databases decide which keys are equal.
func TestToggle_AcrossDatabases(t *testing.T) {
	t.Parallel()
	g := newGraph(t, [3]string{"postgres", "mysql", "sqlite"}, true)
	ctx := t.Context()
	require.Subset(t, dbtest.Dialects, []string{"postgres", "mysql", "sqlite"})
	code := func(s string) *string { return &s }
	_, err := g.DB("c1").ExecContext(ctx, "CREATE UNIQUE INDEX pairs ON spells (team, player)")
	require.NoError(t, err)
	one := team{ID: 1, Code: code("a")}
	require.NoError(t, g.teams.Create(ctx, &one))
	players := []player{{ID: 1, Code: code("x")}, {ID: 2, Code: code("y")}}
	require.NoError(t, g.players.CreateMany(ctx, players))
	require.NoError(t, g.spells.Create(ctx, &spell{Team: code("A"), Player: code("X")}))
	done, err := g.playersOf().Toggle(ctx, &one, players...)
	require.NoError(t, err)
	require.Len(t, done.Attached, 1)
	require.EqualValues(t, 2, done.Attached[0].ID)
	require.Len(t, done.Detached, 1)
	require.Equal(t, "X", *done.Detached[0].Player)
}
