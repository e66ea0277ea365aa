package dbfleet

import (
	"context"
	"slices"
	"time"
)

// hookedKey marks the context of hooks, whose own statements call none.
type hookedKey struct{}

// hookContext is the context of hooks: that of the statement, with the transactions
// that the statement sees, whatever the hooks before have made of it.
type hookContext struct {
	context.Context
	txs any // a *txList, nil for none
}

// Value implements context.Context.
func (c *hookContext) Value(key any) any {
	switch key.(type) {
	case hookedKey:
		return true
	case txKey:
		return c.txs
	}
	return c.Context.Value(key)
}

// call is one statement on its way through the hooks. It is the context that the
// first of them gets, too, which nothing changes once a hook has it.
type call struct {
	hookContext
	registry, own []hook
	start         time.Time
	args          []any // those of the statement
	shown         Args  // those that the hooks get

	begun int               // hooks that have been called, or need no call, before the statement
	last  context.Context   // what the last Before returned; nil for what it was given first
	given []context.Context // by hook, what its Before returned; nil or missing is what it was given first
	few   [2]context.Context
	free  context.CancelFunc // ends what watches over a lent statement's deadline
}

func (c *call) hooks() int { return len(c.registry) + len(c.own) }

func (c *call) hook(i int) *hook {
	if i < len(c.registry) {
		return &c.registry[i]
	}
	return &c.own[i-len(c.registry)]
}

// callHooks tells the hooks that a statement starts. It returns nil when there are
// none. In a transaction the hooks' context carries it, also when it was given by
// Using.
func (p *place) callHooks(ctx context.Context, s *statement) *call {
	registry, own := p.e.reg.hooks.load(), p.e.hooks.load()
	if len(own) == 0 && len(registry) == 0 || ctx.Value(hookedKey{}) != nil {
		return nil
	}
	c := &call{
		hookContext: hookContext{ctx, p.transactions(ctx)}, registry: registry, own: own,
		start: time.Now(), args: s.args, shown: make(Args, len(s.args)),
	}
	c.before(p, s)
	return c
}

// before calls the Befores.
func (c *call) before(p *place, s *statement) {
	returned := false
	defer func() {
		if !returned { // a hook ended in a panic, or in runtime.Goexit
			c.end(p, s, -1, errPanicked)
		}
	}()
	for i := range c.hooks() {
		if h := c.hook(i); h.Before != nil {
			c.show()
			c.take(h.Before(c.statement(), c.event(p, s)), i)
		}
		c.begun++
	}
	returned = true
}

// take keeps what the Before of hook i has returned.
func (c *call) take(ctx context.Context, i int) {
	if ctx == nil {
		panic("dbfleet: the Before of the query hook that was added at " + c.hook(i).at + " returned nil instead of a context")
	}
	if same, ok := ctx.(*call); ok && same == c {
		c.last = nil
		return
	}
	if ctx.Value(hookedKey{}) == nil || ctx.Value(txKey{}) != c.txs {
		ctx = &hookContext{ctx, c.txs}
	}
	c.last = ctx
	if c.given == nil {
		c.given = c.few[:0]
	}
	for len(c.given) < i {
		c.given = append(c.given, nil)
	}
	c.given = append(c.given, ctx)
}

// statement is the context that the hooks so far have made.
func (c *call) statement() context.Context {
	if c.last != nil {
		return c.last
	}
	return c
}

// context is the one that the statement is sent with: the caller's own where no
// hook has changed it. What is lent outlives the hooks.
func (c *call) context(x exchange) context.Context {
	if c.last == nil {
		return c.Context
	}
	if _, lent := x.(lending); lent && c.last.Err() == nil {
		return c.lend()
	}
	return c.last
}

// lend is the context of rows that the caller reads when the Afters have been
// called: it ends with the caller's, or at the deadline of the hooks'.
func (c *call) lend() context.Context {
	ctx := c.Context
	at, bound := c.last.Deadline()
	if own, has := ctx.Deadline(); bound && (!has || at.Before(own)) {
		ctx, c.free = context.WithDeadline(ctx, at)
	}
	return &lentContext{ctx, c.last}
}

// lentContext ends as one context does and has another's values.
type lentContext struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (c *lentContext) Value(key any) any { return c.values.Value(key) }

// transactions is what hooks see of transactions: those of ctx, and the one of the
// place.
func (p *place) transactions(ctx context.Context) any {
	txs := ctx.Value(txKey{})
	if p.tx == nil {
		return txs
	}
	if tx := txOf(ctx, p.e.reg, p.e.name); tx != nil && tx.st == p.tx {
		return txs
	}
	top := p.tx.handle()
	if top == nil {
		return txs
	}
	outer, _ := txs.(*txList)
	return &txList{tx: top, outer: outer, asked: outer.wants()}
}

// end tells the hooks what came of the statement.
func (c *call) end(p *place, s *statement, rows int64, err error) {
	if err != nil && rows < 0 {
		rows = -1
	}
	if err != nil && c.free != nil {
		c.free()
	}
	e := c.event(p, s)
	e.Duration, e.Rows, e.Err, e.Class = time.Since(c.start), rows, err, ClassOf(err)
	txs := c.txs
	if s.turns {
		txs = p.transactions(c.Context)
	}
	defer c.after(s.turns, txs, &e) // the rest, if one ends in a panic
	c.after(s.turns, txs, &e)
}

// after calls the Afters from the last to the first.
func (c *call) after(turned bool, txs any, e *QueryEvent) {
	for c.begun > 0 {
		c.begun--
		h := c.hook(c.begun)
		if h.After == nil {
			continue
		}
		ctx := c.statement()
		if h.Before != nil {
			ctx = c
			if c.begun < len(c.given) && c.given[c.begun] != nil {
				ctx = c.given[c.begun]
			}
		}
		if turned {
			ctx = &hookContext{ctx, txs}
		}
		c.show()
		h.After(ctx, *e)
	}
}

// event is what hooks get to know of the statement.
func (c *call) event(p *place, s *statement) QueryEvent {
	return QueryEvent{
		Driver: Driver(p.e.dialect.Name), Database: p.node.database, Address: p.node.address, Table: s.table,
		Op: s.op, SQL: s.text, Args: c.shown, Route: p.toldRoute(), Start: c.start, Rows: -1,
	}
}

// show makes the arguments those of the statement again, whatever the hook before has made
// of them.
func (c *call) show() {
	for i, a := range c.args {
		switch a := a.(type) {
		case []byte:
			c.shown[i] = slices.Clone(a)
		case []int64:
			c.shown[i] = slices.Clone(a)
		case []string:
			c.shown[i] = slices.Clone(a)
		case []float64:
			c.shown[i] = slices.Clone(a)
		case []bool:
			c.shown[i] = slices.Clone(a)
		default:
			c.shown[i] = a
		}
	}
}
