package twophase

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// prepare brings a transaction to where all branches are prepared, and no further.
func (f *fleet) prepare(t *testing.T) *fleet {
	t.Helper()
	f.begin("a", "b", "c")
	require.NoError(t, f.lives[0].Decide(t.Context(), Record{ID: f.t.ID, Decision: ToCommit, Branches: []BranchRef{
		{Number: 1, Name: "orders", Ledger: f.all[1].id}, {Number: 2, Name: "stock", Ledger: f.all[2].id},
	}}))
	for i, l := range f.lives[1:] {
		require.NoError(t, l.Prepare(t.Context(), BranchID{f.t.ID, 1 + i}))
	}
	return f
}

func TestRecover_LeavesALiveCoordinatorAlone(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Report{Alive: []ID{f.t.ID}}, report)
	doubts, err := InDoubt(t.Context(), f.members())
	require.NoError(t, err)
	require.Len(t, doubts, 1)
	require.Equal(t, Undecided, doubts[0].Standing)
	require.Equal(t, "users", doubts[0].Anchor)
	require.Len(t, doubts[0].Prepared, 2)
	require.WithinDuration(t, time.Now(), doubts[0].Since, time.Minute)

	require.NoError(t, f.lives[0].Commit(t.Context()))
	report, err = Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	require.ElementsMatch(t, []BranchID{{f.t.ID, 1}, {f.t.ID, 2}}, report.Committed)
	require.Equal(t, 1, report.Settled)
	f.clean(t)
}

func TestRecover_RollsBackWhatNobodyDecides(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	f.lives[0].disconnect()
	report, err := Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	require.ElementsMatch(t, []BranchID{{f.t.ID, 1}, {f.t.ID, 2}}, report.RolledBack)
	require.Error(t, f.lives[0].Commit(t.Context()), "it can never commit any more")
	f.clean(t)
}

// Other applications and other deployments have prepared transactions, too.
func TestRecover_TouchesOnlyWhatItsOwnLedgersDecide(t *testing.T) {
	t.Parallel()
	f := newFleet()
	other := BranchID{NewID(NewLedgerID(), time.Now()), 1}
	f.all[1].prepared[other] = "row"
	f.all[2].marks[other] = true
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Report{}, report)
	require.Contains(t, f.all[1].prepared, other)
	require.Contains(t, f.all[2].marks, other)
	doubts, err := InDoubt(t.Context(), f.members())
	require.NoError(t, err)
	require.Empty(t, doubts)
}

func TestRecover_SettlesWhatItCanReach(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	require.NoError(t, f.lives[0].Commit(t.Context()))
	f.all[1].set(true)
	report, err := Recover(t.Context(), f.members())
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, `connection "orders": list: connection refused`)
	require.Equal(t, []BranchID{{f.t.ID, 2}}, report.Committed)
	require.Equal(t, []ID{f.t.ID}, report.Pending)

	f.all[1].set(false)
	report, err = Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	require.Equal(t, []BranchID{{f.t.ID, 1}}, report.Committed)
	f.clean(t)
}

// Seen: a recovery whose context has no end, as that in the background, waited for a database
// that fell silent after it was asked first, for as long as each statement may take.
func TestRecover_DoesNotWaitForWhoFallsSilentMeanwhile(t *testing.T) {
	t.Parallel()
	for op, at := range map[Op]int{OpFence: 0, OpFinish: 0, OpCommitPrepared: 1, OpForget: 1} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet().prepare(t)
			require.NoError(t, f.lives[0].Commit(t.Context()))
			f.all[at].mute[op] = true
			start := time.Now()
			report, err := Recover(context.Background(), f.members())
			require.ErrorIs(t, err, context.DeadlineExceeded, op)
			require.LessOrEqual(t, time.Since(start), patience, op)
			require.Empty(t, report.Incidents, op)
			if at == 1 {
				require.Contains(t, report.Committed, BranchID{f.t.ID, 2}, op)
			}
			delete(f.all[at].mute, op)
			_, err = Recover(t.Context(), f.members())
			require.NoError(t, err, op)
			f.clean(t)
		})
	}
}

