package dbtest

import (
	"bytes"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy stands between a client and a server and breaks what passes on demand,
// as networks do. It sees bytes, so connect without TLS where a fault
// waits for a text or counts packets. It is safe for concurrent use and ends with its
// test.
type Proxy struct {
	Host string
	Port int

	listener net.Listener
	ended    sync.WaitGroup
	accepted atomic.Int64

	mu        sync.Mutex // protects following fields
	target    string
	closed    bool
	links     map[*link]struct{}
	triggers  []*Trigger
	blackhole bool
	refuse    bool
	delay     time.Duration
	holds     int           // of the next connections
	held      chan struct{} // closed for those that are held to go on; nil while none is
}

// A Fault is what a proxy does to a connection when its client sends a text.
type Fault struct {
	// Marker is the text that sets it off, such as "COMMIT"; letter case does
	// not matter. Empty, anything that the client sends does.
	Marker string
	Action Action
	// Reset ends the connection with RST ("connection reset by peer") instead
	// of FIN (end of file).
	Reset bool
	// Skip is how many occurrences pass before the fault happens for the first time.
	Skip int
	// Times is how often the fault happens; later occurrences pass. 0 is always.
	Times int
	// Packets is how many packets of what the server sends from then on CutReply
	// passes on before it closes the connection, and HoldReply before it goes silent.
	// Dialect, "mysql" or "postgres", says what a packet is; without it the whole first
	// answer is lost.
	Packets int
	Dialect string
}

// An Action is what happens to a connection that sent a marker.
type Action int

const (
	// Count does nothing but count.
	Count Action = iota
	// CutRequest closes the connection instead of passing the bytes on: the
	// server never sees the whole request.
	CutRequest
	// CutReply passes the bytes on, waits until the server has answered, and
	// closes the connection instead of passing the answer on: the request was
	// carried out.
	CutReply
	// HoldReply passes the bytes on and nothing after that, in both directions.
	// The connection stays open.
	HoldReply
	// HoldRequest passes nothing on from these bytes on. The connection stays open.
	HoldRequest
)

// A Trigger is a fault that was set. It is safe for concurrent use.
type Trigger struct {
	fault Fault
	seen  atomic.Int64
	fired chan struct{}
	once  sync.Once
}

// Seen is how often the marker has passed since the fault was set.
func (tr *Trigger) Seen() int { return int(tr.seen.Load()) }

// Fired is closed when the fault has happened for the first time.
func (tr *Trigger) Fired() <-chan struct{} { return tr.fired }

// NewProxy listens on a loopback port and passes connections on to target, which
// is host:port as [Server.Addr] has it.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatalf("dbtest: proxy: %v", err)
	}
	p := &Proxy{
		Host: loopback, Port: listener.Addr().(*net.TCPAddr).Port,
		target: target, listener: listener, links: map[*link]struct{}{},
	}
	p.ended.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is host and port.
func (p *Proxy) Addr() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// Through is db as it is reached through the proxy.
func (p *Proxy) Through(db Database) Database {
	db.Host, db.Port, db.Socket = p.Host, p.Port, ""
	return db
}

