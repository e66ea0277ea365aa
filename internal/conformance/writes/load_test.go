package writes

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// loadSample has a field of every kind that a load must carry unchanged.
type loadSample struct {
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

const loadSamplesTable = `CREATE TABLE samples (id {id}, name {text} NOT NULL, {quote}long{quote} {long} NOT NULL, note {text} UNIQUE,
	small {int} NOT NULL, large {bigint} NOT NULL, ratio {float} NOT NULL, price {decimal} NOT NULL, yes {bool} NOT NULL,
	at {time} NOT NULL, maybe {time}, day {date} NOT NULL, raw {bytes}, doc {json} NOT NULL, uuid {uuid} NOT NULL)`

func loadSamples(t *testing.T, fl conformance.Fleet) *dbfleet.Model[loadSample] {
	t.Helper()
	quote := `"`
	if fl.Database.Dialect == "mysql" {
		quote = "`"
	}
	fl.Create(t, strings.ReplaceAll(loadSamplesTable, "{quote}", quote))
	return conformance.Model[loadSample](t, fl.Registry, dbfleet.ModelConfig{Table: "samples"})
}

func loadSampleOf(i int) loadSample {
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC).Add(time.Duration(i) * time.Minute)
	return loadSample{
		Name: fmt.Sprintf("name %d", i), Long: "x", Small: int32(i), Large: int64(i) << 32, Ratio: float64(i) / 3, Price: "1.5000",
		Yes: i%2 == 0, At: at, Day: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), Raw: []byte{byte(i), 0},
		Doc: dbfleet.JSONOf(map[string]any{"a": "b"}), UUID: "123e4567-e89b-12d3-a456-426614174000",
	}
}

// texts that mean something to one of the formats that carry them.
var loadTexts = []string{"", "x", `\N`, `\\`, "a\tb\nc\rd\\e", "\\.", "é€😀", "'\"`", "NULL", "{}", strings.Repeat("long\n", 2000)}

func TestLoad_StoresEveryKindOfValue(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := loadSamples(t, fl)
		of := func(i int) loadSample {
			s := loadSampleOf(i)
			s.Long = loadTexts[i%len(loadTexts)]
			if i%3 == 0 {
				note := fmt.Sprintf("%d\t\\", i)
				at := s.At.AddDate(-900, 0, 0)
				s.Note, s.Maybe = &note, &at
			}
			switch i % 5 {
			case 0:
				s.Raw = nil
			case 1:
				s.Raw = []byte{}
			case 2:
				s.Raw = []byte("\x00\xff\\N\t\n\xf0")
			case 3:
				s.Small, s.Large, s.Ratio, s.Price = math.MinInt32, math.MinInt64, -1e-300, "-1234567890123456.7891"
			}
			return s
		}
		n, err := m.Load(ctx, loadSeq(1234, of))
		require.NoError(t, err)
		require.EqualValues(t, 1234, n)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 1234)
		for i, g := range got {
			want := of(i)
			want.ID = g.ID
			require.NotZero(t, g.ID)
			require.Equal(t, want, g)
		}
	})
}

// loadItem is a row of few columns.
type loadItem struct {
	ID        int64
	Name      string
	N         int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

func loadItems(t *testing.T, fl conformance.Fleet) *dbfleet.Model[loadItem] {
	t.Helper()
	fl.Create(t, `CREATE TABLE items (id {id}, name VARCHAR(50) NOT NULL UNIQUE, n {int} CHECK (n >= 0), created_at {time} NOT NULL, updated_at {time} NOT NULL)`)
	return conformance.Model[loadItem](t, fl.Registry, dbfleet.ModelConfig{Table: "items", Timestamps: true})
}

func loadItemOf(i int) loadItem { return loadItem{Name: fmt.Sprintf("item %d", i), N: int64(i)} }

func loadSeq[T any](n int, of func(i int) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range n {
			if !yield(of(i)) {
				return
			}
		}
	}
}

func loadCount[T any](t *testing.T, m *dbfleet.Model[T]) int64 {
	t.Helper()
	n, err := m.Count(t.Context())
	require.NoError(t, err)
	return n
}

