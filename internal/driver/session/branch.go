package session

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A Brancher is a Session that can prepare its transaction: the server then keeps it,
// through the end of the session and its own crash, until somebody commits it or rolls
// it back by name.
//
// Commit and Rollback end a branch that is not prepared as any other transaction.
type Brancher interface {
	BeginBranch(ctx context.Context, id BranchID, o TxOptions) error
	// PrepareBranch prepares the transaction of BeginBranch. nil means that the server
	// has verifiably done so. An error that the server answered means that the branch is
	// rolled back. attached says that only this session can finish it as long as it
	// lives, and can do nothing else until then.
	PrepareBranch(ctx context.Context, id BranchID) (attached bool, err error)
	// FinishPrepared commits a prepared branch, or rolls it back. own says that this
	// session is attached to it. Its error is a *BranchError where the server has said why.
	FinishPrepared(ctx context.Context, id BranchID, commit, own bool) error
	// ListPrepared lists the prepared branches whose names are those of a BranchID.
	ListPrepared(ctx context.Context) ([]PreparedBranch, error)
	// CheckBranches says what keeps the server or this session from preparing, as
	// *BranchSetupError, several joined.
	CheckBranches(ctx context.Context) error
}

// A WriteTeller is a Session that can ask the server whether its open transaction has
// written anything that its commit would make last.
type WriteTeller interface {
	Wrote(ctx context.Context) (bool, error)
}

// A Durable is a Session that may answer COMMIT before it is on the disk.
type Durable interface {
	// MakeDurable keeps it from that for the next transaction.
	MakeDurable(ctx context.Context) error
}

// branchPrefix begins the names of all branches. Prepared transactions without it are
// somebody else's.
const branchPrefix = "dbfleet_"

const (
	maxBranchGlobal    = 64 // MySQL's
	maxBranchQualifier = 9  // digits
)

// A BranchID names a branch: Global is the same for all branches of one transaction,
// Qualifier is the number of the branch in decimal digits. PostgreSQL, which has one
// name, gets String.
type BranchID struct{ Global, Qualifier string }

// String is both parts with an underscore between them.
func (b BranchID) String() string { return b.Global + "_" + b.Qualifier }

// Valid says whether the name is in this module's form, which no quoting can change:
// "dbfleet_" and then letters of lower case, digits and underscores, at most 64 bytes
// in all; and a number from 1.
func (b BranchID) Valid() bool {
	if len(b.Global) > maxBranchGlobal || len(b.Global) <= len(branchPrefix) || !strings.HasPrefix(b.Global, branchPrefix) {
		return false
	}
	for i := range len(b.Global) {
		if c := b.Global[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	if len(b.Qualifier) == 0 || len(b.Qualifier) > maxBranchQualifier || b.Qualifier[0] == '0' {
		return false
	}
	for i := range len(b.Qualifier) {
		if c := b.Qualifier[i]; c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ParseBranchID reads what String wrote. ok is false for every other text.
func ParseBranchID(text string) (id BranchID, ok bool) {
	i := strings.LastIndexByte(text, '_')
	if i < 0 {
		return id, false
	}
	id = BranchID{Global: text[:i], Qualifier: text[i+1:]}
	return id, id.Valid()
}

// A PreparedBranch is a branch that waits for its end.
type PreparedBranch struct {
	ID BranchID
	// Owner is the account that prepared it, "" where the server does not tell.
	Owner string
	// Since is when it was prepared and Age for how long it has been, both by the
	// server's clock; zero where the server does not tell, as MySQL.
	Since time.Time
	Age   time.Duration
}

// Why a prepared branch could not be finished. Each is the Reason of a *BranchError.
// After all of them but ErrBranchUnknown and ErrBranchRolledBack the branch is still
// prepared.
var (
	// ErrBranchUnknown: the server has no prepared branch of that name: it is finished,
	// it never was, or it is not prepared yet.
	ErrBranchUnknown = errors.New("no such prepared branch")
	// ErrBranchHeld: the branch is prepared, and a session that still lives holds it.
	ErrBranchHeld = errors.New("the prepared branch is held by a session that is still connected")
	// ErrBranchRolledBack: the server has rolled the branch back and committed nothing of
	// it. MariaDB says so of one that wrote nothing, whose session has ended.
	ErrBranchRolledBack = errors.New("the server has rolled the branch back")
	// ErrBranchDenied: the account may not finish it.
	ErrBranchDenied = errors.New("the account may not finish the prepared branch")
	// ErrBranchElsewhere: it belongs to another database of the server.
	ErrBranchElsewhere = errors.New("the prepared branch belongs to another database")
	// ErrBranchReadOnly: the server is a standby, or takes no writes. What it says of
	// branches proves nothing.
	ErrBranchReadOnly = errors.New("a server that takes no writes finishes no prepared branch")
)

// A BranchError is the server's refusal to finish a prepared branch, or to list them.
// errors.Is finds the Reason, and Err, the server's own words, which may be nil.
type BranchError struct {
	ID     BranchID // the zero value when they were listed
	Reason error
	Err    error
}

func (e *BranchError) Error() string {
	s := e.Reason.Error()
	if e.ID != (BranchID{}) {
		s = e.ID.String() + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *BranchError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// A BranchSetupError says what has to be set before a database can take part with a
// branch.
type BranchSetupError struct {
	Setting string // what to set, as the server or the configuration calls it
	Reason  string
}

func (e *BranchSetupError) Error() string { return e.Setting + ": " + e.Reason }
