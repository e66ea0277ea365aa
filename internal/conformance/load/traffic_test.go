package load

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	loadRows = 100
	// waits is each reader's deadline.
	waits = time.Second
)

// loadReaders are so many, and away is how long an answer of each node is on its way. So long
// a read takes in the main, and not the time of the processors, which all servers and
// readers here share: in the short form two slow ones are enough for all of them.
var loadReaders, away = 24, 40 * time.Millisecond

func init() {
	if long {
		loadReaders, away = 64, 20*time.Millisecond
	}
}

// soon bounds what should take a second, on a machine that may be busy.
const soon = 20 * time.Second

// long has each fault last for ten seconds, with every policy.
var long = os.Getenv("DBFLEET_TORTURE") != ""

func loadValue(id int) string { return fmt.Sprint("value of ", id) }

// sample is one read.
type sample struct {
	begun time.Time
	took  time.Duration
	node  string
}

// traffic is readers in closed loops, each of which reads as soon as the last read is
// answered, within a deadline of its own; and beside them some who do by hand, with
// database/sql, what nothing befalls. These are the control: what the machine does to
// all at some time it does to them too.
type traffic struct {
	stop    chan struct{}
	group   sync.WaitGroup
	lanes   []lane
	control [8]lane

	failed atomic.Int64
	wrong  atomic.Int64 // rows
	mu     sync.Mutex   // protects following field
	errs   []error      // the first few
}

// lane is what one reader has read.
type lane struct {
	mu   sync.Mutex
	list []sample
}

func (l *lane) add(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// startTraffic reads by read, which returns the value of a row and who told it, until the end of the test or finish.
func startTraffic(t *testing.T, read func(ctx context.Context, id int) (value, node string, err error), control *sql.DB, query string) *traffic {
	t.Helper()
	l := &traffic{stop: make(chan struct{}), lanes: make([]lane, loadReaders)}
	loop := func(into *lane, seed int, read func(ctx context.Context, id int) (value, node string, err error)) {
		for i := seed; ; i++ {
			select {
			case <-l.stop:
				return
			default:
			}
			id := i%loadRows + 1
			begun := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), waits)
			value, node, err := read(ctx, id)
			cancel()
			if err == nil && value != loadValue(id) {
				l.wrong.Add(1)
				err = fmt.Errorf("row %d of node %q is %q", id, node, value)
			}
			if err != nil {
				l.fails(fmt.Errorf("after %v, at node %q: %w", time.Since(begun), node, err))
			}
			into.add(sample{begun, time.Since(begun), node})
		}
	}
	for i := range l.lanes {
		l.group.Go(func() { loop(&l.lanes[i], i*7, read) })
	}
	for i := range l.control {
		l.group.Go(func() {
			loop(&l.control[i], i*7, func(_ context.Context, id int) (value, node string, err error) {
				return value, "control", control.QueryRowContext(context.Background(), query, id).Scan(&value)
			})
		})
	}
	t.Cleanup(l.finish)
	return l
}

func (l *traffic) fails(err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) < 5 {
		l.errs = append(l.errs, err)
	}
}

func (l *traffic) finish() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.group.Wait()
}

// takeErrors are those since the last call.
func (l *traffic) takeErrors() (errs []error, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs, l.errs = l.errs, nil
	return errs, l.failed.Swap(0)
}

// window is what ended between two times.
type window struct {
	took     time.Duration // the window's own
	reads    int
	control  int
	p50, p99 time.Duration
	slowest  time.Duration
	nodes    map[string]int
	longest  time.Duration // without any answer
}

