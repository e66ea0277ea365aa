package twophase

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fleet is an anchor and two branches.
type fleet struct {
	all   []*database
	lives []*live
	t     Transaction
}

func newFleet() *fleet {
	return &fleet{all: []*database{newDatabase("users"), newDatabase("orders"), newDatabase("stock")}}
}

// begin begins a transaction; an empty row is of a participant that only reads.
func (f *fleet) begin(rows ...string) *fleet {
	f.lives = nil
	for i, row := range rows {
		f.lives = append(f.lives, f.all[i].begin(row))
	}
	f.t = Transaction{ID: NewID(f.all[0].id, time.Now()), Anchor: f.lives[0], Ledger: f.all[0]}
	for i, l := range f.lives[1:] {
		f.t.Branches = append(f.t.Branches, TransactionBranch{Name: f.all[1+i].name, LedgerID: f.all[1+i].id, Live: l, Resource: f.all[1+i]})
	}
	return f
}

func (f *fleet) members() (list []Member) {
	for _, d := range f.all {
		list = append(list, Member{Name: d.name, LedgerID: d.id, Resource: d, Ledger: d})
	}
	return list
}

// rows are what each database has.
func (f *fleet) rows() (rows []int) {
	for _, d := range f.all {
		rows = append(rows, len(d.rows))
	}
	return rows
}

// clean checks that nothing is left of the transaction.
func (f *fleet) clean(t *testing.T) {
	t.Helper()
	for _, d := range f.all {
		require.Empty(t, d.prepared, d.name)
		for _, r := range d.records {
			require.True(t, r.Finished, "%s: %+v", d.name, r)
		}
	}
	doubts, err := InDoubt(t.Context(), f.members())
	require.NoError(t, err)
	require.Empty(t, doubts)
}

// hazard 319
func TestCommit_OfOneWriterIsPlain(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][]string{"the anchor": {"a", "", ""}, "a branch": {"", "b", ""}} {
		f := newFleet().begin(rows...)
		r := Commit(t.Context(), f.t)
		require.Equal(t, Result{Outcome: Committed}, r, name)
		for i, d := range f.all {
			if rows[i] != "" {
				require.Equal(t, []string{"commit"}, d.calls, name)
			} else {
				require.Equal(t, []string{"release"}, d.calls, name)
			}
		}
	}
}

func TestCommit_WithoutAWriterReleasesAll(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("", "", "")
	require.Equal(t, Result{Outcome: Committed}, Commit(t.Context(), f.t))
	for _, d := range f.all {
		require.Equal(t, []string{"release"}, d.calls)
	}
}

func TestCommit_TakesFourRoundsAndClosesTheRecord(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	require.Equal(t, Result{Outcome: Committed, ID: f.t.ID}, Commit(t.Context(), f.t))
	require.Equal(t, []string{"decide", "commit", "finish"}, f.all[0].calls)
	require.Equal(t, []string{"mark", "prepare", "commit prepared"}, f.all[1].calls)
	require.Equal(t, []string{"mark", "prepare", "commit prepared"}, f.all[2].calls)
	require.Equal(t, []int{1, 1, 1}, f.rows())
	f.clean(t)
}

func TestCommit_AnAnchorThatOnlyReadDecidesForTwoWriters(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("", "b", "c")
	require.Equal(t, Committed, Commit(t.Context(), f.t).Outcome)
	require.Equal(t, []int{0, 1, 1}, f.rows())
	f.clean(t)
}

func TestCommit_LeavesTheClosingOfRecordsToWhoeverAsksForIt(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b")
	var told ID
	require.Equal(t, Committed, Commit(t.Context(), f.t, Options{Committed: func(id ID) { told = id }}).Outcome)
	require.Equal(t, f.t.ID, told)
	require.False(t, f.all[0].records[told].Finished)
}

