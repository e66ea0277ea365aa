package dbfleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Scope is a condition of a model's own, for ModelConfig.Scopes: rows that do not meet it
// are not there for whoever starts from the model, unless Query.WithoutScope takes it away.
//
//	Scopes: []dbfleet.Scope{
//		{Name: "published", Conditions: []dbfleet.Cond{dbfleet.Col[bool]("published").Eq(true)}},
//		{Name: "tenant", For: func(ctx context.Context) ([]dbfleet.Cond, error) {
//			id, err := tenantOf(ctx)
//			return []dbfleet.Cond{dbfleet.Col[int64]("tenant_id").Eq(id)}, err
//		}},
//	}
//
// It holds for reads, counts and other aggregates, for Update, Increment and Delete, for
// Save, SaveColumns and the deletion of a record (one outside is ErrNotFound), for the
// records of a relation, and for the model's queries in the place of a subquery, a union
// or a CTE. It is joined by AND to all that the query asks, whose own conditions are put in
// parentheses, so that no OR leads out of it. It is no condition in the sense of
// ErrMissingWhere: Update and Delete without others are still refused.
//
// It does not hold for what is inserted: a record that is created outside is created, and
// a condition such as tenant_id = 7 fills no field in. Upsert updates the row whose key it
// is given, whatever scopes say. It does not hold either for a table that Join names, for
// other models of the same table, for DB.Table, nor for SQL of one's own (Raw parts may
// stand beside it; whole statements are sent as they are).
type Scope struct {
	// Name is what WithoutScope calls it. Required, and another one for each scope.
	Name string
	// Conditions must all hold. They are those of every call.
	Conditions []Cond
	// For returns conditions that must all hold too, for the call with that context. It is
	// called once for each statement that the model's rows take part in, by the goroutine of
	// the call, and may be called by many at once. Its error is the call's, and nothing is
	// sent. So is it if it returns no condition: And() is the one that all rows meet.
	For func(ctx context.Context) ([]Cond, error)
}

// WithoutScope leaves these scopes of the model out, for this query alone: its relations
// and subqueries have their own. A name that the model has no scope of is refused when
// the query runs.
func (q *Query[T]) WithoutScope(names ...string) *Query[T] {
	return (*Query[T])((*query)(q).withoutScope(names))
}

//go:noinline
func (q *query) withoutScope(names []string) *query {
	if q.usable() != nil {
		return q.next()
	}
	if len(names) == 0 {
		return q.without("WithoutScope", "no scope is named")
	}
	for _, name := range names {
		if !slices.ContainsFunc(q.src.scopes, func(s Scope) bool { return s.Name == name }) {
			return q.without("WithoutScope", fmt.Sprintf("the model has no scope %q; it has %s", name, q.src.scopeNames()))
		}
	}
	next, w := q.wishing()
	w.unscoped = slices.Concat(w.unscoped, names)
	return next
}

func (s *source) scopeNames() string {
	if len(s.scopes) == 0 {
		return "none"
	}
	names := make([]string, len(s.scopes))
	for i := range s.scopes {
		names[i] = s.scopes[i].Name
	}
	return listed(names, nil)
}

// beside is what a verb is that may stand beside scopes: one that inserts, and a whole
// statement of the caller's.
type beside interface{ besideScopes() bool }

func (v *insertion) besideScopes() bool { return true }

func (v *rowInsert) besideScopes() bool { return true }

func (v *upsertion) besideScopes() bool { return true }

func (v *statementExec) besideScopes() bool { return true }

func (v *returningWrite) besideScopes() bool { return v.op == "insert" }

func (v *selection) besideScopes() bool { return v.stmt != nil }

// narrow has the trip go for the rows that the scopes of the model leave, and those of
// other models in queries inside of the statement.
func (t *trip) narrow(ctx context.Context, v verb) error {
	t.place.scopes = func(inner sqlgen.Subquery) ([]sqlgen.Cond, error) { return scopesOf(ctx, inner) }
	if b, ok := v.(beside); ok && b.besideScopes() {
		return nil
	}
	var err error
	t.q, err = t.q.narrowed(ctx)
	return err
}

// narrowed is the query with the conditions of its model's scopes.
func (q *query) narrowed(ctx context.Context) (*query, error) {
	conds, err := q.scopes(ctx)
	if err != nil || len(conds) == 0 {
		return q, err
	}
	next := q.next()
	next.q = next.q.WithImplicit(conds...)
	return next, nil
}

// scopes are the conditions of the scopes that hold for the query.
func (q *query) scopes(ctx context.Context) (conds []sqlgen.Cond, err error) {
	for i := range q.src.scopes {
		s := &q.src.scopes[i]
		if slices.Contains(q.wish().unscoped, s.Name) {
			continue
		}
		for _, c := range s.Conditions {
			conds = append(conds, c.c.And())
		}
		if s.For == nil {
			continue
		}
		made, err := s.For(ctx)
		if err == nil && len(made) == 0 {
			err = errorf("its function has returned no condition")
		}
		if err != nil {
			return nil, fmt.Errorf("dbfleet: scope %q of table %q: %w", s.Name, q.src.table.Name, err)
		}
		for _, c := range made {
			conds = append(conds, c.c.And())
		}
	}
	return conds, nil
}

// scopesOf are the conditions of the scopes of a query inside of another.
func scopesOf(ctx context.Context, inner sqlgen.Subquery) ([]sqlgen.Cond, error) {
	if related, ok := inner.(*rendered); ok {
		inner = related.of
	}
	q, ok := inner.(*query)
	if !ok || q.usable() != nil {
		return nil, nil //nolint:nilerr // what is wrong with the query is told where it is rendered
	}
	return q.scopes(ctx)
}

// scopeFaults is what is wrong with the scopes of a configuration.
func scopeFaults(scopes []Scope) (faults []table.Fault) {
	fault := func(reason string) { faults = append(faults, table.Fault{Key: "Scopes", Reason: reason}) }
	for i, s := range scopes {
		switch {
		case s.Name == "":
			fault(fmt.Sprintf("number %d has no name", i+1))
		case slices.ContainsFunc(scopes[:i], func(before Scope) bool { return before.Name == s.Name }):
			fault(fmt.Sprintf("there are two of the name %q", s.Name))
		case len(s.Conditions) == 0 && s.For == nil:
			fault(fmt.Sprintf("%q has neither Conditions nor For", s.Name))
		}
	}
	return faults
}
