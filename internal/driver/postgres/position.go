//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/position"
)

// What a primary has written is pg_current_wal_insert_lsn: pg_current_wal_lsn does not
// count what synchronous_commit = off has not yet written. Its timeline is in the name of
// its segment; that of the last checkpoint is too low after a promotion.
//
// What a standby has applied is pg_last_wal_replay_lsn. It tells nobody its timeline but
// to members of pg_read_all_stats, and them only as that which it receives. What it
// receives is on the timeline of what it applies or on a later one that continues it, so
// that a position with that timeline is right if it was asked for before. The others see
// what the standby has noted in its control file when it last wrote pages or made a
// restartpoint, which may be the timeline before.
const (
	// placed is what a server is and how far, asked in this order.
	placed = `SELECT s.standby, s.lsn, pg_catalog.pg_last_wal_receive_lsn(),
	CASE WHEN s.standby THEN NULL ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(s.lsn), 1, 8) END,
	CASE WHEN s.standby THEN (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver) END,
	CASE WHEN s.standby THEN (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()) END,
	CASE WHEN s.standby THEN (SELECT min_recovery_end_lsn FROM pg_catalog.pg_control_recovery()) END,
	CASE WHEN s.standby THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) END`
	// who is whose server it is.
	who = `, (SELECT system_identifier FROM pg_catalog.pg_control_system()),
	pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(), pg_catalog.pg_postmaster_start_time(),
	pg_catalog.current_setting('transaction_read_only')`
	// far evaluates how far the server is before anything else.
	far = ` FROM (SELECT q.standby, CASE WHEN q.standby THEN pg_catalog.pg_last_wal_replay_lsn()
		ELSE pg_catalog.pg_current_wal_insert_lsn() END AS lsn
	FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby OFFSET 0) q OFFSET 0) s`

	// standbyOnly serves servers that speak PostgreSQL's protocol and have no WAL.
	standbyOnly = `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')`
	written     = `SELECT q.lsn, pg_catalog.substr(pg_catalog.pg_walfile_name(q.lsn), 1, 8)
	FROM (SELECT pg_catalog.pg_current_wal_insert_lsn() AS lsn OFFSET 0) q`
	applied = `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_wal_replay_lsn()`
)

// Probe implements session.Prober.
func (s *conn) Probe(ctx context.Context) (session.Report, error) {
	if !s.unplaced {
		row, err := s.row(ctx, placed+who+far)
		if err == nil {
			return s.report(row)
		}
		if !missing(err) {
			return session.Report{}, err
		}
		s.unplaced = true
	}
	row, err := s.row(ctx, standbyOnly)
	if missing(err) { // it has answered
		return session.Report{}, nil
	}
	if err != nil {
		return session.Report{}, err
	}
	return session.Report{Role: s.roleOf(row[0], row[1])}, nil
}

func (s *conn) report(row []string) (session.Report, error) {
	r, err := s.located(row)
	r.Role, r.System = s.roleOf(row[0], row[12]), row[8]
	r.Server = strings.Join(row[9:12], " ")
	return r, err
}

// roleOf takes a server that refuses writes for a standby, unless it is this session that
// refuses them.
func (s *conn) roleOf(standby, readOnly string) session.ServerRole {
	if standby == "t" || readOnly == "on" && !s.b.o.ReadOnly {
		return session.RoleStandby
	}
	return session.RoleWritable
}

// located is the position in a row of placed.
func (s *conn) located(row []string) (r session.Report, err error) {
	timeline, guessed := timelineOf(row[3], 16), false
	if row[0] == "t" {
		timeline, guessed = s.standbyTimeline(row)
		if r.Received, err = position.ParseWAL(timeline, row[2]); err != nil {
			return r, err
		}
	}
	r.Guessed = guessed
	r.Position, err = position.ParseWAL(timeline, row[1])
	return r, err
}

// standbyTimeline is the timeline of what a standby has applied, and whether that is
// guessed.
func (s *conn) standbyTimeline(row []string) (timeline uint32, guessed bool) {
	if seen := timelineOf(row[4], 10); seen > 0 {
		s.tliSeen = seen
		return seen, false
	}
	noted := max(timelineOf(row[5], 10), timelineOf(row[7], 10), s.tliSeen)
	applied, _ := position.ParseWAL(noted, row[1])
	// Nothing is received any more: what was until then was on the timeline seen.
	until, _ := position.ParseWAL(s.tliSeen, row[2])
	// Or the note is as new as what was applied.
	note, _ := position.ParseWAL(timelineOf(row[5], 10), row[6])
	sure := !applied.IsZero() && (!until.IsZero() && until.Reached(applied) == position.Yes || !note.IsZero() && note.Reached(applied) == position.Yes)
	return noted, !sure
}

