package twophase

// Outcome is what the caller of a commit is told. Each is exact.
type Outcome int8

const (
	// Committed says that every participant is committed.
	Committed Outcome = iota
	// RolledBack says that none is committed, and none will be. Result.Pending names branches
	// whose locks may still be held until a recoverer has come by.
	RolledBack
	// CommittedPending says that it is decided, every participant will be committed, and
	// Result.Pending names those that are not yet known to be.
	CommittedPending
	// Unknown says that the anchor's answer was lost, and its ledger could not be asked. It is one
	// or the other as a whole; ask for Result.ID. Where one participant alone wrote there
	// is no ID to ask for.
	Unknown
	// Mixed says that someone from outside finished a branch contrary to the decision.
	// Result.Incidents tells which.
	Mixed
)

var outcomeNames = [...]string{"committed", "rolled back", "committed, branches pending", "unknown", "mixed"}

func (o Outcome) String() string { return outcomeNames[o] }
