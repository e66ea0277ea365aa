package twophase

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endCoordinator checks what the caller is told, at once.
func (w *world) endCoordinator() {
	w.coordinator = over
	w.closeSessions()
	n := w.rules.participants
	count := [5]int{}
	for _, s := range w.servers[:n] {
		count[s.txn]++
	}
	told := w.p.outcome
	switch {
	case w.meddled:
	case !w.harmed && told != Committed:
		w.blame("told %s, and nothing was wrong", told)
	case told == Committed && count[txnCommitted] != n,
		told == CommittedPending && (w.servers[0].txn != txnCommitted || count[txnCommitted]+count[txnPrepared] != n),
		told == RolledBack && count[txnCommitted] > 0,
		told == Mixed:
		w.blame("told %s, and the servers have %v", told, count)
	}
}

func (w *world) blame(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

// quiet says whether nothing is on its way any more.
func (w *world) quiet() bool {
	if w.coordinator == running || len(w.requests) > 0 {
		return false
	}
	for _, s := range w.servers {
		if s.session != sessionOver {
			return false
		}
	}
	return w.recoveries[0].life != running && w.recoveries[1].life != running
}

// judge lets recoverers finish, without any more harm, and checks what is left. The world
// goes no further.
func (w *world) judge() {
	w.faults, w.hands = 0, 0
	w.recover()
	for i := range w.servers {
		if w.servers[i].txn == txnGhost {
			if w.row.there && w.row.decision == ToCommit && w.row.incidents == 0 {
				w.blame("a ghost that nobody has told of")
			}
			w.exorcise(i)
		}
	}
	w.recover()
	committed := 0
	for i, s := range w.servers[:w.rules.participants] {
		switch s.txn {
		case txnCommitted:
			committed++
		case txnOpen, txnPrepared:
			w.blame("participant %d is left in state %d", i, s.txn)
		}
	}
	all, none := committed == w.rules.participants, committed == 0
	told := w.p.outcome
	switch incidents := w.row.incidents != 0; {
	case w.meddled && (all || none):
		if incidents && !w.unsaid {
			w.blame("an incident, and all participants agree")
		}
	case w.meddled:
		if !incidents && !(w.coordinator == over && told == Mixed) {
			w.blame("%d of %d committed, and no incident", committed, w.rules.participants)
		}
		return
	case !all && !none:
		w.blame("%d of %d committed", committed, w.rules.participants)
	case incidents:
		w.blame("an incident without a breach")
	}
	if w.row.there && !w.row.finished && w.row.incidents == 0 {
		w.blame("a record is left open")
	}
	if w.coordinator == over && !w.meddled && (told == RolledBack && !none || (told == Committed || told == CommittedPending) && !all) {
		w.blame("told %s, and in the end %d of %d are committed", told, committed, w.rules.participants)
	}
}

// recover lets recoverers do what they find to do.
func (w *world) recover() {
	for range 3 {
		if !w.traces() {
			break
		}
		w.startRecovery(0)
		for len(w.requests) > 0 {
			if w.requests[0].stage == answeredStage {
				w.deliver(0)
			} else {
				w.carry(0)
			}
		}
	}
}

// found is what a search has seen.
type found struct {
	states   int
	ends     int
	outcomes map[Outcome]int
	fault    string
	trace    []string
}

// search visits every world that can follow the first, and stops at the first fault.
func search(first *world) found {
	f := found{outcomes: map[Outcome]int{}}
	seen := map[string]bool{}
	type step struct {
		move
		from *step
	}
	var key []byte
	stack := []*step{{move: move{to: first}}}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		key = at.to.key(key[:0])
		if seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		if at.to.quiet() {
			f.ends++
			if at.to.coordinator == over {
				f.outcomes[at.to.p.outcome]++
			}
			end := at.to.clone()
			end.judge()
			at.to.fault = end.fault
		}
		if at.to.fault != "" {
			f.fault = at.to.fault
			for s := at; s.from != nil; s = s.from {
				f.trace = append(f.trace, s.String())
			}
			slices.Reverse(f.trace)
			break
		}
		for _, m := range at.to.moves() {
			stack = append(stack, &step{move: m, from: at})
		}
	}
	f.states = len(seen)
	return f
}

