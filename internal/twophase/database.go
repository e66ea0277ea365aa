package twophase

import (
	"context"
	"time"
)

// A Participant is one connection with an open transaction. Its methods are called one
// at a time.
//
// It holds its connection until a method has ended the transaction, or until its outcome
// is doubtful, and no longer: Commit, Rollback, CommitPrepared, RollbackPrepared and a
// Prepare that fails give it back before they return, or close it. It is closed unless
// the server has answered that the transaction is over: a session that is kept would hold
// off a recovery (the row of the decision; MariaDB's prepared branch). The calls that
// follow use other connections of the same pool, which may have only one.
type Participant interface {
	// Wrote says whether the transaction may have changed anything. It must be true
	// where that is not certain. It is asked once, before anything else.
	Wrote() bool

	// Commit ends the transaction, which is not prepared, with a plain COMMIT (XA
	// COMMIT ONE PHASE). nil means that the server has said so and that the transaction
	// was open until then: a COMMIT that a server answers with ROLLBACK, or that finds
	// no transaction, is ErrRefused. The anchor's must be durable when it is answered:
	// Decide sees to that as far as a session can.
	Commit(ctx context.Context) error

	// Rollback ends the transaction, which is not known to be prepared, whatever state
	// it is in. When it returns, its connection does no more work for it. An error
	// matters to no one: what was never committed is rolled back with its session.
	Rollback(ctx context.Context) error
}

// An Anchor is the participant whose plain COMMIT is the decision.
type Anchor interface {
	Participant

	// Decide inserts the record of a commit, which is not finished, inside of the
	// transaction. From here until the transaction ends, Fence is held off by the row.
	// It must fail if the server has ended the transaction already: the row would stand
	// alone, and at once.
	Decide(ctx context.Context, r Record) error
}

// A Branch is a participant that can prepare.
type Branch interface {
	Participant

	// Mark inserts the branch's marker inside of the transaction: a row that is there
	// from the commit of the branch on. It must fail if the server has ended the
	// transaction already.
	Mark(ctx context.Context, b BranchID) error

	// Prepare votes. nil means that the branch is verified to be prepared: PostgreSQL
	// answers PREPARE TRANSACTION in a failed transaction, or in none, without an error.
	Prepare(ctx context.Context, b BranchID) error

	// CommitPrepared and RollbackPrepared finish the prepared branch: the first call on
	// its own session while that stands (MariaDB refuses others until then), further
	// calls on fresh ones. nil means that the server has done it; what MariaDB says to
	// another session than the branch's own is ErrUnproved.
	CommitPrepared(ctx context.Context, b BranchID) error
	RollbackPrepared(ctx context.Context, b BranchID) error
}

// A Resource is one database, seen from connections of its own, each statement in a
// transaction of its own. Its methods may be called at once by several goroutines.
//
// All of them must be answered by the primary: a standby of PostgreSQL lists nothing,
// and a replica may not yet have what it is asked for. One that cannot be sure of its
// server returns an error.
type Resource interface {
	// Prepared lists the prepared branches that this database may finish, those for
	// which ParseBranchID or BranchOf is ok. All others are someone else's. The
	// databases of one MySQL server list the same ones; that does no harm.
	Prepared(ctx context.Context) ([]Prepared, error)

	// Marked returns the numbers of the branches of the transaction whose markers are
	// committed in this database.
	Marked(ctx context.Context, id ID) ([]int, error)

	// CommitPrepared and RollbackPrepared finish a branch whose own session is gone, or
	// does not need it. Where nil would prove nothing they return ErrUnproved.
	CommitPrepared(ctx context.Context, b BranchID) error
	RollbackPrepared(ctx context.Context, b BranchID) error

	// Marks returns transactions that have markers in this database: the next ones after
	// the given ID in the order of their bytes, each once, as many as are a good portion;
	// none if there are no more. Recover deletes the markers of what is finished, so they
	// are few where it is called regularly.
	Marks(ctx context.Context, after ID) ([]ID, error)

	// Unmark deletes the markers of the transactions. Those that are missing do not
	// matter.
	Unmark(ctx context.Context, ids []ID) error
}

