//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func (s *conn) begins(t *testing.T, o session.TxOptions) {
	t.Helper()
	late, err := s.BeginLate(o)
	require.NoError(t, err)
	require.True(t, late)
	require.Equal(t, session.TxOpen, s.TxStatus())
	require.True(t, s.Unbegun())
}

// sends is the same statement in each way that reaches the server.
var sends = map[string]func(ctx context.Context, s *conn) error{
	"a text": func(ctx context.Context, s *conn) error {
		_, err := s.Exec(ctx, "INSERT INTO t VALUES (1)", nil)
		return err
	},
	"a prepared": func(ctx context.Context, s *conn) error {
		_, err := s.Exec(ctx, "INSERT INTO t VALUES ($1)", numbered(1))
		return err
	},
	"rows": func(ctx context.Context, s *conn) error {
		rows, err := s.Query(ctx, "INSERT INTO t VALUES ($1) RETURNING v", numbered(1))
		if err == nil {
			err = rows.Close()
		}
		return err
	},
	"rows by arrays": func(ctx context.Context, s *conn) error {
		src, _, err := s.InsertRows(ctx, "INSERT INTO t (v) VALUES ($1) RETURNING v", numbered(1))
		switch {
		case err != nil:
			return err
		case src == nil:
			return errors.New("it is not known yet")
		}
		return src.Close()
	},
	"by COPY": func(ctx context.Context, s *conn) error {
		l, err := s.CopyInto(ctx, &session.LoadTarget{Table: "t", Columns: []string{"v"}, Insert: func(int) (string, error) { return "INSERT INTO t (v) VALUES ($1)", nil }}, []any{int64(1)})
		if err != nil {
			return err
		}
		buf, err := l.Row(l.Head(nil), []any{int64(1)})
		if err != nil {
			return err
		}
		_, err = l.Send(ctx, bytes.NewReader(l.Tail(buf)), func() {})
		return err
	},
}

