//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	"errors"
)

// Pins asks for those pragmas on which the library's promises rest.
func (s *conn) Pins(ctx context.Context) ([]string, error) {
	if _, err := s.ExecText(ctx, "BEGIN", nil); err != nil { // it takes no lock
		if codeOf(err) == 1 {
			return nil, errors.New("left a transaction open")
		}
		return nil, err
	}
	if _, err := s.ExecText(ctx, "ROLLBACK", nil); err != nil {
		return nil, err
	}
	s.rolledBack = false
	var pins []string
	for _, name := range [...]string{"foreign_keys", "query_only"} {
		value, err := s.pragma(ctx, "PRAGMA "+name)
		if err != nil {
			return nil, err
		}
		pins = append(pins, name+" = "+value)
	}
	return pins, nil
}
