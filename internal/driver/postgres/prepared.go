//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// BeginBranch begins an ordinary transaction: PREPARE TRANSACTION is what names it.
func (s *conn) BeginBranch(ctx context.Context, _ session.BranchID, o session.TxOptions) error {
	return s.Begin(ctx, o)
}

// PrepareBranch goes by the server's word for what it did: to a transaction that it had
// aborted, or to none, it answers without an error. Whatever it refuses is rolled back.
func (s *conn) PrepareBranch(ctx context.Context, id session.BranchID) (attached bool, err error) {
	tag, err := s.simple(ctx, "PREPARE TRANSACTION '"+id.String()+"'")
	s.dropBegin()
	if err == nil && tag.String() != "PREPARE TRANSACTION" {
		return false, &session.TxLostError{Err: session.ErrTxAborted}
	}
	return false, err
}

func (s *conn) FinishPrepared(ctx context.Context, id session.BranchID, commit, _ bool) error {
	query := "ROLLBACK PREPARED '" + id.String() + "'"
	if commit {
		query = "COMMIT PREPARED '" + id.String() + "'"
	}
	_, err := s.simple(ctx, query)
	if reason := finishReason(err); reason != nil {
		return &session.BranchError{ID: id, Reason: reason, Err: err}
	}
	return err
}

func finishReason(err error) error {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return nil
	}
	switch pe.Code {
	case "42704":
		return session.ErrBranchUnknown
	case "55000": // another session finishes it at this moment
		return session.ErrBranchHeld
	case "42501":
		return session.ErrBranchDenied
	case "0A000":
		return session.ErrBranchElsewhere
	case "25006":
		return session.ErrBranchReadOnly
	}
	return nil
}

// listPrepared has a row without a name where there is none, for its first column: a
// standby shows no prepared transactions, whatever there are.
const listPrepared = `SELECT r.standby, p.gid, p.owner, extract(epoch FROM p.prepared)::float8, extract(epoch FROM clock_timestamp() - p.prepared)::float8
FROM (SELECT pg_is_in_recovery() AS standby) r
LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.database = current_database() AND left(p.gid, 8) = 'dbfleet_'
ORDER BY p.prepared, p.gid`

func (s *conn) ListPrepared(ctx context.Context) ([]session.PreparedBranch, error) {
	rows, err := s.askText(ctx, listPrepared)
	if err != nil {
		return nil, err
	}
	var list []session.PreparedBranch
	for _, row := range rows {
		if string(row[0]) == "t" {
			return nil, &session.BranchError{Reason: session.ErrBranchReadOnly}
		}
		id, ok := session.ParseBranchID(string(row[1]))
		if !ok {
			continue
		}
		since, _ := strconv.ParseFloat(string(row[3]), 64)
		age, _ := strconv.ParseFloat(string(row[4]), 64)
		list = append(list, session.PreparedBranch{
			ID: id, Owner: string(row[2]),
			Since: time.UnixMicro(int64(since * 1e6)).UTC(), Age: time.Duration(age * float64(time.Second)),
		})
	}
	return list, nil
}

// CheckBranches asks for the slots of prepared transactions, which a server has none of
// unless it is told to. Whether one is free shows at PREPARE TRANSACTION.
func (s *conn) CheckBranches(ctx context.Context) error {
	rows, err := s.askText(ctx, "SELECT current_setting('max_prepared_transactions'), pg_is_in_recovery()")
	if err != nil {
		return err
	}
	var faults []error
	for _, row := range rows {
		if string(row[0]) == "0" {
			faults = append(faults, &session.BranchSetupError{
				Setting: "max_prepared_transactions", Reason: "is 0: set it to at least max_connections and restart the server",
			})
		}
		if string(row[1]) == "t" {
			faults = append(faults, &session.BranchSetupError{
				Setting: "Host", Reason: "is a standby, which prepares no transactions: name the primary",
			})
		}
	}
	return errors.Join(faults...)
}

// Wrote asks for the transaction's id, which the server gives with the first write or
// row lock. NOTIFY has none before the commit.
func (s *conn) Wrote(ctx context.Context) (bool, error) {
	rows, err := s.askText(ctx, "SELECT txid_current_if_assigned() IS NOT NULL")
	if err != nil {
		return true, err
	}
	return len(rows) != 1 || string(rows[0][0]) != "f", nil
}

// askText is a query without arguments, whose values come as text.
func (s *conn) askText(ctx context.Context, query string) ([][][]byte, error) {
	if err := s.beginNow(ctx); err != nil {
		return nil, err
	}
	s.unnamed = nil
	results, err := s.pc.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, errors.New("the server gave no rows")
	}
	return results[0].Rows, results[0].Err
}
