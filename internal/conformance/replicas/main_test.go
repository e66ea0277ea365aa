package replicas

import (
	"context"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// steady has no node be doubted that refuses nothing, so that a machine which stands still
// for a second takes none out: of the tests of where reads go.
func steady(c *dbfleet.ConnectionConfig) { neverDoubts(nil, c) }

func TestMain(m *testing.M) { dbtest.Main(m) }

// tooLate is by how much a machine is late that may have had no time for a server which is
// well to answer.
const tooLate = 100 * time.Millisecond

// lateness measures, until the function that it returns is called, by how much this machine
// was late at most for what it had to do at a time.
func lateness(t *testing.T) (most func() time.Duration) {
	t.Helper()
	const every = 10 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan time.Duration, 1)
	go func() {
		most := time.Duration(0)
		for ctx.Err() == nil {
			due := time.Now().Add(every)
			time.Sleep(every)
			most = max(most, time.Since(due))
		}
		over <- most
	}()
	return func() time.Duration {
		stop()
		return <-over
	}
}
