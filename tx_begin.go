package dbfleet

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// begin takes a connection for the transaction, which keeps it.
func (tx *Tx) begin(ctx context.Context, o TxOptions) error {
	if o.Resolvable {
		if err := tx.st.newMarker(ctx); err != nil {
			return err
		}
	}
	return tx.beginAs(ctx, o, false, beginPlain)
}

// beginAs is begin by another of the driver's ways. named says that what is begun has a name
// at once, which the server may hold for a connection that was lost: it is begun once.
func (tx *Tx) beginAs(ctx context.Context, o TxOptions, named bool, begin beginFunc) error {
	asked := txsOf(ctx).wants()
	if asked.tenantFault != nil {
		return asked.tenantFault
	}
	tx.st.tenant = asked.tenant
	x := tx.st.beginning
	x.tx, x.o, x.named, x.begin, tx.st.beginning = tx, o, named, begin, nil
	err := tx.turn(ctx, "begin", "BEGIN", &x.turn, x)
	tx.st.spare = &x.turn
	return err
}

// beginFunc begins a transaction on a connection, for which there may be another one later.
type beginFunc func(ctx context.Context, c *driver.Conn, o driver.TxOptions, another driver.Another) error

func beginPlain(ctx context.Context, c *driver.Conn, o driver.TxOptions, another driver.Another) error {
	return c.BeginLate(ctx, o, another)
}

// beginning is the exchange of BEGIN.
type beginning struct {
	turn
	tx    *Tx
	o     TxOptions
	named bool
	begin beginFunc
}

func (x *beginning) exchange(ctx context.Context, p *place, _ *statement) (driver.Result, error) {
	for sent := 1; ; sent++ {
		lost, err := x.beginOn(ctx, p)
		if !lost || x.named || sent == driver.BeginsAtMost {
			return unknownRows, err
		}
	}
}

// beginOn begins on one connection. lost says that this was lost before, and that another
// may be asked: nothing is begun.
func (x *beginning) beginOn(ctx context.Context, p *place) (lost bool, err error) {
	st := x.tx.st
	c, err := p.hold(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if st.conn == nil {
			c.Release()
		}
	}()
	o := driver.TxOptions{Isolation: x.o.Isolation, ReadOnly: x.o.ReadOnly, Deferrable: x.o.Deferrable}
	if err := x.begin(ctx, c, o, x); err != nil {
		return c.WasLost(ctx, err), err
	}
	st.conn, st.node, p.tx, p.by, p.on = c, p.node, st, x.tx, &st.held
	p.node.transactions.Add(1)
	return false, nil
}

// anotherWait is how long a transaction waits for another connection while others, which its
// caller is in, keep theirs: two of them could wait for each other.
const anotherWait = time.Second

// Another implements driver.Another.
func (x *beginning) Another(ctx context.Context) (*driver.Conn, error) {
	node := x.tx.st.node
	pool, err := node.open()
	if err != nil {
		return nil, err
	}
	wait := node.wait
	if txs, _ := ctx.Value(txKey{}).(*txList); txs != nil && txs.outer != nil && (wait == 0 || wait > anotherWait) {
		wait = anotherWait
	}
	return pool.Acquire(context.WithValue(ctx, txKey{}, (*txList)(nil)), wait) // its own is given back
}
