package transactions

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A faultPoint is one run of the scripted transaction with one fault.
type faultPoint struct {
	name     string
	options  dbfleet.TxOptions
	careless bool
	notes    map[string]string // of rows that are there before, by name
	// arm sets the fault when the script is ready; disarm ends it once Transaction is back.
	arm    func(s *faultScript, run *faultRun)
	disarm func(run *faultRun)
	// back is called once Transaction is back, before anything else.
	back   func()
	config func(*dbfleet.ConnectionConfig)
	// ends says that a statement may have committed the steps before it by itself.
	ends bool
	// fails says that Transaction may not return nil.
	fails bool
}

// A faultBench is a database on which points run one after another.
type faultBench struct {
	t     *testing.T
	db    dbtest.Database
	proxy *dbtest.Proxy // nil for none
	pool  *sql.DB       // a stranger's
	ran   int
	long  time.Duration // the longest
}

// faultBound is what no call may take.
const faultBound = 30 * time.Second

// A faultRun is what a point uses.
type faultRun struct {
	*faultBench
	fl     conformance.Fleet
	ctx    context.Context
	cancel context.CancelFunc
	others sync.WaitGroup // strangers that wait for something
	cutOff bool           // the registry is told to end with work still running
}

func newFaultBench(t *testing.T, db dbtest.Database, proxied bool) *faultBench {
	t.Helper()
	b := &faultBench{t: t, db: db, pool: db.SQL(t)}
	b.pool.SetMaxIdleConns(2)
	if proxied {
		b.proxy = dbtest.NewProxy(t, db.Server.Addr())
	}
	for _, text := range []string{waresTable, "CREATE TABLE heavy (n {int})"} {
		_, err := b.pool.ExecContext(t.Context(), conformance.DDL(db.Dialect, text))
		require.NoError(t, err)
	}
	_, err := b.pool.ExecContext(t.Context(), "INSERT INTO heavy VALUES (0)"+strings.Repeat(", (0)", 40))
	require.NoError(t, err)
	return b
}

// seed makes the rows what they are before.
func (b *faultBench) seed(notes map[string]string) {
	b.t.Helper()
	_, err := b.pool.ExecContext(b.t.Context(), "DELETE FROM wares")
	require.NoError(b.t, err)
	var values []string
	for name, stock := range wareSeed {
		values = append(values, fmt.Sprintf("('%s', %d, '%s', '2026-01-01 00:00:00', '2026-01-01 00:00:00')", name, stock, notes[name]))
	}
	_, err = b.pool.ExecContext(b.t.Context(), "INSERT INTO wares (name, stock, note, created_at, updated_at) VALUES "+strings.Join(values, ", "))
	require.NoError(b.t, err)
}

// free waits until nobody has a lock on the table, and reads its rows.
func (b *faultBench) free() (rows map[string]int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), faultBound)
	defer cancel()
	c, err := b.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	texts := map[string][]string{
		"postgres": {"BEGIN", "SET LOCAL lock_timeout = '10s'", "LOCK TABLE wares IN EXCLUSIVE MODE", "COMMIT"},
		"mysql":    {"SET innodb_lock_wait_timeout = 10", "UPDATE wares SET stock = stock", "UPDATE heavy SET n = n"},
		"sqlite":   {"PRAGMA busy_timeout = 10000", "BEGIN IMMEDIATE", "COMMIT"},
	}[b.db.Dialect]
	for _, text := range texts {
		if _, err := c.ExecContext(ctx, text); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
			return nil, fmt.Errorf("a lock is left: %s: %w", text, err)
		}
	}
	list, err := c.QueryContext(ctx, "SELECT name, stock FROM wares")
	if err != nil {
		return nil, err
	}
	defer list.Close()
	rows = map[string]int64{}
	for list.Next() {
		var name string
		var stock int64
		if err := list.Scan(&name, &stock); err != nil {
			return nil, err
		}
		rows[name] = stock
	}
	return rows, list.Err()
}