func timelineOf(text string, base int) uint32 {
	n, _ := strconv.ParseUint(text, base, 32)
	return uint32(n)
}

// Position implements session.Locator.
func (s *conn) Position(ctx context.Context) (position.Position, error) {
	s.locates = false
	if s.unplaced {
		return position.Position{}, nil
	}
	row, err := s.row(ctx, written)
	switch {
	case inRecovery(err): // nothing can be written here
		return position.Position{}, nil
	case missing(err):
		s.unplaced = true
		return position.Position{}, nil
	case err != nil:
		return position.Position{}, err
	}
	return position.ParseWAL(timelineOf(row[1], 16), row[0])
}

const (
	// pollFirst is how long a wait lets pass before it asks again, twice as long each
	// time, at most pollMost.
	pollFirst = time.Millisecond
	pollMost  = 20 * time.Millisecond
)

// WaitFor implements session.Locator by asking again and again. On a primary there is
// nothing to wait for.
func (s *conn) WaitFor(ctx context.Context, target position.Position, wait time.Duration) (bool, error) {
	lsn, ok := target.LSN()
	if !ok || s.unplaced {
		return false, nil
	}
	till := time.Now().Add(wait)
	for pause := pollFirst; ; {
		reached, hopeless, err := s.look(ctx, target)
		if missing(err) {
			s.unplaced = true
			return false, nil
		}
		if reached || hopeless || err != nil {
			return reached, err
		}
		for {
			left := time.Until(till)
			if left <= 0 {
				return false, nil
			}
			if err := sleep(ctx, min(pause, left)); err != nil {
				return false, &session.NotSentError{Err: err}
			}
			pause = min(2*pause, pollMost)
			row, err := s.row(ctx, applied)
			if err != nil {
				return false, err
			}
			if row[0] != "t" || !before(row[1], lsn) {
				break // now it is worth to look closely
			}
		}
	}
}

// look asks whether the server includes target. hopeless says that it will not.
func (s *conn) look(ctx context.Context, target position.Position) (reached, hopeless bool, err error) {
	row, err := s.row(ctx, placed+far)
	if err != nil {
		return false, false, err
	}
	r, err := s.located(row)
	if err != nil {
		return false, false, err
	}
	switch r.Position.Reached(target) {
	case position.Yes:
		return true, false, nil
	case position.No:
		return false, row[0] != "t", nil
	}
	return false, row[0] != "t" || r.Position.Timeline() > target.Timeline(), nil
}

// before reports whether one place in the WAL, as texts, is before another.
func before(lsn, target string) bool {
	p, err := position.ParseWAL(1, lsn)
	if err != nil {
		return false
	}
	q, err := position.ParseWAL(1, target)
	return err == nil && p.Reached(q) != position.Yes
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// row is the one row of a query as texts; NULL is "".
func (s *conn) row(ctx context.Context, query string) ([]string, error) {
	if err := s.beginNow(ctx); err != nil {
		return nil, err
	}
	s.unnamed = nil
	results, err := s.pc.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, errNoRow
	}
	row := make([]string, len(results[0].Rows[0]))
	for i, v := range results[0].Rows[0] {
		row[i] = string(v)
	}
	return row, nil
}

var errNoRow = errors.New("the server has not answered with one row")

// missing says that the server does not have what was asked for, or does not show it to
// this account.
func missing(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code {
	case "42883", "42P01", "42703", "0A000", "42501", "42601", "42704":
		return true
	}
	return false
}

// inRecovery says that a standby was asked for what only a primary knows.
func inRecovery(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "55000"
}

// Role implements session.RoleTeller by what the server reports of itself with each
// answer.
func (s *conn) Role() session.ServerRole {
	switch s.pc.ParameterStatus("in_hot_standby") {
	case "on":
		return session.RoleStandby
	case "off":
		return session.RoleWritable
	}
	return session.RoleUnknown
}

// Bound implements session.Interruptible.
func (s *conn) Bound(timeout time.Duration) { s.net.Bound(timeout) }

// Silent implements session.Interruptible.
func (s *conn) Silent() time.Duration { return s.net.Silent() }

// Interrupt implements session.Interruptible.
func (s *conn) Interrupt(err error) { s.net.Interrupt(err) }
