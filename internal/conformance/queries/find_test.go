package queries

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Find may know the statement of the time before. What it sends, finds and refuses
// is what the same condition does.
func TestFind_IsTheSameTheSecondTime(t *testing.T) {
	t.Parallel()
	type parcel struct {
		Depot, Code string
		Number      int64
		Note        *string
	}
	type counter struct {
		ID uint64
		N  int32
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE parcels (depot {text} NOT NULL, code {text} NOT NULL, number {bigint} NOT NULL, note {text})`,
			`CREATE TABLE counters (id {id}, n {int} NOT NULL)`)
		accounts := fl.Bank(t)
		parcels := conformance.Model[parcel](t, fl.Registry, dbfleet.ModelConfig{Table: "parcels", PrimaryKey: []string{"depot", "code", "number"}})
		counters := conformance.Model[counter](t, fl.Registry, dbfleet.ModelConfig{Table: "counters"})
		require.NoError(t, accounts.CreateMany(ctx, []conformance.Account{{Owner: "a"}, {Owner: "b"}}))
		require.NoError(t, parcels.CreateMany(ctx, []parcel{{Depot: "x", Code: "1", Number: 1}, {Depot: "x", Code: "1", Number: 2}}))
		require.NoError(t, counters.Create(ctx, &counter{N: 7}))

		var mu sync.Mutex
		var sent []dbfleet.QueryEvent
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, e)
		})
		last := func() (text string, args []any) {
			mu.Lock()
			defer mu.Unlock()
			if len(sent) == 0 {
				return "", nil
			}
			e := sent[len(sent)-1]
			sent = nil
			return e.SQL, e.Args
		}
		message := func(err error) string {
			if err == nil {
				return ""
			}
			return err.Error()
		}
		var none *string
		for _, key := range []any{
			1, int64(2), 3, "a", "1", "", uint8(1), uint64(math.MaxUint64), -1, 1.0, 1.5, nil, none, []int{1}, struct{}{},
			dbfleet.Raw("1"), accounts.Select("id").Limit(1), true, int64(math.MaxInt64), "1 OR 1=1",
		} {
			find := func(key any) (any, string) {
				v, err := accounts.Find(ctx, key)
				return v, message(err)
			}
			wanted, err := accounts.Where("id", "=", key).First(ctx)
			last()
			row, message := find(key)
			text, args := last()
			if err == nil && key != nil && key != none {
				require.Equal(t, wanted, row, "%#v", key)
				require.Empty(t, message)
			}
			_, err = accounts.Find(ctx, 1) // which the text is kept of
			require.NoError(t, err)
			last()
			again, messageAgain := find(key)
			textAgain, argsAgain := last()
			require.Equal(t, []any{row, message, text, args}, []any{again, messageAgain, textAgain, argsAgain}, "%#v", key)

			c, err := counters.Find(ctx, key)
			d, errAgain := counters.Find(ctx, key)
			require.Equal(t, c, d)
			require.Equal(t, err == nil, errAgain == nil)
			last()
		}

		for range 2 {
			for number := range 3 {
				p, err := parcels.Find(ctx, "x", "1", number)
				if number == 0 {
					require.ErrorIs(t, err, dbfleet.ErrNotFound)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, parcel{Depot: "x", Code: "1", Number: int64(number)}, p)
			}
			for _, key := range [][]any{nil, {"x"}, {"x", "1"}, {"x", "1", 1, 1}, {"x", "1", "one"}, {"x", "1", nil}} {
				_, err := parcels.Find(ctx, key...)
				require.Error(t, err, key)
				require.NotErrorIs(t, err, dbfleet.ErrNotFound, key)
			}
		}

		// What else was asked still counts.
		for range 2 {
			_, err := accounts.Where("owner", "=", "b").Find(ctx, 1)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			_, err = accounts.Limit(0).Find(ctx, 1)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			_, err = accounts.Query().Offset(1).Find(ctx, 1)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			_, err = accounts.Find(ctx, 1)
			require.NoError(t, err)
			a, err := accounts.Select("owner").Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, conformance.Account{Owner: "a"}, a)
		}
	})
}