// Prepared is a branch that waits for the decision.
type Prepared struct {
	Branch BranchID
	Since  time.Time // zero where the database does not tell
	Name   string    // of the member that listed it; InDoubt sets it
}

// A Ledger is the table of decisions in one database, seen from connections of its own,
// on its primary. Its methods may be called at once by several goroutines.
//
// The table has one key: the ID and a number. The decision is number 0; the markers of
// branches have their numbers, so that two participants may share a database. Times are
// the database's own.
type Ledger interface {
	// Fence makes sure of the decision: it inserts the record of an abort, and returns
	// it if that was possible. No commit can follow then, since it needs the same key.
	// If a record is there, Fence returns that one. If the insert is blocked, it waits a
	// moment at most and returns ErrHeld; so it does if the server chose it as the victim
	// of a deadlock (two fences that waited for the same row). If the insert was possible and Made of the ID
	// is not above the ledger's horizon (see Forget), it is undone and the error is
	// ErrForgotten; the horizon must be read after the insert.
	Fence(ctx context.Context, id ID) (Record, error)

	// Read returns the committed records of the given IDs, in any order. That an ID has
	// none proves nothing: its commit may be under way.
	Read(ctx context.Context, ids []ID) ([]Record, error)

	// Open returns the records that are not finished.
	Open(ctx context.Context) ([]Record, error)

	// Finish closes those records that have this decision and no incidents. Others stay
	// as they are: a failover may have put an abort in the place of a commit.
	Finish(ctx context.Context, d Decision, ids []ID) error

	// Incident adds an incident to the record, once. A finished commit stays as it is,
	// with ErrSettled: its markers may be deleted, and miss for that reason. A finished
	// abort is opened again. If there is no record, it makes that of an abort, unless the
	// ID may be forgotten: ErrSettled.
	Incident(ctx context.Context, i Incident) error

	// Old returns finished records that were finished longer ago than the retention.
	Old(ctx context.Context, retention time.Duration) ([]Record, error)

	// Forget deletes finished records, by their keys, and raises the ledger's horizon to
	// the youngest Made of the commits among them in the same transaction.
	Forget(ctx context.Context, ids []ID) error
}

// Decision is what became of a transaction.
type Decision int8

// The decisions. There is no third: until one of them is committed to the ledger the
// transaction is undecided, and has no record.
const (
	ToAbort Decision = iota
	ToCommit
)

// A Record is a row of the ledger.
type Record struct {
	ID        ID
	Decision  Decision
	Branches  []BranchRef // of a commit: all that were prepared
	Since     time.Time   // when it was inserted
	Finished  bool
	Incidents []Incident
}

// A BranchRef tells where a branch is. The identity finds it; the name is for people,
// since another process may call the connection otherwise.
type BranchRef struct {
	Number int
	Name   string
	Ledger LedgerID
}

// Breach is a way in which all-or-none was broken from outside.
type Breach int8

const (
	// Lost says that the decision is to commit, the branch was prepared, and now it is neither
	// prepared nor committed. Someone rolled it back by hand, or a failover lost it.
	Lost Breach = iota
	// Contradicting says that the decision is to abort, and the branch is committed. Someone
	// committed it by hand, or a failover or a restored backup lost the decision.
	Contradicting
)

func (b Breach) String() string {
	if b == Lost {
		return "lost branch"
	}
	return "contradicting outcome"
}

// An Incident is a breach at one branch. It stays in the ledger until a person has
// dealt with it.
type Incident struct {
	Branch BranchID
	Name   string
	Breach Breach
}

// A Member is one database of the deployment, as a recoverer sees it.
type Member struct {
	Name     string // of the connection
	LedgerID LedgerID
	Resource Resource
	Ledger   Ledger
}