// On sets a fault, for the connections that are open as well.
func (p *Proxy) On(f Fault) *Trigger {
	tr := &Trigger{fault: f, fired: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.triggers = append(p.triggers, tr)
	return tr
}

// Blackhole makes the network silent: connections stay open and new ones are
// accepted, but nothing passes.
func (p *Proxy) Blackhole() { p.set(func() { p.blackhole = true }) }

// Refuse closes all connections, and each new one as soon as it is made.
func (p *Proxy) Refuse() {
	p.set(func() { p.refuse = true })
	p.Cut()
}

// Delay holds back each answer of the server for d.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Hold keeps the next n connections from the server until Release, as if the network took
// so long: they are accepted, and nothing passes. Those that are open go on.
func (p *Proxy) Hold(n int) {
	p.set(func() {
		if p.holds = n; p.held == nil {
			p.held = make(chan struct{})
		}
	})
}

// Release has the connections go on that Hold has kept, and no more of them be kept.
func (p *Proxy) Release() { p.set(p.releaseLocked) }

func (p *Proxy) releaseLocked() {
	if p.holds = 0; p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// waits waits until a connection that is held may go on.
func (p *Proxy) waits(l *link) {
	var held chan struct{}
	p.set(func() {
		if p.holds > 0 {
			p.holds--
			held = p.held
		}
	})
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-l.gone:
	}
}

// Retarget passes new connections on to another target. Open ones stay where they
// are; see [Proxy.Cut].
func (p *Proxy) Retarget(target string) { p.set(func() { p.target = target }) }

// Heal ends all faults. Connections that were silenced are closed: what they
// would have carried is lost.
func (p *Proxy) Heal() {
	p.set(func() {
		p.blackhole, p.refuse, p.delay, p.triggers = false, false, 0, nil
		p.releaseLocked()
		for l := range p.links {
			l.cut.Store(nil)
			if l.silent.Load() {
				l.close(true)
			}
		}
	})
}

// Cut resets all connections that are open. When it returns, the resets have arrived:
// what a client sends from then on is refused by its own machine.
func (p *Proxy) Cut() {
	for _, l := range p.cutNow() {
		l.awaitReset()
	}
}

func (p *Proxy) cutNow() (cut []*link) {
	p.set(func() {
		for l := range p.links {
			l.close(true)
			cut = append(cut, l)
		}
	})
	return cut
}

// Accepted is how many connections were made so far; Open is how many there are.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Open is how many connections pass through the proxy now.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.accepted.Add(1)
		p.ended.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	l := &link{proxy: p, client: client, gone: make(chan struct{})}
	if !p.enter(l) {
		l.close(true)
		return
	}
	defer p.leave(l)
	p.waits(l)
	server, err := net.DialTimeout("tcp", p.leadsTo(), 5*time.Second)
	if err != nil {
		l.close(true) // as a port that nobody listens on
		return
	}
	if !l.connect(server.(*net.TCPConn)) {
		return
	}
	l.halves.Go(l.requests)
	l.halves.Go(l.replies)
	l.halves.Wait()
}

func (p *Proxy) leadsTo() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) leave(l *link) {
	l.close(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) close() {
	p.listener.Close()
	p.set(func() { p.closed = true })
	p.cutNow()
	p.ended.Wait()
}

// look returns the fault that the bytes set off, nil if none. before is the end
// of what the client sent earlier, for a marker that came in two parts.
func (p *Proxy) look(before, now []byte) *Trigger {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := bytes.ToLower(append(append([]byte(nil), before...), now...))
	var found *Trigger
	for _, tr := range p.triggers {
		n := occurrences(text, bytes.ToLower([]byte(tr.fault.Marker)), len(before))
		if n == 0 {
			continue
		}
		seen := tr.seen.Add(int64(n))
		earlier := seen - int64(n)
		if seen > int64(tr.fault.Skip) && (tr.fault.Times == 0 || earlier < int64(tr.fault.Skip+tr.fault.Times)) {
			tr.once.Do(func() { close(tr.fired) })
			if tr.fault.Action != Count && found == nil {
				found = tr
			}
		}
	}
	return found
}

// occurrences counts the markers in text that do not lie wholly in its first
// old bytes, where they were counted before.
func occurrences(text, marker []byte, old int) int {
	if len(marker) == 0 {
		return 1
	}
	n := 0
	for i := max(0, old-len(marker)+1); ; n++ {
		at := bytes.Index(text[i:], marker)
		if at < 0 {
			return n
		}
		i += at + len(marker)
	}
}

// longestMarker is how much of the past look needs.
func (p *Proxy) longestMarker() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, tr := range p.triggers {
		n = max(n, len(tr.fault.Marker))
	}
	return n
}

func (p *Proxy) weather() (blackhole bool, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blackhole, p.delay
}
