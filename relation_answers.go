package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// maxAsking is how many connections a condition leads to, one behind the other.
const maxAsking = 16

type askingKey struct{}

// answered is the step between route and render that few statements need: it asks other
// connections for what conditions want to know of them, and renders the verb again. err is
// that of rendering it before; others than that it lacks answers are returned.
func (t *trip) answered(ctx context.Context, v verb, err error) error {
	var missing *sqlgen.UnansweredError
	for errors.As(err, &missing) {
		if t.place.answers == nil {
			t.place.answers = &sqlgen.Far{Told: map[sqlgen.Related]any{}}
		}
		w, within := t.q.wish(), ctx
		if w.tx != nil {
			within = withTx(ctx, w.tx)
		}
		depth, _ := ctx.Value(askingKey{}).(int)
		if depth == maxAsking {
			return t.q.src.table.Fail("conditions about related records lead from one connection to the next without an end, or more than %d times: does a scope ask for itself?", maxAsking)
		}
		within = context.WithValue(within, askingKey{}, depth+1)
		for _, r := range missing.Of {
			h := r.(asker)
			keys, err := h.ask(within, t.place.e.name, v.writes() || w.primary)
			if err != nil {
				return h.fault(err)
			}
			t.place.answers.Told[r] = keys
		}
		missing = nil
		err = v.render(&t.place, &t.statement)
	}
	return err
}

// asker is a condition of which another connection is asked.
type asker interface {
	// ask reads the keys of the parents for which the condition holds, or of those for which
	// it does not, if it holds for parents without related records.
	ask(ctx context.Context, connection string, primary bool) ([]any, error)
	fault(err error) error
}

// ask reads the keys of the related records for which the condition holds, as parents have
// them; if it holds for parents without a record, those of the others.
func (h *having) ask(ctx context.Context, connection string, primary bool) ([]any, error) {
	q, _, _, err := h.asked(connection)
	if err != nil {
		return nil, err
	}
	if primary && q.wish().replica == "" {
		q = q.primary()
	}
	t := &h.tie
	most := t.mostKeys()
	plan, op := q.src.table.Plan, h.op
	if op.Holds(0, h.n) {
		op = op.Inverse()
	}
	q = q.next()
	if h.exists() {
		text := make([]bool, len(t.relatedColumns))
		for i, column := range t.relatedColumns {
			text[i] = plan.Field(column).Kind == rowmap.String
		}
		q.q = q.q.Keys(t.columns(), text, int64(most)+1)
	} else {
		q.q = q.q.KeysCounted(t.columns(), op, h.n, int64(most)+1)
	}
	list := plan.NewList()
	if err := q.get(ctx, list); err != nil {
		return nil, err
	}
	records := plan.Records(list)
	if records.N > most {
		return nil, t.tooMany(q, connection)
	}
	keys, seen := make([]any, 0, records.N), make(map[any]bool, records.N)
	for i := range records.N {
		if value, key, ok := t.parentKey(records.At(i)); ok && !seen[key] {
			seen[key] = true
			keys = append(keys, value)
		}
	}
	return keys, nil
}

// mostKeys is how many keys a condition takes over from another connection.
func (t *tie) mostKeys() int {
	if t.most == 0 {
		return defaultMaxKeys
	}
	return t.most
}

// tooMany tells that the records of q have more keys than that.
func (t *tie) tooMany(q *query, connection string) error {
	to, _ := q.destination()
	return errorf("the related records of table %q on connection %q have more than %d keys, which a statement on connection %q does not take over (MaxKeys): %w",
		q.src.table.Name, to.connection, t.mostKeys(), connection, ErrTooManyKeys)
}