func TestLoad_SetsTimestampsAndTakesGivenIDs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := loadItems(t, fl)
		old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		// Every third brings its id: rows of both kinds may follow each other.
		n, err := m.Load(ctx, loadSeq(30, func(i int) loadItem {
			it := loadItemOf(i)
			if i%3 == 2 {
				it.ID, it.CreatedAt = int64(1000+i), old
			}
			return it
		}))
		require.NoError(t, err)
		require.EqualValues(t, 30, n)
		got, err := m.OrderBy("n", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 30)
		for i, g := range got {
			require.NotZero(t, g.ID)
			require.WithinDuration(t, time.Now(), g.UpdatedAt, time.Minute)
			if i%3 == 2 {
				require.EqualValues(t, 1000+i, g.ID)
				require.Equal(t, old, g.CreatedAt)
			} else {
				require.WithinDuration(t, time.Now(), g.CreatedAt, time.Minute)
			}
		}
		n, err = m.Load(ctx, loadSeq(0, loadItemOf))
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// promise: all or nothing, and the row is named.
func TestLoad_NamesTheBadRecordAndLeavesNothing(t *testing.T) {
	t.Parallel()
	const rows, bad = 10_000, 7_000
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := loadItems(t, fl)
		for name, fault := range map[string]struct {
			class error
			spoil func(*loadItem)
		}{
			"duplicate": {dbfleet.ErrUnique, func(it *loadItem) { it.Name = "item 12" }},
			"check":     {dbfleet.ErrCheck, func(it *loadItem) { it.N = -1 }},
			"no time":   {dbfleet.ErrRange, func(it *loadItem) { it.CreatedAt = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) }},
			"too long":  {dbfleet.ErrInvalidValue, func(it *loadItem) { it.Name = strings.Repeat("secret", 20) }},
		} {
			if name == "too long" && fl.Database.Dialect == "sqlite" {
				continue
			}
			for _, options := range []dbfleet.LoadOptions{{}, {BatchRows: 3000}} {
				n, err := m.Load(ctx, loadSeq(rows, func(i int) loadItem {
					it := loadItemOf(i)
					if i == bad {
						fault.spoil(&it)
					}
					return it
				}), options)
				require.ErrorIs(t, err, fault.class, name)
				var at *dbfleet.RecordError
				require.ErrorAs(t, err, &at, name)
				require.Equal(t, bad, at.Index, name)
				require.NotContains(t, err.Error(), "secret")
				require.NotContains(t, err.Error(), "item 12")
				committed := bad / max(options.BatchRows, rows) * options.BatchRows
				if options.BatchRows > 0 {
					committed = bad / options.BatchRows * options.BatchRows
				}
				require.Equal(t, committed, n, name)
				require.Equal(t, committed, loadCount(t, m), name)
				_, err = m.Query().AllRows().Delete(ctx)
				require.NoError(t, err)
			}
		}
	})
}

func TestLoad_CommitsInBatches(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := loadItems(t, fl)
		for _, rows := range []int{0, 1, 10, 11, 29, 30} {
			n, err := m.Load(ctx, loadSeq(rows, loadItemOf), dbfleet.LoadOptions{BatchRows: 10})
			require.NoError(t, err)
			require.EqualValues(t, rows, n)
			require.EqualValues(t, rows, loadCount(t, m))
			_, err = m.Query().AllRows().Delete(ctx)
			require.NoError(t, err)
		}
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := m.Load(ctx, loadSeq(3, loadItemOf), dbfleet.LoadOptions{BatchRows: 10})
			require.ErrorContains(t, err, "BatchRows")
			_, err = m.Using(tx).Load(t.Context(), loadSeq(3, loadItemOf), dbfleet.LoadOptions{BatchRows: 10})
			require.ErrorContains(t, err, "BatchRows")
			return nil
		})
		require.NoError(t, err)
		for _, o := range []dbfleet.LoadOptions{{BatchRows: -1}, {ProgressEvery: -1}} {
			_, err := m.Load(ctx, loadSeq(3, loadItemOf), o)
			require.ErrorContains(t, err, "negative")
		}
		_, err = m.Load(ctx, nil)
		require.ErrorContains(t, err, "nil")
		require.Zero(t, loadCount(t, m))
	})
}

func TestLoad_ReportsProgress(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := loadItems(t, fl)
		for options, want := range map[*dbfleet.LoadOptions][]int64{
			{ProgressEvery: 400}:                 {400, 800, 1000},
			{ProgressEvery: 500}:                 {500, 1000},
			{}:                                   {1000},
			{ProgressEvery: 400, BatchRows: 300}: {400, 800, 1000},
		} {
			var got []int64
			options.Progress = func(rows int64) { got = append(got, rows) }
			_, err := m.Load(t.Context(), loadSeq(1000, loadItemOf), *options)
			require.NoError(t, err)
			require.Equal(t, want, got)
			_, err = m.Query().AllRows().Delete(t.Context())
			require.NoError(t, err)
		}
	})
}
