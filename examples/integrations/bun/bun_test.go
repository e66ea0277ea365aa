package bun_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bunlib "github.com/uptrace/bun"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/bun"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A Book is a record of both libraries.
type Book struct {
	ID        int64 `bun:",pk,autoincrement"`
	Title     string
	Price     float64
	CreatedAt time.Time
}

func TestBun_SharesThePoolWithModels(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db, err := bun.Open(fl.DB("main"))
		require.NoError(t, err)
		ctx := t.Context()
		for range 2 {
			_, err = db.NewCreateTable().Model((*Book)(nil)).IfNotExists().Exec(ctx)
			require.NoError(t, err)
		}

		lavinia := Book{Title: "Lavinia", Price: 9.5, CreatedAt: time.Now().UTC()}
		_, err = db.NewInsert().Model(&lavinia).Exec(ctx)
		require.NoError(t, err)
		changedMyMind := errors.New("changed my mind")
		err = db.RunInTx(ctx, nil, func(ctx context.Context, tx bunlib.Tx) error {
			_, err := tx.NewDelete().Model((*Book)(nil)).Where("1 = 1").Exec(ctx)
			return errors.Join(err, changedMyMind)
		})
		require.ErrorIs(t, err, changedMyMind)

		books := conformance.Model[Book](t, fl.Registry, dbfleet.ModelConfig{Table: "books"})
		found, err := books.Find(ctx, lavinia.ID)
		require.NoError(t, err)
		require.Equal(t, "Lavinia", found.Title)
		require.WithinDuration(t, lavinia.CreatedAt, found.CreatedAt, time.Second)
		for _, op := range []string{"=", "<=", ">="} {
			n, err := books.Where("created_at", op, found.CreatedAt).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n, op)
		}
		require.NoError(t, books.Create(ctx, &Book{Title: "Voices", Price: 8, CreatedAt: time.Now()}))

		var list []Book
		require.NoError(t, db.NewSelect().Model(&list).Order("id").Scan(ctx))
		require.Len(t, list, 2)
		require.Equal(t, "Voices", list[1].Title)
	})
}
