package dbfleet

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/replicaset"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Route tells where an operation goes, and why.
type Route struct {
	// Connection is the name of the connection.
	Connection string
	// Node is the server: the connection's name for its primary,
	// "name/replica-1" and so on for replicas.
	Node string
	Role Role
	// Shard is the name of the shard, which is its connection's, where the operation
	// is one of a sharded model; "" otherwise.
	Shard string
	// Tenant is the tenant of the operation's context; "" without one.
	Tenant string
	// Tx says that a transaction of the context or of Using carries it.
	Tx bool
	// Reason says in words what decided.
	Reason string

	more  string // the rest of Reason, until told joins them
	group string // of tenants' databases, of which Connection is one; "" for others
}

// CountedAs returns the names under which the statements of many tenants are counted, so
// that their number does not grow with the tenants': Connection and Node, but for a
// tenant's database of AddTenants those of Registry.Nodes, "shops" and "shops", or
// "shops/replicas" for a replica.
func (r Route) CountedAs() (connection, node string) {
	if r.group == "" {
		return r.Connection, r.Node
	}
	return r.group, groupNode(r.group, r.Role)
}

// String is for people: "users_db/replica-1 (replica; in turn)".
func (r Route) String() string { return fmt.Sprintf("%s (%s; %s)", r.Node, r.Role, r.Reason) }

// wish is what a call asks of its route.
type wish struct {
	db       string // a connection named on the call
	tx       *Tx    // Using
	shard    any    // a key given on the call
	hasShard bool
	primary  bool
	read     bool          // on a handle for reads
	replica  string        // OnReplica
	maxLag   time.Duration // MaxLag, 0 for none
	unscoped []string      // WithoutScope; never changed once shared
}

// noWish asks for nothing.
var noWish wish

// placed says whether the call names the place itself.
func (w *wish) placed() bool { return w.db != "" || w.hasShard }

// destination is what the first half of a route decides: the connection, and why.
type destination struct{ connection, reason string }

// destination decides the connection: the one named on the call, the shard of a
// key, the model's, the default. keys is what is known of the shard key beside the
// call; see shardFor.
func (s *source) destination(w *wish, keys any, list bool) (destination, error) {
	switch {
	case w.db != "":
		return destination{w.db, "named on the call"}, nil
	case s.shard != nil:
		return s.shardFor(w, keys, list)
	case w.hasShard:
		return destination{}, errorf("table %q is not sharded, a shard key was given", s.table.Name)
	case s.connection != "":
		return destination{s.connection, s.why}, nil
	}
	return destination{s.reg.defaultName, "the default"}, nil
}

// destinationOf is destination for a record, by its shard key.
func (s *source) destinationOf(w *wish, record any) (destination, error) {
	if s.shard == nil || w.placed() && w.db != "" {
		return s.destination(w, nil, false)
	}
	key := s.table.ShardValue(record)
	to, err := s.destination(w, key, false)
	if err == nil && key != nil && !w.placed() {
		to.reason = "the shard of the record"
	}
	return to, err
}

// place is a decided route: a transaction, or a connection of which the node is
// chosen when a statement is sent there. It holds its entry until leave.
type place struct {
	e       *entry
	tx      *txState // nil outside of one
	by      *Tx      // the handle that leads to it
	within  *Tx      // the savepoint, or tx itself, that the last statement stood in
	landing *landing // of who must know what was written; nil for nobody
	on      *held    // what statements run on; nil takes a connection for each
	lent    *lent    // what on gives out by raw methods
	primary bool     // the primary was asked for
	reads   bool     // what is being sent is a plain read, outside of a transaction or Conn
	yields  bool     // another node may answer it as well, see Left
	guarded bool     // only on sessions that refuse writes
	begins  bool     // a transaction, at the primary

	explains bool // nothing will be sent
	capped   bool // on the primary in a turn of those that no replica serves
	helps    bool // on the primary for replicas that have just come back
	hasTurn  bool // it has that turn
	refound  bool // the primary was looked for because of this statement

	asked   *asked // what the context asks for, nil for nothing
	tellTo  *Route // WithRoute, nil for none
	in      sessionPlace
	scopes  func(sqlgen.Subquery) ([]sqlgen.Cond, error) // of queries inside of the statement; nil for none
	answers *sqlgen.Far                                  // of other connections about conditions of the query; nil for none

	node  *sessions // nil until they are chosen
	route Route

	only   *replicaset.Member[*node] // the replica that the call names, nil for none
	maxLag time.Duration             // how stale a replica may be, 0 for however stale
	now    time.Time                 // by which that is told
	atMost time.Duration             // how stale the replica may be that was chosen, 0 for however stale

	member       *replicaset.Member[*node] // the replica that node is, nil for none
	attempt      replicaset.Attempt[*node] // at member
	tried        replicaset.Tried[*node]   // replicas that were asked
	askedPrimary bool
	yielded      bool                      // a node was given up at half of the time
	late         *replicaset.Member[*node] // the last of those, nil for the primary
}