func TestRecover_ABranchWhoseConnectionIsGoneStaysPending(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	require.NoError(t, f.lives[0].Commit(t.Context()))
	report, err := Recover(t.Context(), f.members()[:2])
	require.NoError(t, err)
	require.Equal(t, []ID{f.t.ID}, report.Pending)
	require.False(t, f.all[0].records[f.t.ID].Finished)
}

// hazard 317
func TestRecover_FindsABranchThatWasCommittedByHand(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]func(*fleet){
		"another one is prepared": func(*fleet) {},
		"none is left":            func(f *fleet) { f.all[2].prepared = map[BranchID]string{} },
	} {
		f := newFleet().prepare(t)
		f.lives[0].disconnect()
		require.NoError(t, f.all[1].CommitPrepared(t.Context(), BranchID{f.t.ID, 1}))
		others(f)
		report, err := Recover(t.Context(), f.members())
		require.NoError(t, err)
		require.Equal(t, []Incident{{Branch: BranchID{f.t.ID, 1}, Name: "orders", Breach: Contradicting}}, report.Incidents, name)
		again, err := Recover(t.Context(), f.members())
		require.NoError(t, err)
		require.Equal(t, report.Incidents, again.Incidents, "until a person has dealt with it")
		require.Empty(t, f.all[2].prepared)
	}
}

// hazard 315, 322: an asynchronous failover or a restored backup lost the decision.
func TestRecover_FindsALostDecision(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	require.Equal(t, Committed, Commit(t.Context(), f.t).Outcome)
	f.all[0].records = map[ID]Record{}
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Len(t, report.Incidents, 2)
}

// hazard 320: a replica was promoted that has the PREPARE and not yet the rest.
func TestRecover_FinishesWhatAPromotedReplicaPreparedAgain(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	require.Equal(t, Committed, Commit(t.Context(), f.t).Outcome)
	b := BranchID{f.t.ID, 1}
	f.all[1].rows, f.all[1].prepared[b] = nil, "b"
	delete(f.all[1].marks, b)
	doubts, err := InDoubt(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Committing, doubts[0].Standing)
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, []BranchID{b}, report.Committed)
	require.Equal(t, []int{1, 1, 1}, f.rows())
	f.clean(t)
}

func TestRecover_DeletesMarkersAndRecordsAfterTheRetention(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	require.Equal(t, Committed, Commit(t.Context(), f.t).Outcome)
	require.Len(t, f.all[1].marks, 1)
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Report{Forgotten: 1}, report)
	require.Empty(t, f.all[0].records)
	require.Empty(t, f.all[1].marks)
	require.Empty(t, f.all[2].marks)

	f.all[1].prepared[BranchID{f.t.ID, 1}] = "b" // a very late promotion: a person must decide
	report, err = Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, Report{Outlived: []BranchID{{f.t.ID, 1}}}, report)
	require.Len(t, f.all[1].prepared, 1)
}

func TestRecover_DeletesMarkersOfWhatIsFinishedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet()
	for range 10 {
		require.Equal(t, Committed, Commit(t.Context(), f.begin("a", "b", "c").t).Outcome)
	}
	open := f.prepare(t).t.ID
	require.NoError(t, f.lives[0].Commit(t.Context()))
	require.NoError(t, f.all[1].CommitPrepared(t.Context(), BranchID{open, 1}))
	require.Len(t, f.all[1].marks, 11)
	f.all[2].fail[OpCommitPrepared] = errDown
	report, err := Recover(t.Context(), f.members(), Options{Retention: -1})
	require.ErrorIs(t, err, errDown)
	require.Equal(t, []ID{open}, report.Pending)
	require.Equal(t, map[BranchID]bool{{open, 1}: true}, f.all[1].marks)
	require.Len(t, f.all[0].records, 11)
}

