package driver

// Refuse has the pool send nothing any more, because of err, until it is called with nil:
// its server is not the one to write to, as far as is known. What has begun before goes on,
// but a transaction is not committed. Callers get an error that wraps err, of class
// Connection: nothing was sent. A Probe of the pool's is not refused.
func (p *Pool) Refuse(err error) {
	if err == nil {
		p.refusal.Store(nil)
		return
	}
	p.refusal.Store(&InterruptedError{Err: err})
	p.DropIdle()
}

// refuses is the error of a statement that the pool refuses, nil for none.
func (c *conn) refuses() error {
	if refused := c.pool.refusal.Load(); refused != nil && !c.alone {
		return refused
	}
	return nil
}
