package plain_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/plain"
)

var errStale = errors.New("stale")

// preparing is a driver's connection whose first statements are stale when they
// are run.
type preparing struct {
	sqldriver.Conn
	stale             int // how many statements are
	prepared, run     int
	closed, succeeded int
}

func (c *preparing) Prepare(string) (sqldriver.Stmt, error) {
	c.prepared++
	return &stale{c: c, is: c.prepared <= c.stale}, nil
}

type stale struct {
	c  *preparing
	is bool
}

func (s *stale) Close() error  { s.c.closed++; return nil }
func (s *stale) NumInput() int { return -1 }

func (s *stale) do() error {
	s.c.run++
	if s.is {
		return errStale
	}
	s.c.succeeded++
	return nil
}

func (s *stale) Exec([]sqldriver.Value) (sqldriver.Result, error) {
	return sqldriver.RowsAffected(1), s.do()
}

func (s *stale) Query([]sqldriver.Value) (sqldriver.Rows, error) { return noRows{}, s.do() }

type noRows struct{}

func (noRows) Columns() []string            { return []string{"n"} }
func (noRows) Close() error                 { return nil }
func (noRows) Next([]sqldriver.Value) error { return io.EOF }

// A prepared statement that the server does not know any more has done nothing: it
// is prepared once more, but not in a transaction, of which something may be lost
// with it, and not for ever.
func TestStale_IsPreparedAgainOnce(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(ctx context.Context, s *plain.Session) error{
		"query": func(ctx context.Context, s *plain.Session) error {
			rows, err := s.Query(ctx, "SELECT", nil)
			if err == nil {
				err = rows.Close()
			}
			return err
		},
		"exec": func(ctx context.Context, s *plain.Session) error {
			res, err := s.Exec(ctx, "UPDATE", nil)
			if err == nil && res.RowsAffected != 1 {
				err = errors.New("other rows")
			}
			return err
		},
	} {
		session := func(c *preparing) *plain.Session {
			s := plain.New(c, 8)
			s.Stale = func(err error) bool { return errors.Is(err, errStale) }
			return s
		}
		c := &preparing{stale: 1}
		s := session(c)
		for range 3 { // a statement is kept once it was seen before
			require.NoError(t, run(t.Context(), s), name)
		}
		require.Equal(t, 3, c.succeeded, name)
		require.Equal(t, 1, c.closed, "%s: the stale one", name)

		c = &preparing{stale: 100}
		require.ErrorIs(t, run(t.Context(), session(c)), errStale, name)
		require.Equal(t, 2, c.run, name)
		require.Equal(t, 2, c.closed, "%s: nothing stale is kept", name)

		c = &preparing{stale: 1}
		s = session(c)
		s.Tx = noTx{}
		require.ErrorIs(t, run(t.Context(), s), errStale, name)
		require.Equal(t, 1, c.run, name)
	}
}

type noTx struct{}

func (noTx) Commit() error   { return nil }
func (noTx) Rollback() error { return nil }
