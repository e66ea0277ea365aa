//go:build unix

// Replicas shows where reads and writes go while a replicated PostgreSQL breaks before
// one's eyes: a replica that falls behind, one that dies and returns, and a primary that
// dies and is replaced.
//
//	go run ./examples/replicas
//
// It starts a primary and two standbys in a temporary folder, for which it needs the
// programs of PostgreSQL: in PATH, below /usr/lib/postgresql or in the folder that
// POSTGRES_BIN names. It prints each step, and for each read and write the node that
// served it and why. See run for the part that a service would have.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet"
)

// Note is what is written and read.
type Note struct {
	ID   int64
	Text string
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	servers, err := startCluster(ctx)
	if err == nil {
		err = run(ctx, servers, os.Stdout)
		err = errors.Join(err, servers.stop())
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run is the show. The steps of breaker are what happens to servers at night.
func run(ctx context.Context, servers breaker, out io.Writer) (err error) {
	registry, err := dbfleet.Open(dbfleet.Config{
		Connections: map[string]dbfleet.ConnectionConfig{"notes": servers.config()},
		SessionKeys: []dbfleet.Secret{"a key that all processes of the service have"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	news := &changes{out: out}
	registry.OnNodeChange(news.print)
	notes, err := dbfleet.NewModel[Note](registry, dbfleet.ModelConfig{Table: "notes", Connection: "notes"})
	if err != nil {
		return err
	}
	if _, err := registry.DB("notes").ExecContext(ctx, "CREATE TABLE notes (id bigserial PRIMARY KEY, text text NOT NULL)"); err != nil {
		return err
	}
	s := &show{notes: notes, news: news}

	news.say("Reads take turns, writes go to the primary.")
	if err := s.write(ctx, "first"); err != nil {
		return err
	}
	if err := servers.caughtUp(ctx); err != nil {
		return err
	}
	s.read(ctx, 4)

	news.say("Both standbys stop to replay. A session still reads its own writes; others read what replicas have.")
	if err := servers.pauseReplay(ctx, true); err != nil {
		return err
	}
	session := dbfleet.WithSession(ctx)
	if err := s.write(session, "second"); err != nil {
		return err
	}
	s.read(session, 2)
	s.read(ctx, 2)
	token, err := dbfleet.SessionOf(session).Token()
	if err != nil {
		return err
	}
	news.say(fmt.Sprintf("The session goes on in another process by its token (%d bytes), which a cookie can carry.", len(token)))
	elsewhere, err := registry.ContinueSession(ctx, token)
	if err != nil {
		return err
	}
	s.read(elsewhere, 1)
	if err := servers.pauseReplay(ctx, false); err != nil {
		return err
	}

	news.say("A standby is frozen. No read fails, and none waits for long.")
	if err := servers.freeze(1, true); err != nil {
		return err
	}
	s.readFor(ctx, 2*time.Second)
	if err := servers.freeze(1, false); err != nil {
		return err
	}
	news.say("It goes on, and is back in turn.")
	s.readFor(ctx, 2*time.Second)

	news.say("The primary dies. Reads go on.")
	if err := servers.killPrimary(); err != nil {
		return err
	}
	s.read(ctx, 2)
	if err := s.write(ctx, "lost"); err == nil {
		return errors.New("a dead primary has taken a write")
	}

	news.say("A standby is promoted. It is found by its role.")
	if err := servers.promote(ctx, 0); err != nil {
		return err
	}
	start := time.Now()
	for s.write(ctx, "third") != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(50 * time.Millisecond)
	}
	news.say(fmt.Sprintf("The first write after the promotion came through within %s.", time.Since(start).Round(100*time.Millisecond)))
	s.read(ctx, 2)
	if s.failed > 0 {
		return fmt.Errorf("%d reads failed", s.failed)
	}
	return nil
}

// show writes and reads, and prints where that went and why.
type show struct {
	notes  *dbfleet.Model[Note]
	news   *changes
	failed int // reads
}

func (s *show) write(ctx context.Context, text string) error {
	var route dbfleet.Route
	err := s.notes.Create(dbfleet.WithRoute(ctx, &route), &Note{Text: text})
	if err != nil {
		s.news.say(fmt.Sprintf("  write %q failed: %v", text, err))
		return err
	}
	s.news.say(fmt.Sprintf("  write %-8q %s", text, route))
	return nil
}

func (s *show) read(ctx context.Context, times int) {
	for range times {
		var route dbfleet.Route
		list, err := s.notes.Query().OrderBy("id", dbfleet.Asc).Get(dbfleet.WithRoute(ctx, &route))
		if err != nil {
			s.failed++
			s.news.say(fmt.Sprintf("  read failed: %v", err))
			continue
		}
		s.news.say(fmt.Sprintf("  read %d notes %s", len(list), route))
	}
}

// readFor reads for a while and counts which nodes served.
func (s *show) readFor(ctx context.Context, d time.Duration) {
	served := map[string]int{}
	failed, slowest := 0, time.Duration(0)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		var route dbfleet.Route
		start := time.Now()
		if _, err := s.notes.Count(dbfleet.WithRoute(ctx, &route)); err != nil {
			failed++
			continue
		}
		served[route.Node]++
		slowest = max(slowest, time.Since(start))
	}
	s.failed += failed
	s.news.say(fmt.Sprintf("  reads by node %v, %d failed, the slowest took %s", served, failed, slowest.Round(time.Millisecond)))
}

// changes prints what happens to nodes, and what is said. It is safe for concurrent use.
type changes struct {
	mu  sync.Mutex
	out io.Writer
}

func (c *changes) print(_ context.Context, e dbfleet.NodeEvent) {
	c.say(fmt.Sprintf("  [%s: %s → %s: %s]", e.Node, e.From, e.To, e.Reason))
}

func (c *changes) say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, text)
}
