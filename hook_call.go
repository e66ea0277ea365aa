package dbfleet

import (
	"context"
	"slices"
	"time"
)

// hookedKey marks the context of hooks, whose own statements call none.
type hookedKey struct{}

// hookContext is the context of hooks: that of the statement, with the transaction
// that it runs in.
type hookContext struct{ context.Context }

// Value implements context.Context.
func (c *hookContext) Value(key any) any {
	if key == (hookedKey{}) {
		return true
	}
	return c.Context.Value(key)
}

// call is one statement on its way through the hooks. It is their context, too,
// which nothing changes once a hook has it.
type call struct {
	hookContext
	outer         context.Context // of the statement
	event         QueryEvent
	args          []any // those of the statement
	registry, own []hook
}

// callHooks tells the hooks that a statement starts. It returns nil when there are
// none. In a transaction the hooks' context carries it, also when it was given by
// Using.
func (p *place) callHooks(ctx context.Context, s *statement) *call {
	registry, own := p.e.reg.hooks.load(), p.e.hooks.load()
	if len(own) == 0 && len(registry) == 0 || ctx.Value(hookedKey{}) != nil {
		return nil
	}
	c := &call{outer: ctx, args: s.args, registry: registry, own: own}
	c.event = QueryEvent{Op: s.op, SQL: s.text, Args: make(Args, len(s.args)), Route: p.route.told(), Start: time.Now(), Rows: -1}
	c.Context = p.inside(ctx)
	for _, list := range [...][]hook{registry, own} {
		for _, h := range list {
			if h.before != nil {
				h.before(c, c.copy())
			}
		}
	}
	return c
}

// inside is ctx with the transaction of the place, if one is open there.
func (p *place) inside(ctx context.Context) context.Context {
	if p.tx == nil {
		return ctx
	}
	if tx := txOf(ctx, p.e.reg, p.e.name); tx != nil && tx.st == p.tx {
		return ctx
	}
	top := p.tx.handle()
	if top == nil {
		return ctx
	}
	return withTx(ctx, top)
}

// end tells the hooks what came of the statement.
func (c *call) end(p *place, s *statement, rows int64, err error) {
	var ctx context.Context = c
	if s.turns {
		ctx = &hookContext{p.inside(c.outer)}
	}
	c.event.Duration = time.Since(c.event.Start)
	c.event.Route = p.route.told()
	c.event.Rows, c.event.Err = rows, err
	if err != nil && rows < 0 {
		c.event.Rows = -1
	}
	for _, list := range [...][]hook{c.registry, c.own} {
		for _, h := range list {
			if h.after != nil {
				h.after(ctx, c.copy())
			}
		}
	}
}

// copy is the event as one hook gets it. The arguments are those of the statement
// again, whatever the hook before has made of them.
func (c *call) copy() QueryEvent {
	for i, a := range c.args {
		switch a := a.(type) {
		case []byte:
			c.event.Args[i] = slices.Clone(a)
		case []int64:
			c.event.Args[i] = slices.Clone(a)
		case []string:
			c.event.Args[i] = slices.Clone(a)
		case []float64:
			c.event.Args[i] = slices.Clone(a)
		case []bool:
			c.event.Args[i] = slices.Clone(a)
		default:
			c.event.Args[i] = a
		}
	}
	return c.event
}