// hazard 301, 306, 308
func TestCommit_EachVoteCanAbortAll(t *testing.T) {
	t.Parallel()
	for _, op := range []Op{OpDecide, OpMark, OpPrepare, OpCommit} {
		for i := range 3 {
			if (i == 0) != (op == OpDecide || op == OpCommit) {
				continue
			}
			f := newFleet().begin("a", "b", "c")
			f.all[i].fail[op] = As(ErrRefused, errNoVote)
			r := Commit(t.Context(), f.t)
			require.Equal(t, RolledBack, r.Outcome, "%s %d", op, i)
			require.ErrorIs(t, r.Err, errNoVote)
			require.ErrorIs(t, r.Err, ErrRefused)
			require.Equal(t, i, r.By)
			require.Empty(t, r.Pending)
			require.Equal(t, []int{0, 0, 0}, f.rows())
			f.clean(t)
		}
	}
}

func TestCommit_AReaderThatCannotCommitAbortsAll(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "")
	f.all[2].fail[OpRelease] = As(ErrRefused, errNoVote)
	r := Commit(t.Context(), f.t)
	require.Equal(t, RolledBack, r.Outcome)
	require.Equal(t, 2, r.By)
	require.Equal(t, []int{0, 0, 0}, f.rows())
}

// hazard 324
func TestCommit_AnEndOfTheContextBeforeTheDecisionRollsBack(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before decide 0", "before mark 1", "after prepare 2", "before prepare 1"} {
		f := newFleet().begin("a", "b", "c")
		ctx, cancel := context.WithCancel(t.Context())
		r := Commit(ctx, f.t, Options{Step: func(s Step) {
			if s.String() == step {
				cancel()
			}
		}})
		require.Equal(t, RolledBack, r.Outcome, step)
		require.ErrorIs(t, r.Err, context.Canceled)
		require.Equal(t, []int{0, 0, 0}, f.rows())
		f.clean(t)
	}
}

// hazard 324
func TestCommit_AnEndOfTheContextAfterTheDecisionStopsNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before commit 0", "after commit 0", "before commit prepared 1"} {
		f := newFleet().begin("a", "b", "c")
		ctx, cancel := context.WithCancel(t.Context())
		r := Commit(ctx, f.t, Options{Step: func(s Step) {
			if s.String() == step {
				cancel()
			}
		}})
		require.Equal(t, Committed, r.Outcome, step)
		f.clean(t)
	}
}

func TestCommit_AsksTheLedgerWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	f.all[0].lose[OpCommit] = true
	require.Equal(t, Result{Outcome: Committed, ID: f.t.ID}, Commit(t.Context(), f.t))
	f.clean(t)

	f = newFleet().begin("a", "b", "c")
	f.all[0].fail[OpCommit] = errDown // and it has not arrived; the session is over
	r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
		if s.Op == OpFence && !s.After {
			f.lives[0].disconnect()
		}
	}})
	require.Equal(t, RolledBack, r.Outcome)
	require.ErrorIs(t, r.Err, errDown)
	require.Equal(t, []int{0, 0, 0}, f.rows())
	f.clean(t)
}

func TestCommit_IsUnknownWithItsIDWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet().begin("a", "b", "c")
		f.all[0].lose[OpCommit] = true
		f.all[0].fail[OpFence] = errDown
		began := time.Now()
		r := Commit(t.Context(), f.t, Options{Bound: 3 * time.Second})
		require.Equal(t, Result{Outcome: Unknown, ID: f.t.ID, Err: errDown}, r)
		require.InDelta(t, 3, time.Since(began).Seconds(), 0.6)

		delete(f.all[0].fail, OpFence)
		report, err := Recover(t.Context(), f.members(), Options{Retention: -1})
		require.NoError(t, err)
		require.Len(t, report.Committed, 2)
		require.Equal(t, []int{1, 1, 1}, f.rows())
		f.clean(t)
	})
}