func (f found) String() string { return f.fault + "\n  " + strings.Join(f.trace, "\n  ") }

// truth 1116
// promise: all or none across databases after recovery, and results that are true.
func TestModel_AllOrNoneInEveryInterleaving(t *testing.T) {
	t.Parallel()
	only, faulty := []Outcome{Committed}, []Outcome{Committed, RolledBack, Unknown}
	for name, c := range map[string]struct {
		rules
		least int // states
		told  []Outcome
	}{
		"two, no fault":                          {rules{participants: 2, tries: 2}, 20, only},
		"two, no fault, two recoverers, MariaDB": {rules{participants: 2, recoverers: 2, tries: 2, clings: true, sweeps: true}, 10000, only},
		"two, one fault":                         {rules{participants: 2, faults: 1, tries: 2}, 300, faulty},
		"two, one fault, a recoverer":            {rules{participants: 2, faults: 1, recoverers: 1, tries: 2}, 5000, faulty},
		"two, one fault, two recoverers":         {rules{participants: 2, faults: 1, recoverers: 2, tries: 2}, 100000, faulty},
		"two, one fault, retention":              {rules{participants: 2, faults: 1, recoverers: 1, tries: 2, sweeps: true}, 10000, faulty},
		"two, two faults, a recoverer":           {rules{participants: 2, faults: 2, recoverers: 1, tries: 2}, 50000, append(faulty, CommittedPending)},
		"two, two faults, MariaDB":               {rules{participants: 2, faults: 2, recoverers: 1, tries: 2, clings: true}, 50000, append(faulty, CommittedPending, Mixed)},
		"three, one fault":                       {rules{participants: 3, faults: 1, tries: 2}, 3000, faulty},
		"three, one fault, a recoverer":          {rules{participants: 3, faults: 1, recoverers: 1, tries: 1}, 50000, append(faulty, CommittedPending)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := search(newWorld(&c.rules))
			require.Empty(t, f.fault, "%s", f)
			require.GreaterOrEqual(t, f.states, c.least, "the model does not do what it did")
			require.ElementsMatch(t, c.told, slices.Collect(maps.Keys(f.outcomes)))
			t.Logf("%d states, %d ends, outcomes %v", f.states, f.ends, f.outcomes)
		})
	}
}

// The same at length: make torture.
func TestTorture_ModelInDepth(t *testing.T) {
	t.Parallel()
	deep := []rules{{participants: 3, faults: 1, tries: 2}}
	if os.Getenv("DBFLEET_TORTURE") != "" {
		deep = append(deep,
			rules{participants: 2, faults: 2, recoverers: 2, tries: 2},
			rules{participants: 2, faults: 2, recoverers: 2, tries: 2, clings: true, sweeps: true},
			rules{participants: 2, faults: 3, recoverers: 1, tries: 2, sweeps: true},
			rules{participants: 2, faults: 2, hands: 1, recoverers: 1, tries: 2},
			rules{participants: 2, faults: 1, hands: 2, recoverers: 2, tries: 2},
			rules{participants: 3, faults: 2, tries: 2},
			rules{participants: 3, faults: 1, hands: 1, recoverers: 1, tries: 1},
		)
	}
	for _, r := range deep {
		f := search(newWorld(&r))
		require.Empty(t, f.fault, "%+v: %s", r, f)
		t.Logf("%+v: %d states, %d ends, outcomes %v", r, f.states, f.ends, f.outcomes)
	}
}

// hazard 317, 322: what people and failovers break is recorded, and told if the
// coordinator meets it.
func TestModel_WhatIsBrokenFromOutsideIsAnIncident(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rules{
		"two":              {participants: 2, hands: 1, recoverers: 1, tries: 2},
		"two, one fault":   {participants: 2, hands: 1, recoverers: 1, faults: 1, tries: 2},
		"three":            {participants: 3, hands: 1, tries: 2},
		"two, MariaDB":     {participants: 2, hands: 1, recoverers: 1, tries: 2, clings: true},
		"three, one fault": {participants: 3, hands: 1, faults: 1, tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := search(newWorld(&r))
			require.Empty(t, f.fault, "%s", f)
			t.Logf("%d states, %d ends, outcomes %v", f.states, f.ends, f.outcomes)
		})
	}
}