// place decides the place of one operation. The caller must call leave, unless
// there is an error. A write on a handle for reads is ErrReadHandle.
func (r *Registry) place(ctx context.Context, p *place, to destination, w *wish, write bool) error {
	if err := r.usable(); err != nil {
		return err
	}
	if ctx == nil {
		return noContext(to.connection)
	}
	if write && w.read {
		return errorf("connection %q: %w", to.connection, ErrReadHandle)
	}
	list := txsOf(ctx)
	asked := list.wants()
	p.asked, p.tellTo, p.in.session = asked, asked.route, asked.session
	if asked.tenantFault != nil {
		return asked.tenantFault
	}
	if r.grouped.Load() {
		var err error
		if to.connection, err = r.connectionFor(asked, to.connection); err != nil {
			return err
		}
	}
	if tx := w.tx; tx != nil {
		if err := r.belongs(tx, to.connection); err != nil {
			return err
		}
		if err := p.inTxFor(tx, "the transaction given to Using", asked); err != nil {
			return err
		}
		return w.onlyOutside(to.connection)
	}
	tx, err := list.txFor(r, to.connection)
	if err != nil {
		return err
	}
	if tx != nil {
		if err := tx.usable(); err != nil {
			return err
		}
		if err := p.inTxFor(tx, "the transaction in the context", asked); err != nil {
			return err
		}
		return w.onlyOutside(to.connection)
	}
	e, err := r.useFor(ctx, to.connection)
	if err != nil {
		return err
	}
	p.e, p.primary = e, w.primary
	e.monitor.begin()
	switch {
	case w.replica != "":
		if p.only, err = e.replicaNamed(w.replica); err != nil {
			e.leave()
			return err
		}
	case e.replicas.Len() > 0:
		p.primary = w.primary || asked.primary
		if p.maxLag = cmp.Or(w.maxLag, asked.maxLag); p.maxLag > 0 {
			e.monitor.wantsWithin(p.maxLag)
		} else if !p.primary {
			p.maxLag = e.config.Reads.MaxLag
		}
	}
	p.route.Connection, p.route.Reason, p.route.Tenant = to.connection, to.reason, asked.tenant
	return nil
}

// onlyOutside refuses a replica in a transaction, whose statements run where it is.
func (w *wish) onlyOutside(connection string) error {
	if w.replica == "" {
		return nil
	}
	return errorf("connection %q: OnReplica(%q) in a transaction, whose statements run where it was begun", connection, w.replica)
}

// entryAt is the generation of a connection that a write meets there: that of its
// transaction, which goes on when the connection is replaced or closed.
func (q *query) entryAt(ctx context.Context, connection string) (*entry, error) {
	if tx := q.wish().tx; tx != nil && tx.given() == nil && (tx.st.e.name == connection || tx.st.e.home() == connection) {
		return tx.st.e, nil
	}
	if tx := txOf(ctx, q.src.reg, connection); tx != nil {
		return tx.st.e, nil
	}
	return q.src.reg.lookup(connection)
}

// belongs says whether a transaction given by Using can serve a connection.
func (r *Registry) belongs(tx *Tx, connection string) error {
	if err := tx.given(); err != nil {
		return err
	}
	switch e := tx.st.e; {
	case e.reg == r && (e.name == connection || e.of != nil && e.of.name == connection):
		return tx.usable()
	case e.reg == r && e.of != nil && strings.HasPrefix(connection, e.of.name+"/"):
		return tx.st.othersTenant()
	default:
		return &TxConnectionError{Tx: e.name, Want: connection}
	}
}

func (st *txState) othersTenant() error {
	return errorf("connection %q: the transaction is the tenant %q's, the context is not: %w", st.e.name, st.tenant, ErrOtherTenant)
}

func (p *place) inTx(tx *Tx, reason string) {
	st := tx.st
	p.e, p.tx, p.by, p.on, p.lent, p.node = st.e, st, tx, &st.held, &tx.lent, st.node
	p.route = Route{Connection: st.e.name, Node: st.node.name, Role: st.node.role(), Tenant: st.tenant, Tx: true, Reason: reason}
}

// inTxFor is inTx for a context that asks for that, which may be another tenant's.
func (p *place) inTxFor(tx *Tx, reason string, a *asked) error {
	st := tx.st
	switch {
	case a.tenantFault != nil:
		return a.tenantFault
	case st.tenant != "" && (a.across || a.tenant != "" && a.tenant != st.tenant):
		return st.othersTenant()
	}
	p.inTx(tx, reason)
	if a.tenant != "" {
		p.route.Tenant = a.tenant
	}
	return nil
}

// holds tells the route that the place holds rows of a model, which may be a shard.
func (p *place) holds(s *source) {
	if s.shard != nil {
		p.route.Shard = p.route.Connection
	}
}

func (p *place) leave() {
	if p.tx == nil {
		p.e.leave()
	}
}

// choose decides the node, once: the transaction's, the primary for a write, else
// a replica. Its error says that there is none where the call may go.
func (p *place) choose(ctx context.Context, write bool) error {
	switch {
	case p.node != nil:
	case p.begins:
		return p.toPrimary(ctx, "")
	case p.only != nil && write:
		return errorf("connection %q: what is not known to be a plain read, on a replica: %w", p.e.name, ErrReadHandle)
	case p.only != nil:
		return p.toOnly(ctx)
	case write:
		return p.toPrimary(ctx, "; a write")
	case p.primary:
		return p.toPrimaryOf(ctx)
	case p.in.session != nil && p.e.monitor.needed():
		return p.inSession(ctx)
	case p.e.replicas.Len() == 0:
		return p.toPrimary(ctx, "")
	default:
		return p.toReplica(ctx)
	}
	return nil
}

// toPrimary takes the primary, once it is known which node that is.
func (p *place) toPrimary(ctx context.Context, more string) error {
	n, err := p.e.atPrimary(ctx)
	if err != nil {
		return err
	}
	p.node, p.member, p.askedPrimary, p.capped = &n.writes, nil, true, false
	if p.guarded {
		p.node = &n.reads
	}
	p.route.Node, p.route.Role, p.route.more = p.node.name, p.node.role(), more
	return nil
}
