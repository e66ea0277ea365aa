package dbfleet

import (
	"context"
	"sync"
	"time"
)

// NodeCondition is what a node has become.
type NodeCondition string

// The conditions. A replica is in one of the first five at a time.
const (
	// ConditionUnknown: it has not answered yet. It serves reads meanwhile.
	ConditionUnknown NodeCondition = "unknown"
	// ConditionHealthy: it answers.
	ConditionHealthy NodeCondition = "healthy"
	// ConditionSuspect: a read was not served, or a question of the library's own was not
	// answered. Others serve until the next question decides.
	ConditionSuspect NodeCondition = "suspect"
	// ConditionEjected: it does not answer. What waits for it goes to others, and it is
	// asked again and again.
	ConditionEjected NodeCondition = "ejected"
	// ConditionSlowStart: it answers again, and gets ever more of the reads.
	ConditionSlowStart NodeCondition = "slow start"
	// ConditionLagging: it is further behind than Reads.MaxLag, or how far is not known.
	ConditionLagging NodeCondition = "lagging"
	// ConditionFresh: it is within Reads.MaxLag again.
	ConditionFresh NodeCondition = "fresh"
	// ConditionForeign: it is a standby of another database cluster than the primary's, and
	// serves nothing, not even what asks for it by its name. PostgreSQL only.
	ConditionForeign NodeCondition = "foreign"
	// ConditionPromoted: it is the primary now.
	ConditionPromoted NodeCondition = "promoted"
	// ConditionDemoted: it was the primary, and is not any more.
	ConditionDemoted NodeCondition = "demoted"
	// ConditionTwoPrimaries: it and another claim to be the primary, so that nothing is
	// written until one is left.
	ConditionTwoPrimaries NodeCondition = "two primaries"
	// ConditionAdded and ConditionRemoved: SetReplicas or Discover has named it, or does
	// not name it any more.
	ConditionAdded   NodeCondition = "added"
	ConditionRemoved NodeCondition = "removed"
	// ConditionMoved: its name leads to other addresses. Connections to those that are gone
	// are not used again.
	ConditionMoved NodeCondition = "moved"
	// ConditionUndiscovered: Discover has failed, or its list has faults, and the replicas
	// stay as they are. Node is the connection's name.
	ConditionUndiscovered NodeCondition = "undiscovered"
)

// NodeEvent is a change of one node of a connection that has replicas or several hosts.
type NodeEvent struct {
	Connection string
	// Node is the node's name, as in Route.
	Node string
	Role Role
	// From is what it was, "" where that is no condition of its own.
	From NodeCondition
	To   NodeCondition
	// Reason says in words what decided. It may have an error's text, but no secret.
	Reason string
	Time   time.Time
}

// OnNodeChange calls h at each change of a node of every connection that has replicas or
// several hosts: one that does not answer any more, is back, is too far behind, was
// promoted, has come or gone. The result removes h again; both may be called at any time.
// It panics if h is nil.
//
// The hooks of a connection are called one after the other, in the order of the changes,
// on a goroutine of their own, which holds no lock: one that blocks holds up the later
// events of its connection and nothing else. 1024 events wait; what is beyond is left out.
// Its context ends with the connection, and statements that are run with it call no hooks.
// The end of the connection waits for it, so it may not wait for that: Close and Remove
// may not be called in it. One that does not return holds up Close for 30 seconds, Shutdown,
// Remove and Replace until their context ends, and is named in their error. A panic of it
// ends the program.
func (r *Registry) OnNodeChange(h func(ctx context.Context, e NodeEvent)) (remove func()) {
	return r.hooked("OnNodeChange").nodes.add("OnNodeChange", h)
}

// OnNodeChange is that of the registry for this connection only. It is called after the
// registry's, stays when the connection is replaced, and goes with it when it is removed.
// It panics if the registry does not know the connection.
func (db *DB) OnNodeChange(h func(ctx context.Context, e NodeEvent)) (remove func()) {
	return db.hooks("OnNodeChange").nodes.add("OnNodeChange", h)
}

// maxNodeEvents is how many events of a connection may wait for its hooks.
const maxNodeEvents = 1024

// nodeEvents are the events of an entry that its hooks are yet to be told. The goroutine
// that tells them is there while there are any. It is safe for concurrent use.
type nodeEvents struct {
	mu      sync.Mutex // protects following fields
	queue   []NodeEvent
	now     NodeEvent // that is being told
	closed  bool
	telling chan struct{}      // closed when all are told; nil while nothing is
	cancel  context.CancelFunc // ends the hooks' context; nil while nothing is told
}

// nodeChanged tells the hooks that a node has become something.
func (e *entry) nodeChanged(n *node, to NodeCondition, why string) { e.nodeTurned(n, "", to, why) }

func (e *entry) nodeTurned(n *node, from, to NodeCondition, why string) {
	e.tellNode(NodeEvent{Connection: e.name, Node: n.name, Role: n.role(), From: from, To: to, Reason: why, Time: time.Now()})
}

func (e *entry) tellNode(event NodeEvent) {
	if e.reg.hooks.nodes.empty() && e.hooks.nodes.empty() {
		return
	}
	q := &e.events
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.queue) >= maxNodeEvents {
		return
	}
	q.queue = append(q.queue, event)
	if q.telling != nil {
		return
	}
	q.telling = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	go e.tellNodes(&hookContext{ctx, nil})
}

// tellNodes tells the hooks what is in the queue, and what comes into it meanwhile.
func (e *entry) tellNodes(ctx context.Context) {
	q := &e.events
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.cancel()
			close(q.telling)
			q.telling, q.cancel = nil, nil
			q.mu.Unlock()
			return
		}
		event := q.queue[0]
		q.queue, q.now = q.queue[1:], event
		q.mu.Unlock()
		e.reg.hooks.nodes.call(ctx, event)
		e.hooks.nodes.call(ctx, event)
	}
}

// lastEvents is how long hooks have for the last of what they are told, where the end that
// waits for them has no time left.
const lastEvents = 100 * time.Millisecond

// close takes no more events, and waits until the hooks have been told those that there
// are. When ctx ends, their context does too, and what they have not been told is dropped. The
// error is that of a hook which has not returned then.
func (q *nodeEvents) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	telling, cancel := q.telling, q.cancel
	q.mu.Unlock()
	if telling == nil {
		return nil
	}
	select {
	case <-telling:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.queue = nil
	q.mu.Unlock()
	cancel()
	t := time.NewTimer(lastEvents)
	defer t.Stop()
	select {
	case <-telling:
		return nil
	case <-t.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return errorf("connection %q: a hook of OnNodeChange, told that node %q is %s, has not returned: %w", q.now.Connection, q.now.Node, q.now.To, ctx.Err())
}
