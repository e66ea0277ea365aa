package twophase

import (
	"errors"
	"fmt"
)

// What an error of a database means for the protocol. An error that is none of these
// says nothing: what was asked for may have happened, may happen later, or never.
var (
	// ErrRefused: the server answered, and what was asked for has not happened and
	// never will. A PREPARE or COMMIT that is refused has rolled back.
	ErrRefused = errors.New("refused by the server")

	// ErrNoSuch: the server answered that it knows no such prepared transaction. It
	// says so of one that is finished, of one that never was, and MariaDB also of one
	// whose session is still connected.
	ErrNoSuch = errors.New("no such prepared transaction")

	// ErrUnproved: the server answered that it has finished the prepared transaction, and
	// may be wrong. MariaDB (10.11) can answer so to another session at the moment in
	// which the session that prepared ends: the transaction is then neither listed nor
	// committed, and keeps its locks, until the server has started again. The driver waits
	// for that end; this is for what it cannot see.
	ErrUnproved = errors.New("finished by the word of the server alone")

	// ErrHeld: someone who lives holds it: try again. Of a fence it means that the
	// coordinator's own transaction is still open.
	ErrHeld = errors.New("held by a session that lives")

	// ErrForgotten: the ledger has no record of the ID, and may have had one that was
	// deleted after its retention.
	ErrForgotten = errors.New("older than the oldest record that the ledger keeps")

	// ErrSettled: an incident was to be recorded on a record that is finished or gone.
	ErrSettled = errors.New("the record is finished")
)

// As gives an error a meaning: errors.Is finds both the meaning and the error. The
// text stays that of err. It returns nil if err is nil.
func As(meaning, err error) error {
	if err == nil {
		return nil
	}
	return &answered{meaning: meaning, err: err}
}

type answered struct{ meaning, err error }

func (a *answered) Error() string   { return a.err.Error() }
func (a *answered) Unwrap() []error { return []error{a.meaning, a.err} }

// answer is what a machine is told of a command.
type answer int8

const (
	done      answer = iota
	refused          // ErrRefused, or any failure of what may fail
	unknown          // an error that says nothing
	noSuch           // ErrNoSuch, ErrUnproved: look; of an incident, ErrSettled
	held             // ErrHeld
	forgotten        // ErrForgotten
	commit           // of a fence: the decision
	abort
	listed // of a look: the branch is still prepared
	marked // of a look: it is committed
	gone   // of a look: neither
)

var answerNames = [...]string{"done", "refused", "unknown", "no such", "held", "forgotten", "commit", "abort", "listed", "marked", "gone"}

func (a answer) String() string { return answerNames[a] }

// answerOf translates what a database said.
func answerOf(err error) answer {
	switch {
	case err == nil:
		return done
	case errors.Is(err, ErrRefused):
		return refused
	case errors.Is(err, ErrNoSuch), errors.Is(err, ErrUnproved), errors.Is(err, ErrSettled):
		return noSuch
	case errors.Is(err, ErrHeld):
		return held
	case errors.Is(err, ErrForgotten):
		return forgotten
	}
	return unknown
}

// Op is one thing that the protocol asks a database.
type Op int8

// What the protocol asks for.
const (
	OpRelease          Op = iota // COMMIT of a participant that has only read
	OpDecide                     // INSERT of the decision in the anchor's transaction
	OpMark                       // INSERT of the marker in a branch's transaction
	OpPrepare                    // PREPARE TRANSACTION, XA END and XA PREPARE
	OpCommit                     // COMMIT of the anchor, or of the one participant that wrote
	OpRollback                   // ROLLBACK of a transaction that is not prepared
	OpCommitPrepared             // COMMIT PREPARED, XA COMMIT
	OpRollbackPrepared           // ROLLBACK PREPARED, XA ROLLBACK
	OpLook                       // is the branch prepared; if not, is its marker there
	OpFence                      // INSERT of an abort under the decision's key
	OpIncident                   // record an incident
	OpFinish                     // close the record
	OpList                       // all prepared branches of a database
	OpOpen                       // all open records of a ledger
	OpAudit                      // compare the markers of a database with the records
	OpForget                     // delete what is older than the retention
)

var opNames = [...]string{
	"release", "decide", "mark", "prepare", "commit", "rollback", "commit prepared", "rollback prepared",
	"look", "fence", "incident", "finish", "list", "open", "audit", "forget",
}

func (o Op) String() string {
	if o < 0 || int(o) >= len(opNames) {
		return fmt.Sprintf("Op(%d)", int8(o))
	}
	return opNames[o]
}
