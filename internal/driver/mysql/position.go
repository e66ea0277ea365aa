//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/position"
)

// What a session of MariaDB has committed last is its own @@last_gtid. MySQL tells that
// in a part of its answers that the driver does not show; the set of all that the server
// has executed is at least as far.
//
// How far a server of MariaDB is, is @@gtid_current_pos: what it has applied as a replica,
// and what it has written itself since. Its binary log may be further. Behind a pooler
// each statement may reach another server, so that nothing is told.
const (
	placedMariaDB = "SELECT @@global.read_only, @@global.gtid_current_pos, @@global.gtid_binlog_pos, @@server_id, @@hostname, @@port"
	placedMySQL   = "SELECT @@global.read_only, @@global.gtid_executed, '', @@server_uuid"
	readOnlyOf    = "SELECT @@global.read_only"
	lastOf        = "SELECT @@last_gtid"
)

func (s *conn) isMariaDB() bool { return strings.Contains(s.version, "MariaDB") }

// parse reads a position of the server's kind.
func (s *conn) parse(text string) (position.Position, error) {
	if s.isMariaDB() {
		return position.ParseMariaDB(text)
	}
	return position.ParseMySQL(text)
}

// Probe implements session.Prober.
func (s *conn) Probe(ctx context.Context) (session.Report, error) {
	row, err := s.placed(ctx)
	if err != nil {
		return session.Report{}, err
	}
	r := session.Report{Role: roleOf(row[0])}
	if len(row) == 1 {
		return r, nil
	}
	r.Server = strings.Join(row[3:], " ")
	if r.Position, err = s.parse(row[1]); err != nil {
		return session.Report{}, err
	}
	if logged, err := s.parse(row[2]); err == nil && r.Role == session.RoleStandby {
		r.Received, _ = r.Position.Merge(logged)
	}
	var works bool
	if r.Group, works, err = s.group(ctx); err == nil && !works {
		r.Role = session.RoleStandby // it serves nothing until it is a member again
	}
	return r, err
}

// group names the cluster of Galera that the server is a member of, "" for none, and says
// whether it works as one. That it is in none is asked once.
func (s *conn) group(ctx context.Context) (name string, works bool, err error) {
	if s.single {
		return "", true, nil
	}
	on, err := s.askAll(ctx, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
	if err != nil {
		return "", false, err
	}
	if s.single = len(on) != 1 || on[0][1] != "ON"; s.single {
		return "", true, nil
	}
	list, err := s.askAll(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_state_uuid', 'wsrep_cluster_status', 'wsrep_ready')")
	if err != nil {
		return "", false, err
	}
	status := map[string]string{}
	for _, row := range list {
		status[strings.ToLower(row[0])] = row[1]
	}
	works = status["wsrep_ready"] == "ON" && status["wsrep_cluster_status"] == "Primary"
	return status["wsrep_cluster_state_uuid"], works, nil
}

// placed is the server's read_only, how far it is and has logged, and who it is; only the
// first if it has no positions.
func (s *conn) placed(ctx context.Context) ([]string, error) {
	query := placedMySQL
	switch {
	case s.unplaced || s.pooler:
		query = readOnlyOf
	case s.isMariaDB():
		query = placedMariaDB
	}
	row, err := s.row(ctx, query)
	if numberOf(err) == 1193 && !s.unplaced { // it does not know the variables
		s.unplaced = true
		return s.placed(ctx)
	}
	return row, err
}

// Position implements session.Locator.
func (s *conn) Position(ctx context.Context) (position.Position, error) {
	if s.unplaced || s.pooler {
		return position.Position{}, nil
	}
	if !s.isMariaDB() {
		row, err := s.placed(ctx)
		if err != nil || len(row) == 1 {
			return position.Position{}, err
		}
		return position.ParseMySQL(row[1])
	}
	row, err := s.row(ctx, lastOf)
	if err != nil {
		return position.Position{}, err
	}
	return position.ParseMariaDB(row[0])
}

// waitStep is how long the server waits at a time: what it does not send meanwhile is not
// to be taken for silence, and a caller whose context ends is not to lose the connection
// for it.
const waitStep = 50 * time.Millisecond

// WaitFor implements session.Locator. It has the server wait for the numbers only, and
// looks afterwards whether they are those of the same history.
func (s *conn) WaitFor(ctx context.Context, target position.Position, wait time.Duration) (bool, error) {
	for till := time.Now().Add(wait); ; {
		row, err := s.placed(ctx)
		if err != nil || len(row) == 1 {
			return false, err
		}
		p, err := s.parse(row[1])
		if err != nil {
			return false, err
		}
		switch p.Reached(target) {
		case position.Yes:
			return true, nil
		case position.Unknown:
			return false, nil
		}
		left := time.Until(till)
		if left <= 0 || roleOf(row[0]) != session.RoleStandby {
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, &session.NotSentError{Err: err}
		}
		if err := s.await(ctx, target, min(left, waitStep)); err != nil {
			return false, err
		}
	}
}

// await has the server wait.
func (s *conn) await(ctx context.Context, target position.Position, wait time.Duration) error {
	function := "WAIT_FOR_EXECUTED_GTID_SET"
	if s.isMariaDB() {
		function = "MASTER_GTID_WAIT"
	}
	seconds := strconv.FormatFloat(max(wait, time.Millisecond).Seconds(), 'f', 6, 64)
	_, err := s.row(ctx, "SELECT "+function+"('"+target.String()+"', "+seconds+")")
	return err
}

// row is the one row of a query as texts; NULL is "".
func (s *conn) row(ctx context.Context, query string) ([]string, error) {
	values, err := variables(ctx, s.Session, query)
	if err != nil {
		return nil, err
	}
	row := make([]string, len(values))
	for i, v := range values {
		if v != nil {
			row[i] = fmt.Sprint(v)
		}
	}
	return row, nil
}

// roleOf is the role by read_only.
func roleOf(readOnly any) session.ServerRole {
	switch strings.ToUpper(fmt.Sprint(readOnly)) {
	case "0", "OFF":
		return session.RoleWritable
	}
	return session.RoleStandby
}

// Role implements session.RoleTeller by what it was when the session was opened.
func (s *conn) Role() session.ServerRole { return s.role }

// Bound implements session.Interruptible.
func (s *conn) Bound(timeout time.Duration) { s.net.Bound(timeout) }

// Silent implements session.Interruptible.
func (s *conn) Silent() time.Duration { return s.net.Silent() }

// Interrupt implements session.Interruptible.
func (s *conn) Interrupt(err error) { s.net.Interrupt(err) }