func TestCommit_OfOneWriterIsUnknownWithoutAnID(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("", "b", "")
	f.all[1].lose[OpCommit] = true
	require.Equal(t, Result{Outcome: Unknown, Err: errDown, By: 1}, Commit(t.Context(), f.t))
}

func TestCommit_NamesTheBranchesThatArePending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet().begin("a", "b", "c")
		began := time.Now()
		r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
			if s.Op == OpCommit && s.After {
				f.all[2].set(true)
			}
		}})
		require.Equal(t, CommittedPending, r.Outcome)
		require.Equal(t, []BranchRef{{Number: 2, Name: "stock", Ledger: f.all[2].id}}, r.Pending)
		require.ErrorIs(t, r.Err, errDown)
		require.InDelta(t, 5, time.Since(began).Seconds(), 0.6)

		f.all[2].set(false)
		doubts, err := InDoubt(t.Context(), f.members())
		require.NoError(t, err)
		require.Len(t, doubts, 1)
		require.Equal(t, Committing, doubts[0].Standing)
		require.Equal(t, []Prepared{{Branch: BranchID{f.t.ID, 2}, Name: "stock"}}, doubts[0].Prepared)

		_, err = Recover(t.Context(), f.members(), Options{Retention: -1})
		require.NoError(t, err)
		f.clean(t)
	})
}

// hazard 317, 322
func TestCommit_TellsOfALostBranch(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
		if s.Op == OpCommit && s.After {
			f.all[1].prepared = map[BranchID]string{}
		}
	}})
	lost := Incident{Branch: BranchID{f.t.ID, 1}, Name: "orders", Breach: Lost}
	require.Equal(t, Mixed, r.Outcome)
	require.Equal(t, []Incident{lost}, r.Incidents)
	require.Equal(t, []Incident{lost}, f.all[0].records[f.t.ID].Incidents, "it is recorded before any recovery")
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, []Incident{lost}, report.Incidents)
	doubts, err := InDoubt(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Breached, doubts[0].Standing)
}

func TestCommit_ACallThatNeverReturnsIsNoVote(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
		if s.Op == OpPrepare && s.Number == 2 && !s.After {
			runtime.Goexit()
		}
	}})
	require.Equal(t, RolledBack, r.Outcome)
	require.ErrorIs(t, r.Err, errNoAnswer)
	require.Equal(t, []int{0, 0, 0}, f.rows())
	f.clean(t)
}

func TestCommit_GoesOnWhereverItsGoroutineIsEnded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var steps []string
	f := newFleet().begin("a", "b", "c")
	Commit(t.Context(), f.t, Options{Step: func(s Step) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, s.String())
	}})
	require.Len(t, steps, 2*(1+2+2+1+2+1))
	for _, step := range steps {
		f := newFleet().begin("a", "b", "c")
		unsent := step == "before commit 0" // by anybody: the transaction stays open
		bound := time.Minute
		if unsent {
			bound = 50 * time.Millisecond
		}
		r := Commit(t.Context(), f.t, Options{Bound: bound, Step: func(s Step) {
			if s.String() == step {
				runtime.Goexit()
			}
		}})
		want := 1
		switch {
		case unsent:
			require.Equal(t, Unknown, r.Outcome, step)
			f.lives[0].disconnect()
			want = 0
		case r.Outcome != Committed:
			require.Equal(t, RolledBack, r.Outcome, step)
			require.ErrorIs(t, r.Err, errNoAnswer, step)
			want = 0
		}
		_, err := Recover(t.Context(), f.members(), Options{Retention: -1})
		require.NoError(t, err)
		require.Equal(t, []int{want, want, want}, f.rows(), step)
		f.clean(t)
	}
}

// patient waits for a lock in its vote for as long as it may.
type patient struct{ *live }

func (p patient) Decide(ctx context.Context, _ Record) error {
	<-ctx.Done()
	return ctx.Err()
}