func TestRecover_KeepsARecordWhoseMarkersItCannotReach(t *testing.T) {
	t.Parallel()
	f := newFleet().begin("a", "b", "c")
	require.Equal(t, Committed, Commit(t.Context(), f.t).Outcome)
	f.all[2].set(true)
	report, err := Recover(t.Context(), f.members())
	require.ErrorIs(t, err, errDown)
	require.Zero(t, report.Forgotten)
	require.Len(t, f.all[0].records, 1)
	report, err = Recover(t.Context(), f.members()[:2])
	require.NoError(t, err)
	require.Zero(t, report.Forgotten, "another process has the third connection")
}

// A copy or a second connection to one database, and a server that lists the branches of
// all its databases, make no difference.
func TestRecover_TakesTwoMembersThatListTheSame(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	require.NoError(t, f.lives[0].Commit(t.Context()))
	report, err := Recover(t.Context(), append(f.members(), f.members()...), Options{Retention: -1})
	require.NoError(t, err)
	require.Len(t, report.Committed, 2)
	f.clean(t)
}

func TestRecover_DoesNotBelieveWhatProvesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	require.NoError(t, f.lives[0].Commit(t.Context()))
	f.all[1].unsure, f.all[2].unsure, f.all[2].ghosts = true, true, true
	report, err := Recover(t.Context(), f.members())
	require.NoError(t, err)
	require.Equal(t, []BranchID{{f.t.ID, 1}}, report.Committed)
	require.Equal(t, []Incident{{Branch: BranchID{f.t.ID, 2}, Name: "stock", Breach: Lost}}, report.Incidents)

	f = newFleet().prepare(t)
	f.lives[0].disconnect()
	f.all[1].unsure, f.all[2].unsure = true, true
	report, err = Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	require.ElementsMatch(t, []BranchID{{f.t.ID, 1}, {f.t.ID, 2}}, report.RolledBack)
	f.clean(t)
}

func TestRecover_TwoAtOnceDoNoHarm(t *testing.T) {
	t.Parallel()
	f := newFleet()
	for range 50 {
		f.prepare(t)
		require.NoError(t, f.lives[0].Commit(t.Context()))
		f.prepare(t)
		f.lives[0].disconnect()
	}
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := Recover(t.Context(), f.members(), Options{Retention: -1})
			errs <- err
		}()
	}
	for range 3 {
		require.NoError(t, <-errs)
	}
	_, err := Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	require.Equal(t, []int{50, 50, 50}, f.rows())
	f.clean(t)
}

func TestAsk_SettlesWhatItAnswers(t *testing.T) {
	t.Parallel()
	f := newFleet().prepare(t)
	ask := func(want Outcome) {
		t.Helper()
		got, err := Ask(t.Context(), f.all[0], f.t.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	ask(Unknown) // the coordinator lives
	require.NoError(t, f.lives[0].Commit(t.Context()))
	ask(CommittedPending)
	_, err := Recover(t.Context(), f.members(), Options{Retention: -1})
	require.NoError(t, err)
	ask(Committed)
	_, err = Recover(t.Context(), f.members())
	require.NoError(t, err)
	_, err = Ask(t.Context(), f.all[0], f.t.ID)
	require.ErrorIs(t, err, ErrForgotten)

	f = newFleet().prepare(t)
	f.lives[0].disconnect()
	ask(RolledBack)
	require.Error(t, f.lives[0].Commit(t.Context()))
	require.NoError(t, f.all[0].Incident(t.Context(), Incident{Branch: BranchID{f.t.ID, 1}}))
	ask(Mixed)
	f.all[0].set(true)
	_, err = Ask(t.Context(), f.all[0], f.t.ID)
	require.ErrorIs(t, err, errDown)
}
