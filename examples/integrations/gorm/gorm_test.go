package gorm_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gormio "gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/gorm"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A Book is a record of both libraries.
type Book struct {
	ID        int64
	Title     string `gorm:"size:200;not null"`
	Price     float64
	CreatedAt time.Time
}

func TestGorm_SharesThePoolWithModels(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db, err := gorm.Open(fl.DB("main"), &gormio.Config{Logger: logger.Discard})
		require.NoError(t, err)
		require.NoError(t, db.AutoMigrate(&Book{}))
		require.NoError(t, db.AutoMigrate(&Book{}), "a second time, as at the next start")

		lavinia := Book{Title: "Lavinia", Price: 9.5}
		require.NoError(t, db.WithContext(t.Context()).Create(&lavinia).Error)
		changedMyMind := errors.New("changed my mind")
		err = db.Transaction(func(tx *gormio.DB) error {
			return errors.Join(tx.Where("1 = 1").Delete(&Book{}).Error, changedMyMind)
		})
		require.ErrorIs(t, err, changedMyMind)

		books := conformance.Model[Book](t, fl.Registry, dbfleet.ModelConfig{Table: "books"})
		found, err := books.Find(t.Context(), lavinia.ID)
		require.NoError(t, err)
		require.Equal(t, "Lavinia", found.Title)
		require.WithinDuration(t, lavinia.CreatedAt, found.CreatedAt, time.Second)
		require.NoError(t, books.Create(t.Context(), &Book{Title: "Voices", Price: 8, CreatedAt: time.Now()}))

		var list []Book
		require.NoError(t, db.Order("id").Find(&list).Error)
		require.Len(t, list, 2)
		require.Equal(t, "Voices", list[1].Title)
	})
}
