package main

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// counter counts how often a client has waited for its server: what it sends after the
// server has sent something begins a round trip.
type counter struct {
	listener net.Listener
	target   string
	trips    atomic.Int64

	mu    sync.Mutex
	conns []net.Conn // protected by mu
}

// newCounter listens before a server until t ends.
func newCounter(t testing.TB, target string) *counter {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{listener: listener, target: target}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := new(net.Dialer).DialContext(t.Context(), "tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, client, server)
			c.mu.Unlock()
			var answered atomic.Bool
			answered.Store(true)
			ended.Go(func() {
				pass(server, client, func() {
					if answered.Swap(false) {
						c.trips.Add(1)
					}
				})
			})
			ended.Go(func() { pass(client, server, func() { answered.Store(true) }) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.mu.Lock()
		for _, conn := range c.conns {
			conn.Close()
		}
		c.mu.Unlock()
		ended.Wait()
	})
	return c
}

// pass copies from one connection to another, and tells before each piece.
func pass(to, from net.Conn, before func()) {
	defer to.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			before()
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// through is the database as it is reached through the counter.
func (c *counter) through(db dbtest.Database) dbtest.Database {
	host, port, _ := net.SplitHostPort(c.listener.Addr().String())
	db.Host, db.Socket = host, ""
	db.Port, _ = strconv.Atoi(port)
	return db
}

// counts says that the operation's round trips are counted.
func (o Operation) counts() bool {
	return slices.Contains(Transactions, o) || slices.Contains(Spreads, o)
}

// counted is how many executions the round trips are counted of, after as many that open
// connections and prepare statements.
const counted = 50

// countTrips counts the round trips of each peer at the operations, in labs of their own:
// what stands between costs time.
func (o *options) countTrips(ctx context.Context, t testing.TB, s *server, report *Report) error {
	if s.counters == nil {
		return nil
	}
	for _, op := range o.ops {
		if !op.counts() {
			continue
		}
		for _, peer := range o.peers {
			if err := countPeer(ctx, t, s, op, peer, report); err != nil {
				return err
			}
		}
	}
	return nil
}

func countPeer(ctx context.Context, t testing.TB, s *server, op Operation, peer *Peer, report *Report) error {
	through := &server{database: s.database, make: s.counters}
	l, err := openLab(ctx, t, through, op.place(), []*Peer{peer})
	if err != nil {
		return err
	}
	defer func() { _ = l.close() }()
	f, ok := l.operation(peer, op)
	result := report.find(s.database, op, peer.Name)
	if !ok || result == nil {
		return nil
	}
	plain := context.WithoutCancel(ctx)
	times := counted
	if slices.Contains(Spreads, op) {
		times *= 20 // so that what the monitor asks is seen as what it is
	}
	if err := f.Run(plain, times); err != nil {
		return err
	}
	before := l.target.trips()
	if err := f.Run(plain, times); err != nil {
		return err
	}
	result.Trips = round(float64(l.target.trips()-before)/float64(times), 1)
	return nil
}
