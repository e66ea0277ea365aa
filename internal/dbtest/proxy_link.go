package dbtest

import (
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
	cut    atomic.Int32

	mu     sync.Mutex   // protects following fields
	server *net.TCPConn // nil until connected
	closed bool
}

// What cut says about the server's next answer.
const (
	passReply int32 = iota
	closeAtReply
	resetAtReply
)

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
		case CutReply:
			at := closeAtReply
			if tr.fault.Reset {
				at = resetAtReply
			}
			l.cut.Store(at)
		case HoldReply:
			l.silent.Store(true)
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
	if cut := l.cut.Load(); cut != passReply {
		l.close(cut == resetAtReply)
		return false
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
	return true
}
