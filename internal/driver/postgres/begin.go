//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What: BEGIN goes out ahead of the first statement of the transaction, in the same
// write: its messages of the extended protocol, then those of the statement with their
// Sync, the only one. A server that refuses BEGIN skips all up to the Sync, so that the
// statement cannot run outside of the transaction. pgx knows nothing of it: the outlet
// writes BEGIN before what pgx writes, the inlet takes the answer to it out of what pgx
// reads. As long as BEGIN is due the outlet lets nothing else pass, so that whoever sends
// what has no Sync of its own, as a text of several statements or COPY, calls beginNow.
//
// Gain: one round trip of each transaction, a tenth of the time of one with four statements.
//
//	go test ./internal/driver -run - -bench BenchmarkBegin    0.89 of what a transaction of four statements takes
//
// Relies on: pgx writes what it sends up to a Sync at once, and reads an ErrorResponse
// before it is done with a statement as the refusal of that statement.
//
// Told by: TestBeginLate_ and TestOutlet_ here, and TestBeginLate_ of package driver.
//
// Off: late.
const late = true

// What has become of a BEGIN.
const (
	noBegin      int32 = iota // there is none that is not over
	beginDue                  // it goes out before what is sent next
	beginSent                 // it is out, and not answered
	beginTaken                // the server has begun the transaction
	beginRefused              // it has not, and nothing else was sent since
)

// opening is the BEGIN that goes out with the first statement. The goroutine in which pgx
// closes a connection reads its state at any time; the rest is used by who has the
// connection.
type opening struct {
	state   atomic.Int32
	text    string
	encoded []byte // without a Sync
}

// beginAnswer is the answer to BEGIN as it is sent here: ParseComplete, BindComplete and
// CommandComplete.
var beginAnswer = []byte("1\x00\x00\x00\x042\x00\x00\x00\x04C\x00\x00\x00\x0aBEGIN\x00")

var (
	errNotBegun = errors.New("the transaction has not begun")
	errConfused = errors.New("the server has not answered BEGIN")
)

// plainBegin is BEGIN without options, encoded.
var plainBegin = encodedBegin("BEGIN")

func encodedBegin(text string) (b []byte) {
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Parse{Query: text}, &pgproto3.Bind{}, &pgproto3.Execute{}} {
		var err error
		if b, err = m.Encode(b); err != nil {
			panic(err) // it is one of a few constants
		}
	}
	return b
}

// BeginLate implements session.LateBeginner.
func (s *conn) BeginLate(o session.TxOptions) (bool, error) {
	if !late {
		return false, nil
	}
	text, err := beginText(o)
	if err != nil {
		return false, err
	}
	s.unnamed = nil // BEGIN takes its place
	f := &s.out.first
	if f.text != text {
		f.text, f.encoded = text, plainBegin
		if text != "BEGIN" {
			f.encoded = encodedBegin(text)
		}
	}
	f.state.Store(beginDue)
	s.begun, s.over = true, session.TxUnknown
	return true, nil
}

// BeginNow implements session.LateBeginner.
func (s *conn) BeginNow(ctx context.Context) error { return s.beginNow(ctx) }

// Unbegun implements session.LateBeginner.
func (s *conn) Unbegun() bool {
	state := s.out.first.state.Load()
	return state == beginDue || state == beginSent
}

// beginNow sends a BEGIN that is due by itself.
func (s *conn) beginNow(ctx context.Context) error {
	f := &s.out.first
	if f.state.Load() != beginDue {
		return nil
	}
	f.state.Store(noBegin)
	s.begun = false // else the answer would count as that to a second BEGIN
	_, err := s.simple(ctx, f.text)
	s.begun = true
	switch v := s.Verdict(err); {
	case err == nil, v.Answered:
	case v.NotSent && !v.Broken:
		f.state.Store(beginDue)
	default:
		f.state.Store(beginSent)
	}
	return err
}

// dropBegin forgets a BEGIN at the end of its transaction. It is true where that was not
// sent: nothing is to be ended on the server.
func (s *conn) dropBegin() bool { return s.out.first.state.Swap(noBegin) == beginDue }

