package dbfleet

import (
	"context"
	"crypto/rand"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// outcomes is what an entry knows of its table of outcomes. It is safe for concurrent
// use.
type outcomes struct {
	table atomic.Pointer[outcomeTable] // nil until it is known to be there

	mu    sync.Mutex // protects following field
	known []any      // ids of markers that nobody will ask for
}

// outcomeTable is a table of outcomes that is there.
type outcomeTable struct {
	texts    sqlgen.Outcomes
	identity string
}

// forgetAt is how many markers whose outcome is known are deleted by one statement. They
// are deleted outside of transactions: in the next one they would add locks to it.
const forgetAt = 100

// newMarker gives the transaction a marker. The table is looked for, and made, before
// the transaction begins: on MySQL that would end it.
func (st *txState) newMarker(ctx context.Context) error {
	table := st.e.outcomes.table.Load()
	if table == nil {
		var err error
		if table, err = st.findOutcomes(ctx); err != nil || table == nil {
			return err
		}
		st.e.outcomes.table.Store(table)
	}
	st.marker = &marker{
		reg: st.e.reg, connection: st.e.name, id: randomID(), table: table, since: time.Now(),
	}
	return nil
}

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// findOutcomes finds the table, and makes it if it is missing; nil where none is needed.
// Several may do so at once.
func (st *txState) findOutcomes(ctx context.Context) (*outcomeTable, error) {
	texts := sqlgen.NewOutcomes(st.e.dialect, "")
	if texts.Create == "" {
		return nil, nil
	}
	schema, err := st.schemaOfOutcomes(ctx, &texts)
	if err != nil {
		return nil, errorf("connection %q: a transaction that is Resolvable needs the table %s, which could not be made by %q: %w",
			st.e.name, sqlgen.OutcomeTable, texts.Create, err)
	}
	table := &outcomeTable{texts: sqlgen.NewOutcomes(st.e.dialect, schema)}
	rows, err := table.read(ctx, st.place(), "")
	if err == nil && rows[sqlgen.OutcomeIdentity] == "" {
		if err = st.alone(ctx, table.texts.Name, randomID()); err == nil {
			rows, err = table.read(ctx, st.place(), "")
		}
	}
	if err == nil {
		err = st.alone(ctx, table.texts.Expire)
	}
	if err != nil {
		return nil, errorf("connection %q: a transaction that is Resolvable must read, insert and delete in the table %s: %w", st.e.name, sqlgen.OutcomeTable, err)
	}
	table.identity = rows[sqlgen.OutcomeIdentity]
	return table, nil
}

// schemaOfOutcomes is where the table is. Two who make it at the same time may be told
// that the other was faster, by PostgreSQL as a violated key of its catalog.
func (st *txState) schemaOfOutcomes(ctx context.Context, texts *sqlgen.Outcomes) (string, error) {
	schema, err := firstText(ctx, st.place(), texts.Home)
	if err != nil || schema != "" {
		return schema, err
	}
	made := st.alone(ctx, texts.Create)
	if schema, err = firstText(ctx, st.place(), texts.Home); err == nil && schema == "" {
		if err = made; err == nil {
			err = errors.New("there is another table of that name, which does not undo its rows with a transaction")
		}
	}
	return schema, err
}

// alone sends a statement outside of the transaction, which has not begun or has ended.
func (st *txState) alone(ctx context.Context, text string, args ...any) error {
	p := st.place()
	p.tx, p.by, p.on, p.route.Tx = nil, nil, nil, false
	_, err := p.send(ctx, &statement{op: "outcomes", text: text, args: args, write: true}, execution{})
	return repeatable(err)
}

// repeatable is the error of a statement that is done again as often as it is needed:
// whether it was done once already leaves nothing unknown to who began the transaction.
func repeatable(err error) error {
	q, ok := err.(*QueryError) //nolint:errorlint // what is wrapped is another statement's
	if !ok || !q.unknown {
		return err
	}
	known := *q
	known.unknown = false
	return &known
}

// firstText is the first value that a query gives, "" if it has no rows.
func firstText(ctx context.Context, p *place, query string) (text string, err error) {
	err = texts(ctx, p, query, nil, func(values []string) { text = values[0] })
	return text, err
}

// read gives the states of an id and of the identity, by id.
func (t *outcomeTable) read(ctx context.Context, p *place, id string) (map[string]string, error) {
	states := map[string]string{}
	err := texts(ctx, p, t.texts.Read, []any{id}, func(values []string) { states[values[0]] = values[1] })
	return states, err
}

// texts reads rows of texts on the primary.
func texts(ctx context.Context, p *place, query string, args []any, each func(values []string)) error {
	s := statement{op: "outcomes", text: query, args: args, write: true}
	_, err := p.query(ctx, &s, func(rows driver.Rows) (int64, error) {
		values := make([]string, len(rows.Columns()))
		return keptRows(rows, func(row []sqldriver.Value) {
			for i, v := range row {
				values[i] = textOf(v)
			}
			each(values)
		})
	})
	return repeatable(err)
}

// forget notes that the outcome of the transaction is known, and now and then deletes the
// markers of those. What it cannot delete goes with its time.
func (m *marker) forget(ctx context.Context, st *txState) {
	if m == nil {
		return
	}
	o := &st.e.outcomes
	o.mu.Lock()
	o.known = append(o.known, m.id)
	var ids []any
	if len(o.known) >= forgetAt {
		ids, o.known = o.known, nil
	}
	o.mu.Unlock()
	if ids != nil {
		_ = st.alone(ctx, m.table.texts.Forget(st.e.dialect, len(ids)), ids...)
	}
}
