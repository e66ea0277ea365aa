//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestText_HidesValues(t *testing.T) {
	t.Parallel()
	state := func(s string) (out [5]byte) { copy(out[:], s); return }
	for _, tt := range []struct {
		err   error
		query string
		args  []any
		want  string
	}{
		{nil, "", nil, ""},
		{&mysql.MySQLError{Number: 1062, SQLState: state("23000"), Message: "Duplicate entry 'bob' for key 'email'"}, "", nil,
			`error 1062: unique constraint violated, constraint "email"`},
		{&mysql.MySQLError{Number: 1406, SQLState: state("22001"), Message: "Data too long for column 'name' at row 1"}, "", nil,
			"Error 1406 (22001): Data too long for column 'name' at row 1"},
		{&mysql.MySQLError{Number: 1644, SQLState: state("45000"), Message: "bob is poor"}, "", nil,
			"error 1644 (its text may hold values and is not shown)"},
		{&mysql.MySQLError{Number: 1064, SQLState: state("42000"), Message: "near 'SELEC ?' at line 1"}, "SELEC ?", []any{int64(1)},
			"Error 1064 (42000): near 'SELEC ?' at line 1"},
		{&pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `invalid input syntax for type integer: "bob"`}, "", nil,
			"error 22P02: value refused by the database"},
		{&pgconn.PgError{Severity: "ERROR", Code: "23505", Message: `duplicate key value violates unique constraint "k"`, Detail: "Key (email)=(bob) already exists."}, "", nil,
			`ERROR: duplicate key value violates unique constraint "k" (SQLSTATE 23505)`},
		{&pgconn.PgError{Severity: "ERROR", Code: "23505", Message: "bob again", Routine: "exec_stmt_raise"}, "", nil,
			"error 23505: unique constraint violated"},
		{&TxLostError{Err: &pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `for type integer: "bob"`}}, "", nil,
			"the transaction is lost: error 22P02: value refused by the database"},
		{errors.New("strange: bobby"), "SELECT ?", []any{"a bobby b", nil, true, []byte("x")}, "strange: …"},
		{errors.New(`strange: "b" and bobby`), "SELECT ?", []any{"bob"}, "strange: … and …by"},
		{errors.New("no such table: users"), "SELECT * FROM users WHERE name = ?", []any{"users"}, "no such table: users"},
		{fmt.Errorf("wrapped: %w", errors.New("about 12345")), "", []any{int64(12345)}, "wrapped: about …"},
	} {
		require.Equal(t, tt.want, Text(tt.err, tt.query, tt.args))
	}
}
