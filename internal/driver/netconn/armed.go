package netconn

import (
	"errors"
	"math"
	"os"
	"sync/atomic"
	"time"
)

// What: the socket's deadline stays for the Reads, or Writes, that come after, as long as
// it leaves each of them at least half of the timeout. One that it ends too early waits on
// until its own time is over.
//
// Gain: two of four looks at the clock and two changes of the runtime's timers for each
// round trip, at least 0.6 µs of 8.
//
//	go test ./internal/driver/netconn -run - -bench BenchmarkTrip    with lasting true and false
//
// Relies on: a Read or Write whose deadline has come can be called again.
//
// Told by: TestRead_HasItsWholeTimeoutWhateverWasBefore and the tests beside it.
//
// Off: lasting.
const lasting = true

// armed is until when the socket's deadline for Read, or Write, is one that arm has set;
// 0 is not known. The driver's own deadlines are none of them. Conn.mu protects changes.
type armed struct{ until atomic.Int64 }

func (a *armed) forget() { a.until.Store(0) }

// leaves says that the deadline leaves a call that begins at start so long.
func (a *armed) leaves(start moment, d time.Duration) bool {
	return lasting && a.until.Load()-int64(start) >= int64(d)
}

// arm sets the socket's deadline for a Read or Write that began at start, unless the
// driver has set an earlier one.
func (c *Conn) arm(start moment, a *armed, driver *time.Time, set func(time.Time) error) {
	timeout := c.bound()
	if timeout <= 0 || a.leaves(start, timeout/2) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.born.Add(time.Duration(start)).Add(timeout)
	switch {
	case !driver.IsZero() && !limit.Before(*driver):
	case set(limit) == nil && driver.IsZero() && !c.timeless:
		a.until.Store(int64(min(start, math.MaxInt64-moment(timeout)) + moment(timeout)))
	}
}

// early says that err came of a deadline for a call before this one, which began at
// start: the server may be silent for longer. The next arm sets another one.
func (c *Conn) early(err error, start moment, a *armed) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := a.until.Load(); until == 0 || until-int64(start) >= int64(c.bound()) {
		return false
	}
	a.forget()
	return true
}