// open makes a registry with a pool of one.
func (b *faultBench) open(p *faultPoint) *dbfleet.Registry {
	b.t.Helper()
	db := b.db
	if b.proxy != nil {
		db = b.proxy.Through(db)
	}
	config := conformance.ConnectionTo(db)
	config.Pool.MaxOpen = 1
	if p.config != nil {
		p.config(&config)
	}
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	require.NoError(b.t, err)
	return r
}

// returned is how a call came back.
type returned struct {
	err      error
	panicked any
	normally bool
}

// script is a new run of the transaction.
func (b *faultBench) script(r *dbfleet.Registry, careless bool) *faultScript {
	b.t.Helper()
	return &faultScript{
		r: r, dialect: b.db.Dialect, careless: careless, steps: faultSteps,
		wares:    conformance.Model[ware](b.t, r, dbfleet.ModelConfig{Table: "wares", Timestamps: true}),
		created:  ware{Name: "created"},
		undone:   ware{Name: "undone", Stock: 7},
		many:     []ware{{Name: "one", Stock: 1}, {Name: "two"}, {Name: "three", Stock: 3}},
		upserted: []ware{{Name: "kept", Stock: 33}, {Name: "up"}},
	}
}

// run runs a point and compares what is there with what was told.
func (b *faultBench) run(p faultPoint) {
	b.t.Helper()
	if b.t.Failed() {
		return // one point tells enough
	}
	start := time.Now()
	b.seed(p.notes)
	r := b.open(&p)
	run := &faultRun{faultBench: b, fl: conformance.Fleet{Registry: r, Database: b.db}}
	run.ctx, run.cancel = context.WithCancel(b.t.Context())
	defer run.cancel()
	s := b.script(r, p.careless)
	saved, err := s.wares.Where("name", "=", "saved").First(run.ctx)
	require.NoError(b.t, err, p.name)
	s.saved = saved
	label := fmt.Sprintf("%s %s %d", b.t.Name(), p.name, b.ran)

	back := make(chan returned, 1)
	go pprof.Do(run.ctx, pprof.Labels("fault", label), func(ctx context.Context) {
		got := returned{}
		defer func() {
			got.panicked = recover()
			back <- got
		}()
		if p.arm != nil {
			p.arm(s, run)
		}
		s.remember()
		got.err = r.Transaction(ctx, "", s.transaction, p.options)
		got.normally = true
	})
	var got returned
	select {
	case got = <-back:
	case <-time.After(faultBound):
		b.t.Fatalf("%s: Transaction does not come back\n%s", p.name, stacks())
	}
	if p.back != nil {
		p.back()
	}
	if b.proxy != nil {
		b.proxy.Heal()
	}
	if p.disarm != nil {
		p.disarm(run)
	}
	run.others.Wait()
	conformance.RequireIdle(b.t, r)
	rows, err := b.free()
	where := fmt.Sprintf("%s: %+v, attempts %d, done %v, told %v (%v)", p.name, got, s.attempts, s.done, s.told, s.toldErr)
	require.NoError(b.t, err, where)
	b.judge(&p, s, got, rows, where)
	within(b.t, "Close after "+where, func() {
		if err := r.Close(); !run.cutOff || !errors.Is(err, context.Canceled) {
			require.NoError(b.t, err, where)
		}
	})
	require.True(b.t, waitFor(bounded(b.t), func() bool { return !running(label) }), "a goroutine is left after %s\n%s", where, stacks())
	b.ran++
	if took := time.Since(start); took > b.long {
		b.long = took
		b.t.Logf("%s took %s", p.name, took)
	}
}

