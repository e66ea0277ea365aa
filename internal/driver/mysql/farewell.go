//go:build !dbfleet_no_mysql

package mysql

import (
	"encoding/binary"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Farewell implements session.FarewellTeller. A server has nothing to say between two
// statements but that it ends the session.
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

// farewellOf reads an error packet: three bytes of length, one of sequence, 0xff, the
// number, '#' with the state, the message.
func farewellOf(b []byte) error {
	const head, state = 4, 6
	if len(b) < head+3+state || b[head] != 0xff || b[head+3] != '#' {
		return &session.HungUpError{}
	}
	end := min(len(b), head+(int(b[0])|int(b[1])<<8|int(b[2])<<16))
	e := &mysql.MySQLError{Number: binary.LittleEndian.Uint16(b[head+1:])}
	copy(e.SQLState[:], b[head+4:])
	if from := head + 3 + state; from < end {
		e.Message = string(b[from:end])
	}
	return e
}
