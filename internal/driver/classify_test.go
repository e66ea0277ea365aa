//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestClassify_Constraints(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE p (id INTEGER PRIMARY KEY)")
		mustExec(t, c, "CREATE TABLE k (id INTEGER PRIMARY KEY, email VARCHAR(50), p INTEGER, n INTEGER NOT NULL, CONSTRAINT uq_email UNIQUE (email), CONSTRAINT fk_p FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT ck_n CHECK (n > 0))")
		mustExec(t, c, "INSERT INTO p VALUES (1)")
		mustExec(t, c, "INSERT INTO k VALUES (1, 'a', 1, 1)")
		for _, tt := range []struct {
			query      string
			class      Class
			constraint string
			column     string
		}{
			{"INSERT INTO k VALUES (1, 'b', 1, 1)", Unique, "", ""},
			{"INSERT INTO k VALUES (2, 'a', 1, 1)", Unique, "uq_email", "email"},
			{"INSERT INTO k VALUES (2, 'b', 99, 1)", ForeignKey, "fk_p", ""},
			{"DELETE FROM p", ForeignKey, "fk_p", ""},
			{"INSERT INTO k VALUES (2, 'b', 1, NULL)", NotNull, "", "n"},
			{"INSERT INTO k VALUES (2, 'b', 1, 0)", Check, "ck_n", ""},
		} {
			_, err := c.Exec(t.Context(), tt.query, nil)
			got := Classify(err)
			require.Equal(t, tt.class, got.Class, "%s: %v", tt.query, err)
			require.False(t, got.NotSent)
			require.False(t, got.Unanswered)
			require.NotEmpty(t, got.Code)
			if db.Dialect == "sqlite" && tt.class == Unique {
				require.Equal(t, "k", got.Table)
				if tt.column != "" {
					require.Equal(t, tt.column, got.Column)
				}
			} else if tt.constraint != "" && !(db.Dialect == "sqlite" && tt.class == ForeignKey) {
				require.Equal(t, tt.constraint, got.Constraint, "%v", err)
			}
			if tt.class == NotNull {
				require.Equal(t, "n", got.Column)
			}
			if tt.class == Unique || tt.class == NotNull {
				require.Equal(t, "k", got.Table)
			}
			if tt.column != "" {
				require.Equal(t, tt.column, got.Column)
			}
			_, err = p.DB().Exec(tt.query)
			if db.Dialect == "mysql" && (tt.class == Unique || tt.class == NotNull) { // the pool does not ask the schema
				got.Table, got.Column = "", Classify(err).Column
				require.IsType(t, &mysql.MySQLError{}, err)
			}
			require.Equal(t, got, Classify(err))
		}
		_, err := c.Exec(t.Context(), "SELECT * FROM nowhere", nil)
		if db.Dialect != "sqlite" { // has one code for all that is wrong with a text
			require.Equal(t, UndefinedObject, Classify(err).Class)
			_, err = c.Exec(t.Context(), "SELEC", nil)
			require.Equal(t, Syntax, Classify(err).Class)
		}
	})
}

func TestClassify_Codes(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return &pgconn.PgError{Code: code, Severity: "ERROR"} }
	my := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for _, tt := range []struct {
		err        error
		class      Class
		notSent    bool
		unanswered bool
	}{
		{pg("57P01"), Connection, false, false}, {pg("57P02"), Connection, false, false}, {pg("57P03"), Connection, false, false},
		{pg("53300"), TooManyConnections, false, false}, {pg("25006"), ReadOnly, false, false}, {pg("40001"), Serialization, false, false},
		{pg("40P01"), Deadlock, false, false}, {pg("55P03"), LockTimeout, false, false}, {pg("57014"), Timeout, false, false},
		{pg("22003"), InvalidValue, false, false}, {pg("28P01"), Auth, false, false}, {pg("3D000"), UndefinedObject, false, false},
		{pg("25P02"), TxLost, false, false}, {pg("53100"), Full, false, false}, {pg("08006"), Connection, false, false}, {pg("99999"), Unknown, false, false},
		{my(1040), TooManyConnections, false, false}, {my(1053), Connection, false, false}, {my(1317), Canceled, false, false},
		{my(1969), Timeout, false, false}, {my(3024), Timeout, false, false}, {my(1290), ReadOnly, false, false}, {my(1792), ReadOnly, false, false},
		{my(1836), ReadOnly, false, false}, {my(1213), Deadlock, false, false}, {my(1205), LockTimeout, false, false}, {my(1045), Auth, false, false},
		{my(1), Unknown, false, false},
		{mysql.ErrInvalidConn, Connection, false, true}, {mysql.ErrPktTooLarge, InvalidValue, true, false},
		{io.EOF, Connection, false, true}, {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, Connection, false, true},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, Connection, true, false},
		{&net.OpError{Op: "read", Err: &SilenceError{}}, Timeout, false, true},
		{context.Canceled, Canceled, false, false}, {context.DeadlineExceeded, Timeout, false, false},
		{&NotSentError{Err: context.Canceled}, Canceled, true, false}, {&UnansweredError{Err: context.DeadlineExceeded}, Timeout, false, true},
		{&TxLostError{Err: my(1213)}, TxLost, true, false}, {&CommitUnknownError{Err: pg("57P01")}, CommitUnknown, false, true},
		{errors.New("what"), Unknown, false, false}, {nil, Unknown, false, false},
	} {
		got := Classify(tt.err)
		require.Equal(t, tt.class, got.Class, "%v", tt.err)
		require.Equal(t, tt.notSent, got.NotSent, "%v", tt.err)
		require.Equal(t, tt.unanswered, got.Unanswered, "%v", tt.err)
	}
	require.Equal(t, "deadlock", Deadlock.String())
	require.Equal(t, "closed", Closed.String())
	require.Equal(t, "unknown", Class(200).String())
}
