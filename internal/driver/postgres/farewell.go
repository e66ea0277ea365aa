//go:build !dbfleet_no_postgres

package postgres

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Alive looks for what the server may have sent to an idle connection: an error
// is its farewell, notices and changed parameters are not. What TLS has
// encrypted cannot be told apart and counts as a farewell.
func (s *conn) Alive() bool {
	n, gone := s.net.Peek(s.peeked[:])
	if gone || n > 0 && s.tls {
		return false
	}
	return farewellOf(s.peeked[:n]) == nil
}

// Farewell implements session.FarewellTeller.
func (s *conn) Farewell() error {
	n, gone := s.net.Peek(s.peeked[:])
	switch {
	case gone, n > 0 && s.tls && s.net.HungUp():
		return &session.HungUpError{}
	case n == 0 || s.tls:
		return nil
	}
	return farewellOf(s.peeked[:n])
}

// farewellOf finds what ends the session among messages that nobody asked for, of which
// the last may be cut off.
func farewellOf(b []byte) error {
	for len(b) > 0 {
		whole := len(b)
		if len(b) >= 5 {
			whole = 1 + int(binary.BigEndian.Uint32(b[1:5]))
		}
		switch b[0] {
		case 'N', 'S', 'A':
		default:
			var m pgproto3.ErrorResponse
			if b[0] != 'E' || whole < 5 || whole > len(b) || m.Decode(b[5:whole]) != nil {
				return &session.HungUpError{}
			}
			return pgconn.ErrorResponseToPgError(&m)
		}
		if whole < 5 || whole >= len(b) {
			break
		}
		b = b[whole:]
	}
	return nil
}