func (p patient) Mark(ctx context.Context, _ BranchID) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestCommit_TellsWhyTheVoteWasLostAndWaitsForNobodyElse(t *testing.T) {
	t.Parallel()
	for range 300 {
		for loser := range 3 {
			f := newFleet().begin("a", "b", "c")
			f.all[loser].fail[OpDecide], f.all[loser].fail[OpMark] = As(ErrRefused, errNoVote), As(ErrRefused, errNoVote)
			if loser > 0 {
				f.t.Anchor = patient{f.lives[0]}
			}
			for i := range f.t.Branches {
				if 1+i != loser {
					f.t.Branches[i].Live = patient{f.lives[1+i]}
				}
			}
			r := Commit(t.Context(), f.t)
			require.Equal(t, RolledBack, r.Outcome)
			require.ErrorIs(t, r.Err, errNoVote)
			require.Equal(t, loser, r.By)
		}
	}
}

// A goroutine a command is a thread's wake-up a command: only the vote of the second
// participant has one of its own.
func TestCommit_OfTwoTakesTwoGoroutines(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	by := map[string][]string{}
	f := newFleet().begin("a", "b")
	r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
		stack := make([]byte, 64)
		stack = stack[:runtime.Stack(stack, false)]
		name, _, _ := strings.Cut(string(stack), " [") // "goroutine 7"
		mu.Lock()
		defer mu.Unlock()
		by[name] = append(by[name], s.String())
	}})
	require.Equal(t, Committed, r.Outcome)
	require.Len(t, by, 2, "%v", by)
}

func TestCommit_APanicOfAParticipantIsAnError(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	r := Commit(t.Context(), f.t, Options{Step: func(s Step) {
		if s.Op == OpPrepare && s.Number == 2 && !s.After {
			panic("driver")
		}
	}})
	require.Equal(t, RolledBack, r.Outcome)
	require.EqualError(t, r.Err, "prepare: panic: driver")
	require.Equal(t, []int{0, 0, 0}, f.rows())
	f.clean(t)
}

// truth 1116
// hazard 316
// The coordinator is cut off from everything at each of its steps, and its sessions end;
// then there is a recovery.
func TestCommit_CutOffAtEachStepLeavesAllOrNone(t *testing.T) {
	t.Parallel()
	steps := recordSteps(t)
	require.Len(t, steps, 18)
	committed := 0
	for _, step := range steps {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet().begin("a", "b", "c")
			r := Commit(t.Context(), f.t, Options{Bound: time.Second, Step: func(s Step) {
				if s.String() == step {
					for _, d := range f.all {
						d.set(true)
					}
				}
			}})
			for i, d := range f.all {
				d.set(false)
				f.lives[i].disconnect()
			}
			_, err := Recover(t.Context(), f.members(), Options{Retention: -1})
			require.NoError(t, err)
			f.clean(t)
			sum := 0
			for _, n := range f.rows() {
				sum += n
			}
			require.Contains(t, []int{0, 3}, sum, "%s: %v, told %s", step, f.rows(), r.Outcome)
			committed += sum / 3
			switch r.Outcome {
			case Committed, CommittedPending:
				require.Equal(t, 3, sum, step)
			case RolledBack:
				require.Zero(t, sum, step)
			}
		})
	}
	require.Equal(t, 7, committed, "after the commit of the anchor")
}

func recordSteps(t *testing.T) (steps []string) {
	f := newFleet().begin("a", "b", "c")
	var mu sync.Mutex
	Commit(t.Context(), f.t, Options{Step: func(s Step) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, s.String())
	}})
	return steps
}

func TestAs_KeepsTheErrorAndItsText(t *testing.T) {
	t.Parallel()
	err := As(ErrHeld, errNoVote)
	require.EqualError(t, err, errNoVote.Error())
	require.ErrorIs(t, err, ErrHeld)
	require.ErrorIs(t, err, errNoVote)
	require.NoError(t, As(ErrHeld, nil))
	require.False(t, errors.Is(err, ErrRefused))
}
