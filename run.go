package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// The one place where statements are sent: query for what answers with rows,
// exec for what does not.

// acquire takes a connection to the target's node.
func (t *target) acquire(ctx context.Context) (*driver.Conn, error) {
	p, err := t.node.open()
	if err != nil {
		return nil, err
	}
	return p.Acquire(ctx, t.node.wait)
}

func isConnectError(err error) bool {
	var c *driver.ConnectError
	return errors.As(err, &c)
}

// queryInto sends a statement and gives its rows to read, which tells how many it
// read. A read that was not answered is asked again elsewhere, so read begins
// anew each time it is called. write says that the statement may change
// something; it is sent once.
func (t *target) queryInto(ctx context.Context, op, text string, args []any, write bool, read driver.Reader) error {
	again := false
	for {
		err := t.queryOnce(ctx, op, text, args, write, read)
		if err == nil || write || !t.failover(ctx, err, &again) {
			return err
		}
	}
}

// query is queryInto with a function.
func (t *target) query(ctx context.Context, op, text string, args []any, write bool, read func(driver.Rows) (int64, error)) error {
	return t.queryInto(ctx, op, text, args, write, driver.ReaderFunc(read))
}

func (t *target) queryOnce(ctx context.Context, op, text string, args []any, write bool, read driver.Reader) (err error) {
	c := t.begin(ctx, op, text, args)
	n := int64(-1)
	if c != nil {
		ended := false
		defer func() {
			if !ended && err == nil {
				err = errPanicked
			}
			c.end(&t.route, n, err)
		}()
		n, err = t.rows(ctx, op, text, args, write, read)
		ended = true
		return err
	}
	_, err = t.rows(ctx, op, text, args, write, read)
	return err
}

// stream is query for an iteration: it sends once, and the transaction takes
// other statements' errors meanwhile instead of waiting for the loop's end.
func (t *target) stream(ctx context.Context, op, text string, args []any, write bool, read driver.Reader) (err error) {
	c := t.begin(ctx, op, text, args)
	n := int64(-1)
	ended := false
	defer func() {
		if !ended && err == nil {
			err = errPanicked
		}
		c.end(&t.route, n, err)
	}()
	if t.tx == nil {
		n, err = t.rows(ctx, op, text, args, write, read)
	} else {
		n, err = t.txRows(ctx, op, text, args, read)
	}
	ended = true
	return err
}

// txRows reads rows in a transaction without holding its lock.
func (t *target) txRows(ctx context.Context, op, text string, args []any, read driver.Reader) (int64, error) {
	rows, err := func() (driver.Rows, error) {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err := t.tx.ready(); err != nil {
			return nil, err
		}
		return t.tx.conn.Query(ctx, text, args)
	}()
	if err != nil {
		return -1, t.route.wrap(op, text, args, false, err)
	}
	defer func() {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		_ = rows.Close()
	}()
	n, err := read.ReadRows(rows)
	if err != nil {
		return n, t.wrapRead(op, text, args, false, err)
	}
	return n, nil
}

var errPanicked = errors.New("dbfleet: the statement ended in a panic")

// rows asks on a connection that is held meanwhile: the transaction's, or one that
// goes back also when read ends the goroutine.
func (t *target) rows(ctx context.Context, op, text string, args []any, write bool, read driver.Reader) (int64, error) {
	var conn *driver.Conn
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err := t.tx.ready(); err != nil {
			return -1, err
		}
		conn = t.tx.conn
	} else {
		var err error
		if conn, err = t.acquire(ctx); err != nil {
			t.answered(err)
			return -1, t.route.wrap(op, text, args, false, err)
		}
		defer conn.Release()
	}
	rows, err := t.ask(ctx, conn, text, args)
	if err != nil {
		t.answered(err)
		return -1, t.route.wrap(op, text, args, write, err)
	}
	defer func() { _ = rows.Close() }() // also when read panics
	n, err := read.ReadRows(rows)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	t.answered(err)
	if err != nil {
		return n, t.wrapRead(op, text, args, write, err)
	}
	return n, nil
}

func (t *target) ask(ctx context.Context, conn *driver.Conn, text string, args []any) (driver.Rows, error) {
	if t.one != "" {
		return conn.InsertRows(ctx, text, args, t.one)
	}
	return conn.Query(ctx, text, args)
}

// wrapRead wraps what went wrong while rows were read: an error of the
// database gets its route, one of mapping is told as it is.
func (t *target) wrapRead(op, text string, args []any, write bool, err error) error {
	var c *ColumnError
	if errors.As(err, &c) {
		return err
	}
	return t.route.wrap(op, text, args, write, err)
}

// exec sends a statement that changes something, once.
func (t *target) exec(ctx context.Context, op, text string, args []any) (res driver.Result, err error) {
	c := t.begin(ctx, op, text, args)
	if c == nil {
		return t.execOnce(ctx, op, text, args)
	}
	ended := false
	defer func() {
		if !ended && err == nil {
			err = errPanicked
		}
		n := int64(-1)
		if err == nil {
			n = res.RowsAffected
		}
		c.end(&t.route, n, err)
	}()
	res, err = t.execOnce(ctx, op, text, args)
	ended = true
	return res, err
}

func (t *target) execOnce(ctx context.Context, op, text string, args []any) (driver.Result, error) {
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err := t.tx.ready(); err != nil {
			return driver.Result{}, err
		}
		res, err := t.tx.conn.Exec(ctx, text, args)
		return res, t.route.wrap(op, text, args, false, err)
	}
	conn, err := t.acquire(ctx)
	if err != nil {
		return driver.Result{}, t.route.wrap(op, text, args, false, err)
	}
	defer conn.Release()
	res, err := conn.Exec(ctx, text, args)
	if err != nil {
		err = t.route.wrap(op, text, args, true, err)
	}
	return res, err
}
