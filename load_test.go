package dbfleet_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// sample has a field of every kind that a load must carry unchanged.
type sample struct {
	ID    int64
	Name  string
	Long  string
	Note  *string
	Small int32
	Large int64
	Ratio float64
	Price string
	Yes   bool
	At    time.Time
	Maybe *time.Time
	Day   time.Time
	Raw   []byte
	Doc   dbfleet.JSON[map[string]any]
	UUID  string
}

const samplesTable = `CREATE TABLE samples (id {id}, name {text} NOT NULL, {quote}long{quote} {long} NOT NULL, note {text} UNIQUE,
	small {int} NOT NULL, large {bigint} NOT NULL, ratio {float} NOT NULL, price {decimal} NOT NULL, yes {bool} NOT NULL,
	at {time} NOT NULL, maybe {time}, day {date} NOT NULL, raw {bytes}, doc {json} NOT NULL, uuid {uuid} NOT NULL)`

func loadSamples(t *testing.T, fl fleet) dbfleet.Model[sample] {
	t.Helper()
	quote := `"`
	if fl.db.Dialect == "mysql" {
		quote = "`"
	}
	fl.create(t, strings.ReplaceAll(samplesTable, "{quote}", quote))
	return model[sample](t, fl.Registry, dbfleet.ModelConfig{Table: "samples"})
}

func sampleOf(i int) sample {
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC).Add(time.Duration(i) * time.Minute)
	return sample{
		Name: fmt.Sprintf("name %d", i), Long: "x", Small: int32(i), Large: int64(i) << 32, Ratio: float64(i) / 3, Price: "1.5000",
		Yes: i%2 == 0, At: at, Day: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), Raw: []byte{byte(i), 0},
		Doc: dbfleet.JSONOf(map[string]any{"a": "b"}), UUID: "123e4567-e89b-12d3-a456-426614174000",
	}
}

func samples(n int) iter.Seq[sample] {
	return func(yield func(sample) bool) {
		for i := range n {
			if !yield(sampleOf(i)) {
				return
			}
		}
	}
}

func TestLoad_Smoke(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := context.Background()
		m := loadSamples(t, fl)
		n, err := m.Load(ctx, samples(1234))
		require.NoError(t, err)
		require.EqualValues(t, 1234, n)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 1234)
		for i, g := range got {
			want := sampleOf(i)
			want.ID = g.ID
			require.Equal(t, want, g)
		}
	})
}
