package dbtest

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A link is one connection through a proxy: two halves, each with a goroutine.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	halves sync.WaitGroup
	gone   chan struct{} // closed with the link

	silent atomic.Bool // nothing passes any more
	cut    atomic.Pointer[cut]

	mu     sync.Mutex   // protects following fields
	server *net.TCPConn // nil until connected
	closed bool
}

// A cut ends a link somewhere in what the server sends, or silences it there. One
// goroutine uses it.
type cut struct {
	reset bool
	holds bool
	left  int // packets that still pass
	mysql bool
	head  []byte // the beginning of a packet whose length is not known yet
	rest  int    // bytes of the current packet that are still to come
}

// passes is how many bytes pass before the cut.
func (c *cut) passes(now []byte) (n int) {
	for n < len(now) {
		if c.rest > 0 {
			part := min(c.rest, len(now)-n)
			n += part
			c.rest -= part
			continue
		}
		if c.left == 0 && len(c.head) == 0 {
			return n
		}
		c.head = append(c.head, now[n])
		n++
		switch h := c.head; {
		case c.mysql && len(h) == 4:
			c.rest = int(h[0]) | int(h[1])<<8 | int(h[2])<<16
		case !c.mysql && len(h) == 5:
			c.rest = int(binary.BigEndian.Uint32(h[1:])) - 4
		default:
			continue
		}
		c.head = nil
		c.left--
	}
	return n
}

func (l *link) connect(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		server.Close()
		return false
	}
	l.server = server
	return true
}

// close ends both connections, the client's with RST if reset.
func (l *link) close(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.gone)
	if reset {
		_ = l.client.SetLinger(0)
	}
	l.client.Close()
	if l.server != nil {
		l.server.Close()
	}
}

// requests carries what the client sends.
func (l *link) requests() {
	var before []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && !l.request(before, buf[:n]) {
			return
		}
		if err != nil {
			l.close(false)
			return
		}
		before = append(before, buf[:n]...)
		before = before[max(0, len(before)-l.proxy.longestMarker()):]
	}
}

// request passes bytes on, or not. ok is false when the link has ended.
func (l *link) request(before, now []byte) (ok bool) {
	if blackhole, _ := l.proxy.weather(); blackhole {
		l.silent.Store(true)
	}
	if l.silent.Load() {
		return true // swallowed
	}
	if tr := l.proxy.look(before, now); tr != nil {
		switch tr.fault.Action {
		case CutRequest:
			l.close(tr.fault.Reset)
			return false
		case HoldRequest:
			l.silent.Store(true)
			return true
		case CutReply, HoldReply:
			c := &cut{reset: tr.fault.Reset, holds: tr.fault.Action == HoldReply, mysql: tr.fault.Dialect == "mysql"}
			switch {
			case tr.fault.Dialect != "":
				c.left = tr.fault.Packets
			case c.holds:
				l.silent.Store(true)
			}
			l.cut.CompareAndSwap(nil, c)
		case Count:
		}
	}
	if _, err := l.server.Write(now); err != nil {
		l.close(false)
		return false
	}
	return true
}

// replies carries what the server sends.
func (l *link) replies() {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		if n > 0 && !l.reply(buf[:n]) {
			return
		}
		if err != nil {
			if !l.silent.Load() { // else the client must not learn that the server hung up
				l.close(false)
			}
			return
		}
	}
}

func (l *link) reply(now []byte) (ok bool) {
	blackhole, delay := l.proxy.weather()
	if blackhole {
		l.silent.Store(true)
	}
	cut := l.cut.Load()
	whole := len(now)
	if cut != nil {
		now = now[:cut.passes(now)]
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-l.gone:
			return false
		}
	}
	if l.silent.Load() {
		return true // swallowed
	}
	if _, err := l.client.Write(now); err != nil {
		l.close(false)
		return false
	}
	switch {
	case len(now) == whole:
	case cut.holds:
		l.silent.Store(true)
	default:
		l.close(cut.reset)
		return false
	}
	return true
}
