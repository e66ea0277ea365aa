package dbfleet

import (
	"context"
	"time"
)

// WithRoute returns a context whose operations tell into route where they went: each
// statement that was sent, also one that failed, writes the route that it took when it
// has ended, so that of several the last one's stays. It works without hooks, and for
// the statements of a transaction too; BEGIN and COMMIT tell nothing, nor does what goes
// through the *sql.DB of Pool and ReplicaPool or a *sql.Stmt.
//
//	var route dbfleet.Route
//	user, err := users.Find(dbfleet.WithRoute(ctx, &route), id)
//	log.Printf("read from %s", route) // main/replica-1 (replica; the default; a replica in turn)
//
// route is written without a lock: use the context for one operation at a time. The
// innermost WithRoute counts. It panics if one of the two is nil.
func WithRoute(ctx context.Context, route *Route) context.Context {
	mustHave("WithRoute", "context", ctx != nil)
	mustHave("WithRoute", "route", route != nil)
	return askingFor(ctx, func(a *asked) { a.route = route })
}

// asked is what a context asks of the operations that run with it. It is not changed.
type asked struct {
	primary bool          // ReadPrimary
	maxLag  time.Duration // MaxLag, 0 for none
	route   *Route        // WithRoute, nil for none
	session *Session      // WithSession, nil for none
	n1      *n1Check      // WithN1Check, nil for none

	tenant      string // WithTenant, "" for none
	across      bool   // AcrossTenants
	tenantFault error  // why nothing may be sent, nil for nothing
}

// askedNothing is of a context that asks for nothing.
var askedNothing asked

// askingFor is ctx with one thing more that it asks for. That stands beside the
// transactions of the context, which every operation looks for anyway.
func askingFor(ctx context.Context, change func(*asked)) context.Context {
	list := txList{}
	if outer := txsOf(ctx); outer != nil {
		list = *outer
	}
	a := *list.wants()
	change(&a)
	list.asked = &a
	return &txContext{ctx, list}
}

// wants is what the context of the list asks for; l may be nil.
func (l *txList) wants() *asked {
	if l == nil || l.asked == nil {
		return &askedNothing
	}
	return l.asked
}

// txsOf is what a context knows of transactions, nil for nothing.
func txsOf(ctx context.Context) *txList {
	l, _ := ctx.Value(txKey{}).(*txList)
	return l
}

// tell writes the route for whoever asked for it by WithRoute.
func (p *place) tell() {
	if p.tellTo != nil {
		*p.tellTo = p.toldRoute()
	}
}
