package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// Route tells where an operation goes, and why.
type Route struct {
	// Connection is the name of the connection.
	Connection string
	// Node is the server: the connection's name for its primary,
	// "name/replica-1" and so on for replicas.
	Node string
	Role Role
	// Tx says that a transaction of the context or of Using carries it.
	Tx bool
	// Reason says in words what decided.
	Reason string

	more string // the rest of Reason, until told joins them
}

// told returns the route as others see it. Most routes are never looked at, so
// their reason is put together here.
func (r *Route) told() Route {
	out := *r
	out.Reason, out.more = r.Reason+r.more, ""
	return out
}

// String is for people: "users_db/replica-1 (replica; in turn)".
func (r Route) String() string { return fmt.Sprintf("%s (%s; %s)", r.Node, r.Role, r.Reason) }

// place is what a query asks of its route.
type place struct {
	db       string // a connection named on the call
	tx       *Tx    // Using
	shard    any    // a key given on the call
	hasShard bool
	primary  bool
	read     bool // on a handle for reads
}

// target is a decided route. It holds its entry until leave.
type target struct {
	e     *entry
	tx    *txState
	node  *node
	index int    // of a replica in the set
	tried uint64 // replicas that were asked
	route Route
	// one is the text for one row, while an insert of several with RETURNING is
	// sent.
	one string
	// quick says that what reads the rows of query calls no code of the program's
	// own, such as a Scan method, and keeps nothing of them.
	quick bool
}

// connectionFor decides the connection: the one named on the call, the shard
// of a key, the model's, the default. keys is what is known of the shard key
// beside the call; see shardFor.
func (s *source) connectionFor(at *place, keys any, list bool) (name, reason string, err error) {
	switch {
	case at.db != "":
		return at.db, "named on the call", nil
	case s.shard != nil:
		return s.shardFor(at, keys, list)
	case at.hasShard:
		return "", "", fmt.Errorf("dbfleet: table %q is not sharded, a shard key was given", s.table)
	case s.connection != "":
		return s.connection, s.why, nil
	}
	return s.reg.defaultName, "the default", nil
}

// target decides the node for one operation on a connection and tells it in t,
// which is empty before. The caller must call leave, unless there is an error.
func (r *Registry) target(ctx context.Context, t *target, name, reason string, at *place, write bool) error {
	if write && at.read {
		return fmt.Errorf("dbfleet: connection %q: %w", name, ErrReadHandle)
	}
	if tx := at.tx; tx != nil {
		if err := r.belongs(tx, name); err != nil {
			return err
		}
		t.inTx(tx.st, "the transaction given to Using")
		return nil
	}
	if tx := txOf(ctx, r, name); tx != nil {
		if err := tx.usable(); err != nil {
			return err
		}
		t.inTx(tx.st, "the transaction in the context")
		return nil
	}
	e, err := r.use(name)
	if err != nil {
		return err
	}
	t.e, t.index = e, -1
	t.route.Connection = name
	switch {
	case write:
		t.primary(reason, "; a write")
	case at.primary:
		t.primary(reason, "; the primary was asked for")
	case e.replicas.Len() == 0:
		t.primary(reason, "")
	default:
		t.read(reason)
	}
	return nil
}

// belongs says whether a transaction given by Using can serve a connection.
func (r *Registry) belongs(tx *Tx, name string) error {
	if tx.st.e.name != name || tx.st.e.reg != r {
		return &TxConnectionError{Tx: tx.st.e.name, Want: name}
	}
	return tx.usable()
}

func (t *target) inTx(st *txState, reason string) {
	t.e, t.tx, t.node, t.index = st.e, st, st.node, -1
	t.route = Route{Connection: st.e.name, Node: st.node.name, Role: st.node.role, Tx: true, Reason: reason}
}

func (t *target) primary(reason, more string) {
	t.node, t.index = t.e.primary, -1
	t.route.Node, t.route.Role, t.route.Reason = t.node.name, RolePrimary, reason
	t.route.more = more
}

// read takes the next replica in turn, or the primary when none is fit.
func (t *target) read(reason string) {
	n, i, ok := t.e.replicas.Pick(t.tried)
	if !ok {
		t.primary(reason, "; no replica is fit")
		return
	}
	t.node, t.index = n, i
	if i < 64 {
		t.tried |= 1 << i
	}
	t.route.Node, t.route.Role, t.route.Reason = n.name, RoleReplica, reason
	t.route.more = "; a replica in turn"
}

func (t *target) leave() {
	if t.tx == nil {
		t.e.leave()
	}
}

// answered tells the replica set how the node did. A caller who did not wait
// says nothing about it; one whose deadline passed in silence, a little.
func (t *target) answered(err error) {
	if t.index < 0 {
		return
	}
	if err == nil {
		t.e.replicas.Answered(t.index)
		return
	}
	p := driver.Classify(err)
	switch {
	case isAcquireTimeout(err):
	case unreachable(err):
		t.e.replicas.Failed(t.index)
	case p.Class == driver.Timeout && (p.Unanswered || isConnectError(err)):
		t.e.replicas.Silent(t.index)
	case !p.NotSent && !p.Unanswered:
		t.e.replicas.Answered(t.index) // with an error of the statement
	}
}

func isAcquireTimeout(err error) bool {
	var a *AcquireTimeoutError
	return errors.As(err, &a)
}

// unreachable says that the node cannot serve, whoever asks.
func unreachable(err error) bool {
	var silence *driver.SilenceError
	switch driver.Classify(err).Class {
	case driver.Connection, driver.TooManyConnections:
		return true
	case driver.Auth: // not of a table
		return isConnectError(err)
	case driver.Timeout:
		return errors.As(err, &silence)
	}
	return false
}

// failover decides whether a read that err ended may be asked again, and
// where: the next replica, the primary when all have been tried, and once more
// the primary itself if a connection of it was lost.
func (t *target) failover(ctx context.Context, err error, again *bool) bool {
	if t.tx != nil || ctx.Err() != nil || !unreachable(err) {
		return false
	}
	if t.index >= 0 {
		if t.index >= 64 {
			return false
		}
		t.read("failover from " + strconv.Quote(t.route.Node))
		return true
	}
	p := driver.Classify(err)
	if *again || p.Class != driver.Connection || isConnectError(err) {
		return false
	}
	*again = true
	return true
}
