package transactions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// An intruder is something that a program does between two steps. Its error goes
// unheard, if it is no panic.
type intruder struct {
	on       []string // the databases, nil for all
	notFirst bool     // needs a row that the transaction has changed
	ends     bool     // it may commit what was done before it
	seldom   bool     // it takes time
	config   func(*dbfleet.ConnectionConfig)
	do       func(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun)
}

// executes sends texts.
func executes(texts ...string) func(ctx context.Context, tx *dbfleet.Tx, _ *faultScript, run *faultRun) {
	return func(ctx context.Context, tx *dbfleet.Tx, _ *faultScript, run *faultRun) {
		for _, text := range texts {
			_, _ = tx.ExecContext(ctx, conformance.DDL(run.db.Dialect, text))
		}
	}
}

// wrong notes what a step has found.
func (s *faultScript) wrong(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// intruders have a member for each way in which transactions have once told what is not
// so: what commits by itself, rows that are open, who ends the connection, sessions that
// are changed, conflicts.
var intruders = map[string]intruder{
	"a change of the schema that fails":     {do: executes("CREATE TABLE wares (v {int})", "DROP TABLE nothing")},
	"a change of the schema":                {do: executes("CREATE TABLE IF NOT EXISTS meanwhile (v {int})")},
	"COMMIT":                                {do: executes("COMMIT", "ROLLBACK", "BEGIN")},
	"COMMIT behind a byte order mark":       {do: executes("\ufeffCOMMIT", "\ufeffROLLBACK")},
	"COMMIT in another text":                {on: []string{"sqlite", "postgres"}, do: executes("SELECT 1; COMMIT")},
	"COMMIT that no word tells":             {on: []string{"mysql"}, ends: true, do: executes("EXECUTE IMMEDIATE 'COMMIT'")},
	"COMMIT in a condition":                 {on: []string{"mysql"}, ends: true, do: executes("IF 1 THEN COMMIT; END IF")},
	"COMMIT in a comment":                   {on: []string{"mysql"}, do: executes("/*!99999 x */ commit")},
	"ROLLBACK that no word tells":           {on: []string{"mysql"}, ends: true, do: executes("EXECUTE IMMEDIATE 'ROLLBACK'")},
	"an isolation level for the next one":   {do: executes("SET TRANSACTION READ ONLY")},
	"a temporary table":                     {do: executes("CREATE TEMPORARY TABLE passing (v {int})")},
	"a variable of the session":             {on: []string{"mysql"}, do: executes("SELECT 1 INTO @passing", "SET @passing = 1")},
	"a savepoint of its own":                {do: executes("SAVEPOINT mine", "ROLLBACK TO SAVEPOINT mine")},
	"names that mean something else":        {on: []string{"postgres", "mysql"}, do: movesAway},
	"a savepoint inside of a loop":          {do: savepointInLoop},
	"rows that are left open":               {do: rowsLeftOpen},
	"a failure beside rows that are open":   {do: failureBesideRows},
	"options of one inside":                 {do: optionsInside},
	"a goroutine of its own":                {do: sibling},
	"a pool of one":                         {do: poolOfOne},
	"a statement that is given up":          {on: []string{"postgres", "mysql"}, seldom: true, do: givenUp},
	"Remove":                                {do: func(_ context.Context, _ *dbfleet.Tx, s *faultScript, run *faultRun) { run.remove(s, false) }},
	"Remove that has no time":               {do: func(_ context.Context, _ *dbfleet.Tx, s *faultScript, run *faultRun) { run.remove(s, true) }},
	"a deadlock behind a savepoint":         {on: []string{"mysql"}, notFirst: true, do: deadlocked},
	"a deadlock":                            {on: []string{"postgres"}, notFirst: true, seldom: true, do: deadlocked},
	"a lock that is not to be had":          {on: []string{"postgres", "mysql"}, do: lockedOut},
	"a lock that others wait for meanwhile": {do: func(_ context.Context, _ *dbfleet.Tx, _ *faultScript, run *faultRun) { run.waits() }},
}

// movesAway changes what names mean, behind a savepoint, and back.
func movesAway(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) {
	away, back := "SET LOCAL search_path = pg_catalog", "SELECT 1"
	if run.db.Dialect == "mysql" {
		away, back = "USE information_schema", "USE "+run.db.Name
	}
	err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
		if _, err := tx.ExecContext(ctx, away); err != nil {
			return err
		}
		if list, err := s.wares.Get(ctx); err == nil {
			s.wrong("names mean something else, and %d rows were read from where they led before", len(list))
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		s.wrong("the savepoint: %v", err)
	}
	_, _ = tx.ExecContext(ctx, back)
}

func savepointInLoop(ctx context.Context, tx *dbfleet.Tx, s *faultScript, _ *faultRun) {
	rows, err := tx.QueryContext(ctx, "SELECT name FROM wares")
	if err != nil {
		s.wrong("rows: %v", err)
		return
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		if n == 0 {
			_ = tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil })
		}
	}
	if rows.Err() == nil && n != len(s.rows()) {
		s.wrong("%d rows around a savepoint instead of %d", n, len(s.rows()))
	}
}

// rowsLeftOpen ends the function with rows that nobody closes.
func rowsLeftOpen(ctx context.Context, tx *dbfleet.Tx, s *faultScript, _ *faultRun) {
	rows, err := tx.QueryContext(ctx, "SELECT name FROM wares") //nolint:sqlclosecheck,rowserrcheck // that is the fault
	if err != nil || !rows.Next() {
		s.wrong("rows: %v", err)
	}
}

func failureBesideRows(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) {
	rowsLeftOpen(ctx, tx, s, run)
	_ = tx.QueryRowContext(ctx, "SELECT nowhere FROM wares").Scan(new(string))
}