func numbered(values ...int64) (list []sqldriver.NamedValue) {
	for i, v := range values {
		list = append(list, sqldriver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return list
}

// What is sent first is in the transaction, in one round trip where it is prepared.
func TestBeginLate_IsBegunByWhatIsSentFirst(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{0, 10} {
		s := connect(t, kept)
		s.must(t, "CREATE TABLE t (v bigint)")
		sent := &writes{Conn: s.net.Conn}
		s.net.Conn = sent
		for round := range 3 {
			for name, send := range sends {
				if name == "rows by arrays" && (kept == 0 || round == 0) {
					src, _, err := s.InsertRows(t.Context(), "INSERT INTO t (v) VALUES ($1) RETURNING v", numbered(1))
					require.NoError(t, err)
					if src != nil {
						require.NoError(t, src.Close())
					}
					s.must(t, "DELETE FROM t")
					if kept == 0 {
						continue
					}
				}
				s.begins(t, session.TxOptions{})
				before := sent.n
				require.NoError(t, send(t.Context(), s), name)
				require.False(t, s.Unbegun())
				require.Equal(t, session.TxOpen, s.TxStatus(), name)
				if kept > 0 && round == 2 && (name == "a prepared" || strings.HasPrefix(name, "rows")) {
					require.Equal(t, 1, sent.n-before, name)
				}
				require.NoError(t, s.Rollback(t.Context()))
				require.Equal(t, session.TxNone, s.TxStatus(), name)
				require.Equal(t, [][]any{{int64(0)}}, s.must(t, "SELECT count(*) FROM t"), "%s was in no transaction", name)
				s.begins(t, session.TxOptions{})
				require.NoError(t, send(t.Context(), s), name)
				require.NoError(t, s.Commit(t.Context()), name)
				require.Equal(t, [][]any{{int64(1)}}, s.must(t, "SELECT count(*) FROM t"), name)
				s.must(t, "DELETE FROM t")
			}
		}
	}
}

// A statement whose BEGIN is refused is not run, by none of its ways.
func TestBeginLate_RunsNothingWhereBeginIsRefused(t *testing.T) {
	t.Parallel()
	s := connect(t, 10)
	s.must(t, "CREATE TABLE t (v bigint)")
	for range 3 { // so that all is prepared
		for _, send := range sends {
			_ = send(t.Context(), s)
		}
	}
	s.must(t, "DELETE FROM t")
	for name, send := range sends {
		s.begins(t, session.TxOptions{})
		s.out.first.text, s.out.first.encoded = "BEGIN NOTHING", encodedBegin("BEGIN NOTHING")
		err := send(t.Context(), s)
		require.ErrorContains(t, err, "NOTHING", name)
		require.False(t, s.Unbegun(), name)
		require.Equal(t, session.TxNone, s.TxStatus(), name)
		require.True(t, s.Verdict(err).Answered, name)
		require.NoError(t, s.Rollback(t.Context()), name)
		require.Equal(t, [][]any{{int64(0)}}, s.must(t, "SELECT count(*) FROM t"), "%s ran outside of its transaction", name)
	}
}

// Nothing is sent of a transaction without a statement.
func TestBeginLate_SendsNothingOfNothing(t *testing.T) {
	t.Parallel()
	s := connect(t, 10)
	sent := &writes{Conn: s.net.Conn}
	s.net.Conn = sent
	for range 3 {
		s.begins(t, session.TxOptions{Isolation: sql.LevelSerializable})
		require.NoError(t, s.Commit(t.Context()))
		require.Equal(t, session.TxNone, s.TxStatus())
		s.begins(t, session.TxOptions{})
		require.NoError(t, s.Rollback(t.Context()))
		require.Equal(t, session.TxNone, s.TxStatus())
	}
	require.Zero(t, sent.n)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, send := range sends { // a context that has ended sends nothing, and the transaction stays to be begun
		s.begins(t, session.TxOptions{})
		require.ErrorIs(t, send(over, s), context.Canceled, name)
		require.True(t, s.Unbegun(), name)
		require.Zero(t, sent.n, name)
		s.must(t, "SELECT $1::int8", int64(1))
		require.Equal(t, session.TxOpen, s.TxStatus(), name)
		require.NoError(t, s.Rollback(t.Context()))
		sent.n = 0
	}
}

// The options are the transaction's, whatever begins it.
func TestBeginLate_KeepsItsOptions(t *testing.T) {
	t.Parallel()
	s := connect(t, 10)
	const asks = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'), current_setting('transaction_deferrable'), $1::int8"
	for range 3 {
		for _, c := range []struct {
			o    session.TxOptions
			want []any
		}{
			{session.TxOptions{}, []any{"read committed", "off", "off", int64(1)}},
			{session.TxOptions{Isolation: sql.LevelRepeatableRead}, []any{"repeatable read", "off", "off", int64(1)}},
			{session.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true, Deferrable: true}, []any{"serializable", "on", "on", int64(1)}},
			{session.TxOptions{ReadOnly: true}, []any{"read committed", "on", "off", int64(1)}},
		} {
			s.begins(t, c.o)
			require.Equal(t, [][]any{c.want}, s.must(t, asks, int64(1)))
			require.NoError(t, s.Commit(t.Context()))
			s.begins(t, c.o)
			level, err := s.Isolation(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.want[0], strings.ToLower(level.String()))
			require.NoError(t, s.Commit(t.Context()))
		}
	}
	_, err := s.BeginLate(session.TxOptions{Isolation: sql.LevelLinearizable})
	require.True(t, s.Verdict(err).NotSent)
	require.Equal(t, session.TxNone, s.TxStatus())
}

// The status is that of an open transaction before the server has told so, and then the
// server's.
func TestBeginLate_StatusIsRightAtEachTime(t *testing.T) {
	t.Parallel()
	s := connect(t, 10)
	for range 3 {
		s.begins(t, session.TxOptions{})
		rows, err := s.Query(t.Context(), "SELECT g FROM generate_series(1, $1::int8) g", numbered(3))
		require.NoError(t, err)
		require.Equal(t, session.TxOpen, s.TxStatus(), "while rows are open")
		require.False(t, s.Unbegun())
		require.NoError(t, rows.Close())
		require.Equal(t, session.TxOpen, s.TxStatus())
		require.NoError(t, s.Commit(t.Context()))
		require.Equal(t, session.TxNone, s.TxStatus())

		s.begins(t, session.TxOptions{})
		_, err = s.ask(t, "SELECT 1 / $1::int8", int64(0))
		require.ErrorContains(t, err, "division")
		require.Equal(t, session.TxAborted, s.TxStatus())
		require.False(t, s.Unbegun())
		require.NoError(t, s.Rollback(t.Context()))

		s.begins(t, session.TxOptions{})
		_, err = s.ask(t, "SELECT nowhere FROM t"+strings.Repeat(" ", s.names), int64(0))
		require.Error(t, err)
		require.Equal(t, session.TxAborted, s.TxStatus(), "what cannot be prepared")
		require.ErrorIs(t, s.Commit(t.Context()), session.ErrTxAborted)
		require.Equal(t, session.TxNone, s.TxStatus())

		s.begins(t, session.TxOptions{})
		require.NoError(t, s.Watch(t.Context()))
		still, err := s.Watched(t.Context())
		require.NoError(t, err)
		require.True(t, still)
		require.NoError(t, s.Rollback(t.Context()))
		require.True(t, s.alone())
	}
}

// cutting loses the connection with what is sent next.
type cutting struct{ net.Conn }

func (c *cutting) Write(b []byte) (int, error) {
	_ = c.Conn.Close()
	return len(b), nil
}

// A connection that is lost before it has answered leaves the transaction unbegun.
func TestBeginLate_IsUnbegunWhereNothingWasAnswered(t *testing.T) {
	t.Parallel()
	for name, send := range sends {
		s := connect(t, 10)
		s.must(t, "CREATE TABLE t (v bigint)")
		for range 3 {
			_ = send(t.Context(), s)
		}
		s.begins(t, session.TxOptions{})
		s.net.Conn = &cutting{s.net.Conn}
		err := send(t.Context(), s)
		require.Error(t, err, name)
		require.True(t, s.Verdict(err).Broken, name)
		require.True(t, s.Unbegun(), name)
		require.NotEqual(t, session.TxNone, s.TxStatus(), name)
	}
}
