package session

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/position"
)

// ServerRole is what a server takes of its sessions.
type ServerRole uint8

// The roles. Unknown is that of a database without roles, and of a session that does
// not know.
const (
	RoleUnknown  ServerRole = iota
	RoleWritable            // it takes writes
	RoleStandby             // it takes none: in recovery, or read-only
)

func (r ServerRole) String() string {
	switch r {
	case RoleWritable:
		return "writable"
	case RoleStandby:
		return "standby"
	}
	return "unknown"
}

// Report is what a server says of itself.
type Report struct {
	Role ServerRole
	// System is whose history of writes the server has: PostgreSQL's system
	// identifier. "" is unknown.
	System string
	// Server is the server itself as it has run since it started: another one behind the
	// same name has another. "" is unknown.
	Server string
	// Group is the cluster whose members are all primaries, as of Galera. "" is none.
	Group string
	// Position is how far the server is: the end of what a primary has written, what a
	// replica has applied, so that its sessions see it. None is unknown.
	Position position.Position
	// Received is what a replica has got, which is at least what its sessions may see
	// already. None is unknown.
	Received position.Position
	// Guessed says that the timeline of Position is the last one that the standby has
	// noted, which it may have left since. Its position means what it says while the
	// primary is known to be on the same timeline. A standby of PostgreSQL tells for certain to
	// members of pg_read_all_stats only.
	Guessed bool
}

// A Prober is a Session that can say of its server what it is and how far, in one round
// trip.
type Prober interface {
	Probe(ctx context.Context) (Report, error)
}

// A Locator is a Session that knows positions.
type Locator interface {
	// Position is at or behind the end of what the session has committed last; none if
	// the server keeps no history.
	Position(ctx context.Context) (position.Position, error)
	// WaitFor waits until the server has applied all up to target, at most for wait. It
	// says false before that if the server will not, as one with another history.
	WaitFor(ctx context.Context, target position.Position, wait time.Duration) (reached bool, err error)
}

// An AheadLocator is a Locator whose statements can ask for Position themselves.
type AheadLocator interface {
	Locator
	// LocateNext has the next statement take the question of Position along, so that
	// Position after it costs no round trip of its own, or has it not any more. It says
	// whether it will. A statement may leave it out all the same, as one that was not sent.
	LocateNext(does bool) bool
	// Unsettled says that such a question was sent and its answer not read. The session
	// takes nothing but Position, Settle and Close then.
	Unsettled() bool
	// Settle reads the answer, if it was not read yet, and forgets it.
	Settle(ctx context.Context) error
}

// A RoleTeller is a Session that knows its server's role without asking.
type RoleTeller interface {
	Role() ServerRole
}

// An Interruptible is a Session whose connection can be ended from outside. Silent and
// Interrupt may be called at any time by any goroutine, and do not wait.
type Interruptible interface {
	// Bound has the server be silent for as long as timeout at most, 0 is forever, while a
	// statement runs. It is called once the session is ready: until then its opener's time
	// counts alone.
	Bound(timeout time.Duration)
	// Silent is how long the server was silent while something waits for it; 0 if nothing
	// does.
	Silent() time.Duration
	// Interrupt ends what waits for the server, with err.
	Interrupt(err error)
}

// An InterruptedError says that a connection was ended because its server was found
// silent. Err is how.
type InterruptedError struct{ Err error }

func (e *InterruptedError) Error() string { return "interrupted: " + e.Err.Error() }

func (e *InterruptedError) Unwrap() error { return e.Err }

// A Historian is a Session whose server knows who has written which part of its history.
type Historian interface {
	// Includes reports whether the history includes all that target does, whoever has
	// written since.
	Includes(ctx context.Context, target position.Position) (position.Answer, error)
}
