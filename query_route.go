package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The wish of a query is shared by its copies; a change makes a new one.

//go:noinline
func (q *query) named(connection string) *query {
	if connection == "" {
		return q.without("DB", "the name of the connection is empty")
	}
	next, w := q.wishing()
	w.db = connection
	return next
}

//go:noinline
func (q *query) sharded(key any) *query {
	next, w := q.wishing()
	w.shard, w.hasShard = key, true
	return next
}

//go:noinline
func (q *query) primary() *query {
	next, w := q.wishing()
	w.primary, w.replica = true, ""
	return next
}

//go:noinline
func (q *query) onReplica(name string) *query {
	if name == "" {
		return q.without("OnReplica", "the name of the replica is empty")
	}
	next, w := q.wishing()
	w.primary, w.read, w.replica = false, true, name
	return next
}

//go:noinline
func (q *query) within(maxLag time.Duration) *query {
	if maxLag <= 0 {
		return q.without("MaxLag", "it takes how stale a replica may be, more than nothing; Primary reads what is fresh")
	}
	next, w := q.wishing()
	w.maxLag = maxLag
	return next
}

//go:noinline
func (q *query) using(tx *Tx) *query {
	if err := tx.given(); err != nil {
		if q.usable() == nil {
			return q.broken(err)
		}
		return q.next()
	}
	next, w := q.wishing()
	w.tx = tx
	return next
}

// wishing returns a copy with a wish of its own.
func (q *query) wishing() (*query, *wish) {
	next := q.next()
	w := *next.wish()
	next.at = &w
	return next, &w
}

// wish is what the query asks of its route; it is not changed.
func (q *query) wish() *wish {
	if q.at == nil {
		return &noWish
	}
	return q.at
}

var (
	errNilQuery = &StatementError{Reason: "the query or model is nil"}
	errNoSource = &StatementError{Reason: "a query comes from a model or a table; this one is the zero value"}
)

// usable returns what is wrong with the query's source.
func (q *query) usable() error {
	switch {
	case q == nil:
		return errNilQuery
	case q.src == nil:
		return errNoSource
	case q.src.err != nil:
		return q.src.err
	case q.shape != nil && q.shape.err != nil:
		return errorf("%s: %w", q.place(), q.shape.err)
	case q.shape != nil && len(q.relations) > 0:
		return q.src.table.Fail("With loads relations of the model's records; rows of another type have none")
	}
	return nil
}

// Statement implements sqlgen.Subquery.
func (q *query) Statement(scope string) (sqlgen.Query, sqlgen.Table, error) {
	if err := q.usable(); err != nil {
		return sqlgen.From(""), nil, err
	}
	to, err := q.destination()
	if err != nil {
		return q.q, nil, err
	}
	if to.connection != scope && q.src.reg.homeOf(to.connection) != scope {
		return q.q, nil, q.src.table.Fail("the subquery belongs to connection %q, the statement goes to %q", to.connection, scope)
	}
	if q.src.tenant != nil {
		q.ownedOn(scope)
	}
	return q.q, q.src.table.ForSQL(), nil
}

// destination decides the connection of a query, by the shard key among its
// conditions.
func (q *query) destination() (destination, error) {
	if q.src.shard == nil {
		return q.src.destination(q.wish(), nil, false)
	}
	keys, list, _ := q.q.Equal(q.src.shard.column())
	to, err := q.src.destination(q.wish(), keys, list)
	if err != nil && keys == nil && !q.wish().hasShard {
		if why := q.q.WhyNotEqual(q.src.shard.column()); why != "" {
			err = q.src.missingKey(why)
		}
	}
	return to, err
}

// env is what rendering the query for a place needs to know. It is small enough to be
// inlined, so that it costs no allocation.
func (q *query) env(p *place) *sqlgen.Env {
	env := &sqlgen.Env{}
	q.learn(env, p)
	return env
}

func (q *query) learn(env *sqlgen.Env, p *place) {
	*env = *q.src.table.Env(p.e.dialect, p.e.home())
	env.Models, env.Implicit = &q.src.reg.models, p.scopes
	env.Far, env.Owned = p.answers, q.src.reg.ownersAt(p)
}

// explain tells where the query would run as a read.
func (q *query) explain(ctx context.Context) (Route, error) {
	t := selection{trip: trip{q: q}}
	if err := t.route(ctx, &t); err != nil {
		return Route{}, told(err)
	}
	defer t.place.leave()
	write := t.writes()
	var unanswered *sqlgen.UnansweredError
	if err := t.render(&t.place, &t.statement); err == nil || errors.As(err, &unanswered) { // what is wrong with it is told when it runs
		write = t.statement.write
	}
	t.place.explains = true
	if err := t.place.choose(ctx, write); err != nil {
		return Route{}, told(err)
	}
	return t.place.toldRoute(), nil
}

// text renders the query as it would be sent, without sending it.
func (q *query) text(ctx context.Context) (sql string, args []any, err error) {
	t := selection{trip: trip{q: q}}
	if err := t.route(ctx, &t); err != nil {
		return "", nil, told(err)
	}
	defer t.place.leave()
	if err = t.render(&t.place, &t.statement); err != nil {
		asking := t // of its own: t is allocated for nobody else
		err = asking.answered(ctx, &asking, err)
		return asking.statement.text, asking.statement.args, told(err)
	}
	return t.statement.text, t.statement.args, nil
}