// between looks at a window.
func (l *traffic) between(from, to time.Time) window {
	w := window{took: to.Sub(from), nodes: map[string]int{}}
	var times []time.Duration
	var ends []time.Time
	for i := range l.lanes {
		for _, s := range l.lanes[i].within(from, to) {
			times = append(times, s.took)
			ends = append(ends, s.begun.Add(s.took))
			w.nodes[s.node]++
		}
	}
	for i := range l.control {
		w.control += len(l.control[i].within(from, to))
	}
	if w.reads = len(times); w.reads == 0 {
		return w
	}
	slices.Sort(times)
	slices.SortFunc(ends, time.Time.Compare)
	w.p50, w.p99, w.slowest = times[w.reads/2], times[w.reads*99/100], times[w.reads-1]
	last := from
	for _, end := range append(ends, to) {
		w.longest = max(w.longest, end.Sub(last))
		last = end
	}
	return w
}

// within are the reads that ended in a window.
func (l *lane) within(from, to time.Time) (in []sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended := func(s sample, t time.Time) int { return s.begun.Add(s.took).Compare(t) }
	a, _ := slices.BinarySearchFunc(l.list, from, ended)
	b, _ := slices.BinarySearchFunc(l.list, to, ended)
	return slices.Clone(l.list[a:b])
}

// forget drops what was read so far.
func (l *traffic) forget() {
	for _, lanes := range [][]lane{l.lanes, l.control[:]} {
		for i := range lanes {
			lanes[i].mu.Lock()
			lanes[i].list = nil
			lanes[i].mu.Unlock()
		}
	}
}

// rate is how many reads of ours there are for each of the control's.
func (w window) rate() float64 { return float64(w.reads) / float64(max(1, w.control)) }

// part is how much of the throughput of before there is.
func (w window) part(before window) float64 { return w.rate() / before.rate() }

// later counts the reads of a window that took longer than bound.
func (l *traffic) later(from time.Time, w window, bound time.Duration) (n int) {
	for i := range l.lanes {
		for _, s := range l.lanes[i].within(from, from.Add(w.took)) {
			if s.took > bound {
				n++
			}
		}
	}
	return n
}

// mayBeLate is how many reads of ten seconds may take longer than their p99. A fault's
// beginning, which is what takes longer, weighs as much in a shorter window.
func (w window) mayBeLate() int {
	return int(max(10, w.took.Seconds()) / w.took.Seconds() * float64(w.reads) / 100)
}

// lost is for how long nobody would have had to read, to lose as many reads as were.
func (w window) lost(before window) time.Duration {
	return time.Duration((1 - w.part(before)) * float64(w.took))
}

// fit says that the machine had time for the test: of what the control would read with
// nothing to wait for but the network, it has read nearly all.
func (w window) fit() bool {
	var l traffic
	alone := w.took.Seconds() / away.Seconds() * float64(len(l.control))
	return float64(w.control) > 0.85*alone
}

func (w window) String() string {
	return fmt.Sprintf("%.0f reads/s, p50 %v, p99 %v, slowest %v, longest silence %v, %v", float64(w.reads)/w.took.Seconds(),
		w.p50.Round(time.Millisecond/10), w.p99.Round(time.Millisecond/10), w.slowest.Round(time.Millisecond), w.longest.Round(time.Millisecond), w.nodes)
}

// pass lets a time pass while the load runs.
func pass(t *testing.T, d time.Duration) (from, to time.Time) {
	t.Helper()
	from = time.Now()
	<-time.After(d)
	return from, time.Now()
}

// served waits until each of the nodes has answered a read that began after from, and
// returns how long that took.
func (l *traffic) served(t *testing.T, from time.Time, nodes ...string) time.Duration {
	t.Helper()
	var last time.Time
	require.Eventually(t, func() bool {
		first := map[string]time.Time{}
		for i := range l.lanes {
			l.lanes[i].mu.Lock()
			for _, s := range l.lanes[i].list {
				if at := first[s.node]; s.begun.After(from) && (at.IsZero() || s.begun.Before(at)) {
					first[s.node] = s.begun.Add(s.took)
				}
			}
			l.lanes[i].mu.Unlock()
		}
		last = from
		for _, node := range nodes {
			if first[node].IsZero() {
				return false
			}
			if first[node].After(last) {
				last = first[node]
			}
		}
		return true
	}, soon, 10*time.Millisecond, "%v are back", nodes)
	return last.Sub(from)
}