// judge compares what Transaction, AfterCommit and AfterRollback told with the rows and
// the records.
func (b *faultBench) judge(p *faultPoint, s *faultScript, got returned, rows map[string]int64, where string) {
	b.t.Helper()
	require.Empty(b.t, s.faults, where)
	all := s.rows()
	require.LessOrEqual(b.t, s.attempts, 1+p.options.Retries, where)
	last := ""
	if n := len(s.told); n > 0 {
		last = s.told[n-1]
	}
	if s.attempts > 0 { // each was told once
		require.Len(b.t, s.told, s.attempts, where)
		require.NotContains(b.t, s.told[:s.attempts-1], "commit", where)
	}
	unknown := last == "rollback" && errors.Is(s.toldErr, dbfleet.ErrCommitUnknown)
	ended := last == "rollback" && (errors.Is(s.toldErr, dbfleet.ErrOutcomeUnknown) || errors.Is(s.toldErr, dbfleet.ErrTxCommitted))
	if got.normally {
		require.Equal(b.t, got.err == nil, last == "commit", where)
		if s.attempts > 0 {
			require.Equal(b.t, errors.Is(got.err, dbfleet.ErrCommitUnknown), unknown, where)
		} else {
			require.NotErrorIs(b.t, got.err, dbfleet.ErrOutcomeUnknown, where)
		}
	}
	if p.fails {
		require.False(b.t, got.normally && got.err == nil, where)
	}
	if !p.careless && last == "commit" {
		require.Len(b.t, s.done, len(faultSteps), where)
	}
	switch {
	case last == "commit":
		require.Equal(b.t, all, rows, where)
		require.Empty(b.t, s.changed(s.done), where)
		for step, records := range s.records() {
			if slices.Contains(s.done, step) && step != "undone" && step != "upsert" {
				for _, w := range records {
					require.NotZero(b.t, w.ID, "%s %s", step, where)
				}
			}
		}
	case unknown:
		b.judgeUnknown(p, got, rows, all, where)
	case ended && p.ends:
		if !maps.Equal(rows, wareSeed) {
			require.Equal(b.t, all, rows, where)
		}
	default:
		require.False(b.t, ended, where)
		require.Equal(b.t, wareSeed, rows, where)
		require.Empty(b.t, s.changed(nil), where)
	}
}

func (b *faultBench) judgeUnknown(p *faultPoint, got returned, rows, all map[string]int64, where string) {
	b.t.Helper()
	committed := !maps.Equal(rows, wareSeed)
	if committed {
		require.Equal(b.t, all, rows, where)
	}
	if !got.normally {
		return
	}
	var e *dbfleet.CommitUnknownError
	require.ErrorAs(b.t, got.err, &e, where)
	answer, err := e.Resolve(b.t.Context())
	if !p.options.Resolvable || b.db.Dialect == "sqlite" {
		require.ErrorIs(b.t, err, dbfleet.ErrOutcomeUnknown, where)
		return
	}
	require.NoError(b.t, err, where)
	require.Equal(b.t, committed, answer, where)
}

// running says whether a goroutine that a point has started is there still.
func running(label string) bool {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	return strings.Contains(profile.String(), fmt.Sprintf("%q", label))
}

// stacks are those of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// faultTorture runs all points, which takes minutes.
var faultTorture = os.Getenv("DBFLEET_TORTURE") != ""

// chosen says whether the point i of n is run for a fault: one of three of the plain
// transaction, one of nine of others, and those at the end, where it is decided what
// becomes of it. Each fault has others.
func chosen(options dbfleet.TxOptions, fault string, i, n int) bool {
	each := 9
	if options == (dbfleet.TxOptions{}) {
		each = 3
	}
	h := fnv.New32a()
	fmt.Fprint(h, fault, options)
	return faultTorture || i >= n-max(1, n/10) || i%each == int(h.Sum32()%uint32(each))
}

// patient says whether points that take time are run with some options.
func patient(options dbfleet.TxOptions) bool {
	return faultTorture || options == (dbfleet.TxOptions{}) || options.Resolvable && options.Retries > 0
}

// counted fails if points were left out, or are fewer than a test promises.
func (b *faultBench) counted(want, least int) {
	b.t.Helper()
	require.Equal(b.t, want, b.ran)
	require.GreaterOrEqual(b.t, want, least)
	b.t.Logf("%d points", b.ran)
}
