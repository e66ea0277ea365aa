package transactions

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// closureFaults are what a function of the program can do, wherever it is called.
var closureFaults = map[string]func(run *faultRun) error{
	"panic":  func(*faultRun) error { panic(errFault) },
	"goexit": func(*faultRun) error { runtime.Goexit(); return nil },
	"error":  func(*faultRun) error { return errFault },
	"cancel": func(run *faultRun) error { run.cancel(); return nil },
	"locks are free while it runs on": func(run *faultRun) error {
		run.cancel()
		_, err := run.free()
		return errors.Join(err, errFault)
	},
	"a conflict that it tells itself": func(*faultRun) error { return fmt.Errorf("mine: %w", dbfleet.ErrSerialization) },
}

// beforeStep calls do before the step k of the first attempt.
func beforeStep(k int, do func(ctx context.Context, tx *dbfleet.Tx, s *faultScript, run *faultRun) error) func(*faultScript, *faultRun) {
	return func(s *faultScript, run *faultRun) {
		s.at = func(ctx context.Context, tx *dbfleet.Tx, i int) error {
			if i != k || s.attempts > 1 {
				return nil
			}
			return do(ctx, tx, s, run)
		}
	}
}

func TestFaults_InTheFunctionOfATransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		want := 0
		for name, options := range faultOptions {
			for fault, do := range closureFaults {
				for k := range len(faultSteps) + 1 {
					if !chosen(options, fault, k, len(faultSteps)+1) {
						continue
					}
					b.run(faultPoint{
						name: fmt.Sprintf("%s: %s before step %d", name, fault, k), options: options,
						fails: fault != "a conflict that it tells itself" || options.Retries == 0,
						arm: beforeStep(k, func(_ context.Context, _ *dbfleet.Tx, _ *faultScript, run *faultRun) error {
							return do(run)
						}),
					})
					want++
				}
			}
		}
		b.counted(want, 50)
	})
}

// Callbacks of a model, and its values that read and write themselves.
func TestFaults_InWhatARecordCalls(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		want := 0
		run := func(p faultPoint) {
			if chosen(p.options, p.name, 0, 20) {
				b.run(p)
				want++
			}
		}
		for name, options := range faultOptions {
			for fault, do := range closureFaults {
				for _, callback := range []string{"BeforeCreate", "AfterCreate", "BeforeUpdate", "AfterUpdate"} {
					for _, careless := range []bool{false, true} {
						run(faultPoint{
							name:    fmt.Sprintf("%s: %s in %s, careless %v", name, fault, callback, careless),
							options: options, careless: careless,
							arm: func(s *faultScript, run *faultRun) {
								at := func(called string) error {
									if called != callback || s.attempts > 1 {
										return nil
									}
									return do(run)
								}
								s.created.At, s.saved.At, s.many[1].At = at, at, at
							},
						})
					}
				}
			}
			for _, fault := range []string{"panic", "goexit", "error"} {
				for _, careless := range []bool{false, true} {
					run(faultPoint{
						name: fmt.Sprintf("%s: %s in a Scanner, careless %v", name, fault, careless), options: options, careless: careless,
						notes: map[string]string{"kept": "scan " + fault},
					})
					for record, set := range map[string]func(s *faultScript, note wareNote){
						"create":    func(s *faultScript, note wareNote) { s.created.Note = note },
						"save":      func(s *faultScript, note wareNote) { s.saved.Note = note },
						"savepoint": func(s *faultScript, note wareNote) { s.many[2].Note = note },
						"undone":    func(s *faultScript, note wareNote) { s.undone.Note = note },
						"upsert":    func(s *faultScript, note wareNote) { s.upserted[1].Note = note },
					} {
						run(faultPoint{
							name:    fmt.Sprintf("%s: %s in the Valuer of %s, careless %v", name, fault, record, careless),
							options: options, careless: careless, fails: !careless && (record != "undone" || fault != "error"),
							arm: func(s *faultScript, _ *faultRun) { set(s, wareNote("value "+fault)) },
						})
					}
				}
			}
			note := t.Name() + name
			run(faultPoint{
				name: name + ": a Scanner asks the transaction", options: options, careless: true, notes: map[string]string{"kept": note},
				arm: beforeStep(0, func(ctx context.Context, tx *dbfleet.Tx, s *faultScript, _ *faultRun) error {
					asking.Store(note, func() error {
						_, err := tx.ExecContext(ctx, "UPDATE wares SET stock = stock")
						if !errors.Is(err, dbfleet.ErrBusy) {
							s.faults = append(s.faults, fmt.Sprintf("a Scanner that asks the transaction got %v", err))
						}
						return err
					})
					return nil
				}),
				disarm: func(*faultRun) { asking.Delete(note) },
			})
		}
		b.counted(want, 50)
	})
}

// The database refuses a step. PostgreSQL aborts the transaction by that, but for what
// stands behind a savepoint of its own.
func TestFaults_ErrorAnswers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		want := 0
		bare := []string{"exec", "lock", "rows", "prepared"}
		for name, options := range faultOptions {
			for _, step := range faultSteps {
				for _, careless := range []bool{false, true} {
					b.run(faultPoint{
						name:    fmt.Sprintf("%s: the database refuses %s, careless %v", name, step.name, careless),
						options: options, careless: careless,
						fails: step.name != "undone" && (!careless || db.Dialect == "postgres" && slices.Contains(bare, step.name)),
						arm:   func(s *faultScript, _ *faultRun) { s.poisoned = step.name },
					})
					want++
				}
			}
		}
		b.counted(want, 72)
	})
}
