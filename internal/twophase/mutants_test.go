package twophase

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A mutant is a mistake that the model must find.
type mutant int8

const (
	faithful         mutant = iota
	noLease                 // the decision's row is written by the commit, not before the first PREPARE
	decideOverwrites        // the same, and whatever stands there
	noFence                 // that there is no record is taken for an abort
	recovererLooksUp        // the same, by recoverers only
	markerFirst             // the marker is read before the list
	unknownIsDone           // an unknown branch is taken for a finished one
	lostIsRefused           // a lost answer to COMMIT is taken for a rollback
	lostIsPrepared          // a lost vote is taken for a yes
	noHorizon               // the ledger does not know what it may have forgotten
	blindIncident           // an incident is recorded on a finished record
	blindFinish             // a record is finished whatever it says
	noAudit                 // markers without a record are not looked for
	believes                // what MariaDB says to another session is believed
)

// hears is what the machine is told instead of an answer.
func (m mutant) hears(in phase, r request) answer {
	switch {
	case m == unknownIsDone && r.answer == noSuch && (r.command.op == OpCommitPrepared || r.command.op == OpRollbackPrepared):
		return done
	case m == lostIsRefused && r.answer == unknown && r.command.op == OpCommit:
		return refused
	case m == lostIsPrepared && r.answer == unknown && r.command.op == OpPrepare:
		return done
	}
	return r.answer
}

func TestModel_FindsEachMistake(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rules{
		"the decision's row is not there before the first PREPARE":   {mutant: noLease, recoverers: 1},
		"the decision's row is written by the commit, over an abort": {mutant: decideOverwrites, recoverers: 1},
		"no record is taken for an abort":                            {mutant: noFence, faults: 1},
		"a recoverer takes no record for an abort":                   {mutant: recovererLooksUp, recoverers: 1},
		"the marker is read before the list":                         {mutant: markerFirst, recoverers: 1},
		"an unknown branch is taken for finished":                    {mutant: unknownIsDone, recoverers: 1, clings: true},
		"a lost answer to COMMIT is taken for a rollback":            {mutant: lostIsRefused, faults: 1},
		"a lost vote is taken for a yes":                             {mutant: lostIsPrepared, faults: 1},
		"the ledger forgets what it forgot":                          {mutant: noHorizon, recoverers: 1, faults: 1, sweeps: true},
		"a record is finished whatever it says":                      {mutant: blindFinish, recoverers: 1, faults: 1, hands: 1},
		"markers without a record are not looked for":                {mutant: noAudit, faults: 1, hands: 1},
		"MariaDB is believed":                                        {mutant: believes, recoverers: 1, faults: 2, clings: true},
		"an incident is recorded on a finished record":               {mutant: blindIncident, recoverers: 1, sweeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.participants, r.tries = 2, 2
			f := search(newWorld(&r))
			require.NotEmpty(t, f.fault, "the model does not see it in %d states", f.states)
			t.Log(f)
		})
	}
}
