//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"errors"
)

// pinned are the settings of which the server tells each change by itself. Those
// before the last are what values mean.
var pinned = [...]string{"TimeZone", "client_encoding", "standard_conforming_strings", "DateStyle", "IntervalStyle", "default_transaction_read_only"}

// DriverConn is the *pgx.Conn. Whoever gets it may parse another statement under no
// name.
func (s *conn) DriverConn() any {
	s.unnamed = nil
	return s.conn
}

// Pins asks nothing of the server.
func (s *conn) Pins(context.Context) ([]string, error) {
	switch {
	case s.pc.IsClosed():
		return nil, errors.New("closed the connection")
	case s.pc.IsBusy():
		return nil, errors.New("left rows open")
	case s.pc.TxStatus() != 'I':
		return nil, errors.New("left a transaction open")
	}
	pins := make([]string, len(pinned))
	for i, name := range pinned {
		pins[i] = name + " = " + s.pc.ParameterStatus(name)
	}
	return pins, nil
}