func optionsInside(ctx context.Context, _ *dbfleet.Tx, s *faultScript, _ *faultRun) {
	inside := dbfleet.TxOptions{Retries: 3}
	if s.dialect == "sqlite" {
		inside.Isolation = sql.LevelSerializable
	}
	if err := s.r.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
		_, err := s.wares.Count(ctx)
		return err
	}, inside); err != nil {
		s.wrong("options inside: %v", err)
	}
}

// sibling waits behind a statement whose rows are read, and not beyond its own time.
func sibling(ctx context.Context, tx *dbfleet.Tx, s *faultScript, _ *faultRun) {
	back := make(chan error, 1)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	for range s.wares.Query().Iter(ctx) {
		go func() {
			_, err := tx.ExecContext(short, "UPDATE wares SET stock = stock")
			back <- err
		}()
		select {
		case <-back:
		case <-time.After(faultBound):
			s.wrong("a statement waits for its sibling beyond its time")
		}
		break
	}
}

func poolOfOne(ctx context.Context, _ *dbfleet.Tx, s *faultScript, _ *faultRun) {
	if err := s.r.DB("").Ping(ctx); err != nil {
		s.wrong("Ping with the transaction's context: %v", err)
	}
	if _, err := s.wares.Get(dbfleet.OutsideTx(ctx)); !errors.Is(err, dbfleet.ErrBusy) {
		s.wrong("a read outside, which has no connection: %v", err)
	}
}

// givenUp ends a statement that the server is working on.
func givenUp(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) {
	short := conformance.NewDeadline(ctx)
	if _, err := tx.ExecContext(short, "UPDATE wares SET stock = stock"); err != nil {
		s.wrong("%v", err)
	}
	mark := fmt.Sprintf("/* given up %d, %d */", run.ran, s.attempts)
	looking, over := context.WithCancel(ctx)
	defer over()
	go onceRuns(looking, run.t, run.db, mark, short.Pass)
	_, _ = tx.QueryContext(short, conformance.Slow(run.db.Dialect)+" "+mark) //nolint:sqlclosecheck,rowserrcheck // it gives none
}

// remove ends the connection meanwhile; with no time, what runs is cut off.
func (run *faultRun) remove(s *faultScript, now bool) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(run.ctx))
	if now {
		run.cutOff = true
		cancel()
	}
	old := run.fl.DB("main").Pool()
	go func() {
		defer cancel()
		_ = run.fl.Remove(ctx, "main")
	}()
	if !waitFor(run.ctx, func() bool { return run.fl.DB("main").Pool() != old }) {
		s.wrong("the connection is not removed")
	}
}

// rival has locks that the transaction wants, and more to lose.
func (run *faultRun) rival() (*sql.Tx, error) {
	tx, err := run.pool.BeginTx(context.WithoutCancel(run.ctx), nil)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{"UPDATE heavy SET n = n + 1", "UPDATE wares SET stock = stock + 0, note = 'rival' WHERE name = 'rival'"} {
		if _, err := tx.ExecContext(context.WithoutCancel(run.ctx), text); err != nil {
			_ = tx.Rollback()
			return nil, err
		}
	}
	return tx, nil
}

func lockedOut(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) {
	rival, err := run.rival()
	if err != nil {
		s.wrong("rival: %v", err)
		return
	}
	defer func() { _ = rival.Rollback() }()
	_, err = tx.ExecContext(ctx, "SELECT id FROM wares WHERE name = 'rival' FOR UPDATE NOWAIT")
	if !errors.Is(err, dbfleet.ErrLockTimeout) {
		s.wrong("a lock that is not to be had: %v", err)
	}
}

func deadlocked(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) {
	rival, err := run.rival()
	if err != nil {
		s.wrong("rival: %v", err)
		return
	}
	waiting, giveUp := context.WithCancel(context.WithoutCancel(run.ctx))
	waited := make(chan error, 1)
	go func() {
		_, err := rival.ExecContext(waiting, "UPDATE wares SET note = 'rival' WHERE name = 'saved'")
		waited <- err
	}()
	err = tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE wares SET stock = stock WHERE name = 'rival'")
		return err
	})
	if err != nil && !errors.Is(err, dbfleet.ErrDeadlock) {
		s.wrong("deadlock: %v", err)
	}
	if run.db.Dialect == "postgres" { // which keeps what was locked before the savepoint
		giveUp()
	}
	<-waited
	giveUp()
	_ = rival.Rollback()
}

// waits has a stranger wait for the transaction's locks.
func (run *faultRun) waits() {
	run.others.Go(func() {
		_, err := run.free()
		if err != nil && !strings.Contains(err.Error(), "1213") { // MariaDB may choose who waits as a deadlock's victim
			run.t.Errorf("who waits for the transaction's locks: %v", err)
		}
	})
}

func TestFaults_BetweenTheStepsOfATransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		want := 0
		for name, options := range faultOptions {
			for what, i := range intruders {
				if i.on != nil && !slices.Contains(i.on, db.Dialect) {
					continue
				}
				for k := range len(faultSteps) + 1 {
					if i.notFirst && k < 2 || i.seldom && (k%8 != 1 || !patient(options)) || !i.seldom && !chosen(options, what, k, len(faultSteps)+1) {
						continue
					}
					for j, careless := range []bool{false, true} {
						if !faultTorture && k%2 != j {
							continue
						}
						b.run(faultPoint{
							name: fmt.Sprintf("%s: %s before step %d, careless %v", name, what, k, careless), options: options,
							careless: careless, ends: i.ends, fails: i.ends, config: i.config,
							arm: beforeStep(k, func(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) error {
								i.do(ctx, tx, s, run)
								return nil
							}),
						})
						want++
					}
				}
			}
		}
		b.counted(want, 150)
	})
}