// opened says that the transaction is open whatever the server's last ReadyForQuery says,
// which came before its BEGIN.
func (s *conn) opened() bool {
	f := &s.out.first
	switch f.state.Load() {
	case beginDue, beginSent:
		return true
	case beginTaken:
		if s.pc.TxStatus() == 'I' && (s.pc.IsBusy() || s.pc.IsClosed()) {
			return true
		}
		f.state.Store(noBegin)
	}
	return false
}

// alone says that a statement is, or was, in no transaction.
func (s *conn) alone() bool {
	return s.pc.TxStatus() == 'I' && s.out.first.state.Load() == noBegin
}

// begins writes BEGIN and p.
func (o *outlet) begins(p []byte) (int, error) {
	if !endsInSync(p) {
		return 0, errNotBegun
	}
	f := &o.first
	f.state.Store(beginSent)
	if len(p) > maxBoth {
		if _, err := o.w.Write(f.encoded); err != nil {
			return 0, err
		}
		return o.w.Write(p)
	}
	o.both = append(append(o.both[:0], f.encoded...), p...)
	n, err := o.w.Write(o.both)
	if cap(o.both) > maxBoth {
		o.both = nil
	}
	return max(n-len(f.encoded), 0), err
}

// endsInSync says that p is messages of the extended protocol up to their only Sync, which
// the server skips where it refuses what comes before.
func endsInSync(p []byte) bool {
	for len(p) >= 5 {
		whole := messageSize(p)
		switch p[0] {
		case 'P', 'B', 'C', 'D', 'E':
		default:
			return p[0] == 'S' && whole == len(p)
		}
		if whole > len(p) {
			return false
		}
		p = p[whole:]
	}
	return false
}

// messageSize is how long the message is that b begins with.
func messageSize(b []byte) int { return 1 + max(4, int(binary.BigEndian.Uint32(b[1:5]))) }

// inlet is what a connection reads from.
type inlet struct {
	r     io.Reader
	first *opening
	seen  int    // messages of the answer to BEGIN so far
	head  []byte // read, and not understood yet
	rest  []byte // read, for pgx
}

// Read implements io.Reader.
func (in *inlet) Read(p []byte) (int, error) {
	for {
		if len(in.rest) > 0 {
			n := copy(p, in.rest)
			in.rest = in.rest[n:]
			return n, nil
		}
		n, err := in.r.Read(p)
		if in.first.state.Load() != beginSent || n == 0 {
			return n, err
		}
		if in.seen == 0 && len(in.head) == 0 && n > len(beginAnswer) && bytes.HasPrefix(p[:n], beginAnswer) {
			in.first.state.Store(beginTaken)
			return copy(p, p[len(beginAnswer):n]), err
		}
		in.head = append(in.head, p[:n]...)
		if confused := in.understand(); confused != nil {
			return 0, confused
		}
		if len(in.rest) == 0 && err != nil {
			return 0, err
		}
	}
}

// understand takes the answer to BEGIN out of in.head, and moves the rest of what is known
// to be for pgx to in.rest. What a server says without being asked may stand in between.
func (in *inlet) understand() error {
	for in.first.state.Load() == beginSent {
		if len(in.head) < 5 {
			return nil
		}
		whole := messageSize(in.head)
		if len(in.head) < whole {
			return nil
		}
		switch kind := in.head[0]; {
		case kind == 'N', kind == 'S', kind == 'A':
			in.rest = append(in.rest, in.head[:whole]...)
		case kind == 'E': // it is refused
			in.first.state.Store(beginRefused)
			in.seen = 0
			continue
		case in.seen < 3 && kind == "12C"[in.seen]:
			if in.seen++; in.seen == 3 {
				in.first.state.Store(beginTaken)
				in.seen = 0
			}
		default:
			return errConfused
		}
		in.head = in.head[:copy(in.head, in.head[whole:])]
	}
	in.rest = append(in.rest, in.head...)
	in.head = in.head[:0]
	return nil
}
