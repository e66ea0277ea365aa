//go:build !race

package costs

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/driver/drivertest"
)

// scalingWidths are the numbers of goroutines that share a model.
var scalingWidths = []int{1, 2, 4, 16, 64}

const (
	scalingOps   = 2048 // of one measurement, by all goroutines together
	scalingConns = 10   // of either pool: the library's default, less than the greater widths
	// scalingBound is how much more the library may cost beside hand-written
	// database/sql for many goroutines than for one: a lock held too long would
	// cost several times as much.
	scalingBound = 1.6
	// scalingRounds is how often is measured before the bound must hold, and at
	// most. The best of all counts: what else the machine does can only add.
	scalingRounds, scalingMost = 15, 60
)

// One model serves many goroutines as well as database/sql does.
func TestBudget_ManyGoroutinesCostNoMoreThanOne(t *testing.T) {
	for _, tw := range twins {
		if tw.name != "ReadOneByKey" && tw.name != "UpdateOne" {
			continue
		}
		t.Run(tw.name, func(t *testing.T) {
			m, db := benchTwins(t, tw.rows)
			db.SetMaxOpenConns(scalingConns)
			db.SetMaxIdleConns(scalingConns)
			ctx := context.Background()
			best := make(map[int]*twinTimes)
			for _, width := range scalingWidths {
				best[width] = &twinTimes{byHand: math.MaxInt64, ours: math.MaxInt64}
			}
			var worst string
			for round := 1; round <= scalingMost; round++ {
				for _, width := range scalingWidths {
					b := best[width]
					b.byHand = min(b.byHand, timeOf(t, width, scalingOps, func() error { return tw.databaseSQL(ctx, db) }))
					b.ours = min(b.ours, timeOf(t, width, scalingOps, func() error { return tw.dbfleet(ctx, m) }))
				}
				if round < scalingRounds {
					continue
				}
				worst = ""
				for _, width := range scalingWidths {
					if best[width].ratio() > scalingBound*best[1].ratio() {
						worst = fmt.Sprintf("%d goroutines: %v of database/sql's time, one: %v", width, best[width].ratio(), best[1].ratio())
					}
				}
				if worst == "" {
					break
				}
			}
			for _, width := range scalingWidths {
				t.Logf("%2d goroutines: %5.0f ns by hand, %5.0f ns with dbfleet, ratio %.2f", width,
					float64(best[width].byHand)/scalingOps, float64(best[width].ours)/scalingOps, best[width].ratio())
			}
			require.Empty(t, worst)
		})
	}
}

// Statements of several goroutines wait for the database at the same time, each
// on a connection of its own.
func TestBudget_StatementsRunSideBySide(t *testing.T) {
	const latency, width, each = 5 * time.Millisecond, 10, 4
	script := drivertest.New().Otherwise(drivertest.Answer{RowsAffected: 1, Latency: latency})
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.MySQL, Connector: script}})
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	save := func() error { return accounts.Save(t.Context(), &conformance.Account{ID: 1, Owner: "x"}) }
	best := time.Duration(math.MaxInt64)
	for range 10 {
		if best = min(best, timeOf(t, width, width*each, save)); best < 2*each*latency {
			break
		}
	}
	require.Less(t, best, width*each*latency/3, "one after the other they take %v", width*each*latency)
}

// twinTimes are the best times of the two sides.
type twinTimes struct{ byHand, ours time.Duration }

func (t *twinTimes) ratio() float64 { return float64(t.ours) / float64(t.byHand) }

// timeOf is how long so many goroutines take for so many operations together.
func timeOf(t *testing.T, width, ops int, f func() error) time.Duration {
	var wg sync.WaitGroup
	errs := make([]error, width)
	start := time.Now()
	for i := range width {
		wg.Go(func() {
			for range ops / width {
				if err := f(); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for _, err := range errs {
		require.NoError(t, err)
	}
	return took
}
