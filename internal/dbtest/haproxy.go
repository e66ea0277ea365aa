package dbtest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// An HAProxy passes TCP connections on to one or several database servers, as a
// load balancer before a cluster does. It knows nothing of databases.
//
//	c := dbtest.PostgresCluster(t, 1)
//	proxy := dbtest.StartHAProxy(t, dbtest.HAProxyConfig{
//		Backends: []dbtest.Backend{{Server: c.Primary}, {Server: c.Replicas[0]}},
//	})
//	db := proxy.Through(c.Database(t))  // the first backend: the primary
//	proxy.Switch(t, c.Replicas[0])      // new connections go to the replica
//	proxy.Disconnect(t, c.Primary)      // those that are open are cut
type HAProxy struct {
	*Front
	config HAProxyConfig
}

// HAProxyConfig is what stands in haproxy.cfg.
type HAProxyConfig struct {
	// Backends are the servers. Without a Check new connections go to the first
	// until [HAProxy.Switch], with one to the well ones in turn.
	Backends []Backend
	// IdleTimeout ends connections over which nothing was sent for that long, with
	// FIN to both sides. Defaults to an hour.
	IdleTimeout time.Duration
	// Check is how HAProxy finds out which backends are well, each 200 ms; two
	// failures take one out and cut its connections, one success brings it back.
	// Empty: it does not. "tcp": the port accepts. A path, such as "/primary": a request
	// at the backend's CheckPort answers with 200, as [Patroni] does.
	Check string
}

// A Backend is one server behind an HAProxy.
type Backend struct {
	Server    *Server
	Addr      string // instead of Server: host:port, such as that of a [Proxy]
	CheckPort int    // zero: the server's own
}

func (b Backend) addr() string {
	if b.Addr != "" {
		return b.Addr
	}
	return b.Server.Addr()
}

// StartHAProxy starts an HAProxy for one test and ends it with the test. A test
// without an installed HAProxy is skipped, see the package comment.
func StartHAProxy(t testing.TB, config HAProxyConfig) *HAProxy {
	t.Helper()
	needs(t, "haproxy")
	if config.IdleTimeout == 0 {
		config.IdleTimeout = time.Hour
	}
	f, err := newFront("haproxy")
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	h := &HAProxy{Front: f, config: config}
	f.configure = func() error { return f.write("haproxy.cfg", h.text()) }
	f.args = func() []string {
		program, _ := findHAProxy()
		return []string{program, "-db", "-f", f.path("haproxy.cfg")}
	}
	f.answers = func() error { _, err := h.ask("show info"); return err }
	f.own(t)
	return h
}

func (h *HAProxy) text() string {
	idle := h.config.IdleTimeout.Milliseconds()
	var b strings.Builder
	fmt.Fprintf(&b, `global
	stats socket %s mode 600 level admin
	log stdout format raw local0
	nbthread 1
	maxconn 4000
defaults
	mode tcp
	log global
	option tcplog
	timeout connect 5s
	timeout client %dms
	timeout server %dms
	timeout check 1s
listen database
	bind %s
	balance roundrobin
`, h.path("admin.sock"), idle, idle, h.Addr())
	check := ""
	if h.config.Check != "" {
		check = " check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions"
		if h.config.Check != "tcp" {
			fmt.Fprintf(&b, "\toption httpchk OPTIONS %s\n", h.config.Check)
		}
	}
	for i, s := range h.config.Backends {
		fmt.Fprintf(&b, "\tserver s%d %s%s", i, s.addr(), check)
		if check != "" && s.CheckPort != 0 {
			fmt.Fprintf(&b, " port %d", s.CheckPort)
		}
		if check == "" && i > 0 {
			b.WriteString(" disabled")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ask gives a command to the runtime socket and returns the answer.
func (h *HAProxy) ask(command string) (string, error) {
	conn, err := net.DialTimeout("unix", h.path("admin.sock"), 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return strings.TrimSpace(string(answer)), err
}

func (h *HAProxy) order(t testing.TB, command string) {
	t.Helper()
	if answer, err := h.ask(command); err != nil || answer != "" {
		t.Fatalf("dbtest: haproxy: %s: %s %v", command, answer, err)
	}
}

// Switch sends new connections to these servers only, none of them: to nobody. Open
// connections stay where they are, see [HAProxy.Disconnect].
func (h *HAProxy) Switch(t testing.TB, to ...*Server) {
	t.Helper()
	var leave []string
	for i, b := range h.config.Backends {
		state := "maint"
		for _, s := range to {
			if b.Server == s {
				state = "ready"
			}
		}
		command := fmt.Sprintf("set server database/s%d state %s", i, state)
		if state == "maint" {
			leave = append(leave, command)
			continue
		}
		h.order(t, command)
	}
	// A moment with two servers is better than one with none.
	for _, command := range leave {
		h.order(t, command)
	}
}

// Disconnect cuts the open connections to a server.
func (h *HAProxy) Disconnect(t testing.TB, from *Server) {
	t.Helper()
	for i, b := range h.config.Backends {
		if b.Server == from {
			h.order(t, fmt.Sprintf("shutdown sessions server database/s%d", i))
		}
	}
}

// Open is how many connections of clients are open now.
func (h *HAProxy) Open(t testing.TB) int {
	t.Helper()
	return h.sessions(t, "FRONTEND")
}

// OpenTo is how many connections to a server are open now.
func (h *HAProxy) OpenTo(t testing.TB, s *Server) int {
	t.Helper()
	n := 0
	for i, b := range h.config.Backends {
		if b.Server == s {
			n += h.sessions(t, fmt.Sprintf("s%d", i))
		}
	}
	return n
}

func (h *HAProxy) sessions(t testing.TB, name string) int {
	t.Helper()
	answer, err := h.ask("show stat")
	if err != nil {
		t.Fatalf("dbtest: haproxy: %v", err)
	}
	for line := range strings.Lines(answer) { // pxname,svname,qcur,qmax,scur,…
		var n int
		f := strings.Split(line, ",")
		if len(f) > 4 && f[0] == "database" && f[1] == name {
			if _, err := fmt.Sscan(f[4], &n); err == nil {
				return n
			}
		}
	}
	t.Fatalf("dbtest: haproxy does not know %s:\n%s", name, answer)
	return 0
}
