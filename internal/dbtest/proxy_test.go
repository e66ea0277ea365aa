package dbtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An echo answers each line with "ok <line>" and counts them.
type echo struct {
	addr  string
	lines atomic.Int64
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", loopback+":0")
	require.NoError(t, err)
	e := &echo{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					e.lines.Add(1)
					fmt.Fprintf(conn, "ok %s\n", lines.Text())
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return e
}

// patience bounds what takes no time where the processor is free.
const patience = 20 * time.Second

// A caller is a client of an echo.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, addr string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &caller{conn, bufio.NewReader(conn)}
}

func (c *caller) say(line string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err := c.in.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func setupProxy(t *testing.T) (*echo, *Proxy) {
	t.Helper()
	e := startEcho(t)
	return e, NewProxy(t, e.addr)
}

func TestProxy_PassesAndCounts(t *testing.T) {
	t.Parallel()
	e, p := setupProxy(t)
	tr := p.On(Fault{Marker: "COMMIT"})
	c := call(t, p.Addr())
	for _, line := range []string{"begin", "commit commit", "Commit"} {
		answer, err := c.say(line)
		require.NoError(t, err)
		require.Equal(t, "ok "+line, answer)
	}
	require.Equal(t, 3, tr.Seen())
	require.Equal(t, 1, p.Accepted())
	require.Equal(t, 1, p.Open())
	require.EqualValues(t, 3, e.lines.Load())
	c.Close()
	require.True(t, poll(patience, func() bool { return p.Open() == 0 }))
}

func TestProxy_CutReplyLetsTheServerDoIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reset bool
		want  error
	}{"fin": {false, io.EOF}, "rst": {true, syscall.ECONNRESET}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := setupProxy(t)
			tr := p.On(Fault{Marker: "commit", Action: CutReply, Reset: tc.reset, Times: 1})
			c := call(t, p.Addr())
			_, err := c.say("begin")
			require.NoError(t, err)
			_, err = c.say("commit")
			require.ErrorIs(t, err, tc.want)
			<-tr.Fired()
			require.EqualValues(t, 2, e.lines.Load())
			_, err = call(t, p.Addr()).say("commit")
			require.NoError(t, err, "only once")
		})
	}
}

func TestProxy_CutRequestKeepsItFromTheServer(t *testing.T) {
	t.Parallel()
	e, p := setupProxy(t)
	p.On(Fault{Marker: "commit", Action: CutRequest})
	c := call(t, p.Addr())
	_, err := c.say("commit")
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, e.lines.Load())
}

func TestProxy_SeesAMarkerInTwoParts(t *testing.T) {
	t.Parallel()
	e, p := setupProxy(t)
	tr := p.On(Fault{Marker: "commit", Action: CutRequest})
	c := call(t, p.Addr())
	_, err := io.WriteString(c, "com")
	require.NoError(t, err)
	// Nothing tells when the first part has passed but the echo, after a line.
	answer, err := c.say("x")
	require.NoError(t, err)
	require.Equal(t, "ok comx", answer)
	require.Zero(t, tr.Seen())
	require.Equal(t, 1, occurrences([]byte("xcommit"), []byte("commit"), 4))
	require.Equal(t, 0, occurrences([]byte("commitx"), []byte("commit"), 6))
	require.Equal(t, 2, occurrences([]byte("commitcommit"), []byte("commit"), 0))
	require.EqualValues(t, 1, e.lines.Load())
}

func TestProxy_HoldKeepsTheConnectionOpen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		action Action
		lines  int64
	}{"reply": {HoldReply, 1}, "request": {HoldRequest, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := setupProxy(t)
			p.On(Fault{Marker: "commit", Action: tc.action})
			c := call(t, p.Addr())
			_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
			fmt.Fprintln(c, "commit")
			_, err := c.in.ReadString('\n')
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.True(t, poll(patience, func() bool { return e.lines.Load() == tc.lines }), "%d lines", e.lines.Load())
		})
	}
}

func TestProxy_BlackholeIsSilentUntilHealed(t *testing.T) {
	t.Parallel()
	_, p := setupProxy(t)
	old := call(t, p.Addr())
	_, err := old.say("one")
	require.NoError(t, err)
	p.Blackhole()
	for _, c := range []*caller{old, call(t, p.Addr())} {
		_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
		fmt.Fprintln(c, "two")
		_, err = c.in.ReadString('\n')
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
	p.Heal()
	_, err = old.say("three")
	require.Error(t, err, "what was lost does not come back")
	_, err = call(t, p.Addr()).say("four")
	require.NoError(t, err)
}

func TestProxy_HoldsNewConnectionsUntilRelease(t *testing.T) {
	t.Parallel()
	_, p := setupProxy(t)
	open := call(t, p.Addr())
	_, err := open.say("one")
	require.NoError(t, err)
	p.Hold(1)
	held := call(t, p.Addr())
	require.True(t, poll(patience, func() bool { return p.Open() == 2 }))
	for _, c := range []*caller{open, call(t, p.Addr())} {
		_, err = c.say("two")
		require.NoError(t, err, "it is not the next one")
	}
	_ = held.SetDeadline(time.Now().Add(200 * time.Millisecond))
	fmt.Fprintln(held, "three")
	_, err = held.in.ReadString('\n')
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	p.Release()
	answer, err := held.say("four")
	require.NoError(t, err)
	require.Equal(t, "ok three", answer, "nothing was lost")
}

func TestProxy_RefusesAndCuts(t *testing.T) {
	t.Parallel()
	_, p := setupProxy(t)
	c := call(t, p.Addr())
	_, err := c.say("one")
	require.NoError(t, err)
	p.Refuse()
	_, err = c.say("two")
	require.Error(t, err)

	conn, err := net.Dial("tcp", p.Addr())
	if err == nil { // it may be reset before or after this
		_, err = (&caller{conn, bufio.NewReader(conn)}).say("three")
		conn.Close()
	}
	require.Error(t, err)
	p.Heal()
	_, err = call(t, p.Addr()).say("four")
	require.NoError(t, err)
}

func TestProxy_DelaysAnswers(t *testing.T) {
	t.Parallel()
	_, p := setupProxy(t)
	p.Delay(150 * time.Millisecond)
	c := call(t, p.Addr())
	start := time.Now()
	_, err := c.say("one")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 150*time.Millisecond)
}

func TestProxy_LosesTheAnswerToACommitThatHappened(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, db Database) {
		db.Exec(t, "CREATE TABLE a (id INTEGER)")
		p := NewProxy(t, db.Server.Addr())
		pool := p.Through(db).SQL(t)
		tx, err := pool.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("INSERT INTO a VALUES (1)")
		require.NoError(t, err)
		p.On(Fault{Marker: "COMMIT", Action: CutReply, Times: 1})
		require.Error(t, tx.Commit())
		require.Equal(t, 1, count(t, db))
	})
}
