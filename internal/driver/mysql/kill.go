//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// MySQL and MariaDB do not look whether a client is still there while they run a
// statement, or while it waits for a lock: closing its connection stops nothing. So it
// is killed, by its number, on another connection.
//
// A server counts its connections from 1, and begins anew when it starts: a number
// alone could by now be somebody else's, on this server or on another one that a name
// or a balancer leads to. So a connection is killed only on the server that it was made
// to, told by host, port and server_id, and only if that server has been up for as long
// as the connection is old. The server itself lets an account kill its own connections
// only, unless it may kill all.

// thread is what is known of a connection on its server.
type thread struct {
	id     int64 // 0 is not known: nothing is killed
	server string
	since  time.Time // a moment when it was there
}

const (
	variablesOf  = "SELECT @@auto_increment_increment, @@version, @@max_allowed_packet"
	threadOf     = ", @@global.read_only, CONNECTION_ID(), @@hostname, @@port, @@server_id"
	uptimeOf     = "SHOW GLOBAL STATUS LIKE 'Uptime'"
	serverOf     = "SELECT @@hostname, @@port, @@server_id"
	killText     = "KILL CONNECTION "
	connectedNow = "SELECT ID FROM information_schema.PROCESSLIST WHERE ID IN ("
)

// learn takes the thread from the columns of threadOf behind read_only.
func (th *thread) learn(values []any) {
	th.id, th.server, th.since = toInt(values[0]), serverText(values[1:]), time.Now()
}

func serverText(values []any) string {
	return fmt.Sprintln(values...)
}

// stopper is a connection that kills others.
type stopper struct {
	*plain.Session
	server string
	up     time.Time // not later than when the server started, but for the second that it rounds off
}

// OpenStopper implements session.StopBackend.
func (b *backend) OpenStopper(ctx context.Context, password string) (session.Stopper, error) {
	dc, err := atHost(ctx, b, func(ctx context.Context) (sqldriver.Conn, error) {
		return b.connector.Connect(context.WithValue(ctx, passwordKey{}, password))
	})
	if err != nil {
		return nil, err
	}
	s := &stopper{Session: plain.New(dc, 0)}
	server, err := variables(ctx, s.Session, serverOf)
	if err == nil {
		s.server = serverText(server)
		server, err = variables(ctx, s.Session, uptimeOf)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.up = time.Now().Add(-time.Duration(toInt(server[1])+1) * time.Second)
	return s, nil
}

// thread is the thread of a session, if it is one of this server that has run since.
func (s *stopper) thread(of session.Session) (*thread, bool) {
	c, ok := of.(*conn)
	if !ok {
		return nil, false
	}
	return &c.thread, c.thread.id > 0 && c.thread.server == s.server && !c.thread.since.Before(s.up)
}

// Stop implements session.Stopper.
func (s *stopper) Stop(ctx context.Context, of session.Session) error {
	th, ok := s.thread(of)
	if !ok {
		return nil
	}
	_, err := s.ExecText(ctx, killText+strconv.FormatInt(th.id, 10), nil)
	if numberOf(err) != 0 { // it has gone meanwhile, or the account may not
		return nil
	}
	return err
}

// Left implements session.Stopper.
func (s *stopper) Left(ctx context.Context, list []session.Session) ([]session.Session, error) {
	asked := map[int64]session.Session{}
	var b strings.Builder
	for _, of := range list {
		th, ok := s.thread(of)
		if !ok {
			continue
		}
		if len(asked) > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(th.id, 10))
		asked[th.id] = of
	}
	if len(asked) == 0 {
		return nil, nil
	}
	rows, err := s.QueryText(ctx, connectedNow+b.String()+")", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	left := []session.Session{}
	dest := make([]sqldriver.Value, 1)
	for {
		switch err := rows.Next(dest); err {
		case nil:
			left = append(left, asked[toInt(dest[0])])
		case io.EOF:
			return left, nil
		default:
			return nil, err
		}
	}
}
