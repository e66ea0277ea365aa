package sagas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const frozenVariable = "DBFLEET_TEST_SAGA_FROZEN"

// A process stands still after one of its statements, another one finishes the run or
// waits for it, and then the first goes on. Each step has its effect once, or none.
func TestSaga_GoesOnAfterAnotherHasFinishedIt(t *testing.T) {
	if text := os.Getenv(frozenVariable); text != "" {
		freeze(t, text)
		return
	}
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/fails=%t", strings.Join(mix, "-"), fails), func(t *testing.T) {
				t.Parallel()
				w := fresh(t, mix...)
				if fails {
					w.on(failing("c"), nil)
				}
				for n := int64(1); n < 28; n += 3 {
					id := fmt.Sprint("run ", n)
					v := victim{ID: id, Fails: fails, DiesAfter: n, Databases: map[string]dbtest.Database{}}
					for name, db := range w.databases {
						db.Server = nil
						v.Databases[name] = db
					}
					text, err := json.Marshal(v)
					require.NoError(t, err)
					frozen, stands := dbtest.StartFrozen(t, "TestSaga_GoesOnAfterAnotherHasFinishedIt", frozenVariable, string(text))
					if stands {
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // a step that stands still is waited for
						_, err = w.saga.Resume(ctx, 0)
						require.True(t, err == nil || ctx.Err() != nil, "%v", err)
						cancel()
						frozen.GoOn(t)
					}
					frozen.End(t)
					_, err = w.saga.Resume(t.Context(), 0)
					require.NoError(t, err)
					_, err = w.run(t.Context(), id)
					if fails {
						var told *dbfleet.SagaError
						require.ErrorAs(t, err, &told)
						require.True(t, told.Undone)
						require.Empty(t, w.owners(t, id), id)
					} else {
						require.NoError(t, err)
						require.ElementsMatch(t, steps, w.owners(t, id), id)
					}
					w.requireFinished(t)
				}
			})
		}
	}
}

// freeze is the process: it stands still after a statement, and goes on.
func freeze(t *testing.T, text string) {
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	w := open(t, v.Databases)
	if v.Fails {
		w.on(failing("c"), nil)
	}
	var sent atomic.Int64
	w.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
		if sent.Add(1) == v.DiesAfter {
			dbtest.StandStill()
		}
	})
	_, err := w.run(t.Context(), v.ID)
	var told *dbfleet.SagaError
	require.True(t, err == nil || v.Fails && errors.As(err, &told) && told.Undone, "%v", err)
}
