package driver

import (
	"context"
	"errors"
)

// inserts is a load by INSERT statements of many rows, each with the same text.
type inserts struct {
	c    *conn
	into LoadTarget
	most int // rows of a statement

	args  []any
	held  int   // rows in args
	bytes int64 // about what they take
	first int64 // the number of the first of them
	done  int64 // rows that the database has taken
	text  string
}

const (
	// insertRows is how many rows a statement has: on SQLite more cost more to
	// bind than they save, servers save a round trip.
	insertRows       = 100
	insertRowsRemote = 250
	// insertBytes is about the most that a statement's values take: less than a
	// quarter of the 16 MiB that MariaDB takes by default.
	insertBytes = 4 << 20
)

func newInserts(c *conn, into LoadTarget) *inserts {
	most := insertRows
	if c.pool.remote {
		most = insertRowsRemote
	}
	n := len(into.Columns)
	if n == 0 {
		most = 1 // DEFAULT VALUES makes one row
	} else if d := c.pool.dialect; d != nil && d.MaxParams > 0 {
		most = min(most, max(1, d.MaxParams/n))
	}
	return &inserts{c: c, into: into, most: most, args: make([]any, 0, most*n)}
}

func (s *inserts) add(ctx context.Context, row []any) error {
	size := int64(0)
	for _, v := range row {
		switch v := v.(type) {
		case string:
			size += int64(len(v))
		case []byte:
			size += int64(len(v))
		default:
			size += 8
		}
	}
	if s.held > 0 && s.bytes+size > insertBytes {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.args = append(s.args, row...)
	s.held++
	s.bytes += size
	if s.held < s.most {
		return nil
	}
	return s.flush(ctx)
}

func (s *inserts) flush(ctx context.Context) error {
	if s.held == 0 {
		return nil
	}
	text := s.text
	if s.held != s.most || text == "" {
		var err error
		if text, err = s.into.Insert(s.held); err != nil {
			return err
		}
		if s.held == s.most {
			s.text = text
		}
	}
	res, err := s.exec(ctx, text, s.args)
	if err != nil {
		return s.blame(ctx, err)
	}
	s.done += res.RowsAffected
	s.first += int64(s.held)
	clear(s.args)
	s.args, s.held, s.bytes = s.args[:0], 0, 0
	return nil
}

func (s *inserts) exec(ctx context.Context, text string, args []any) (Result, error) {
	nv, err := s.c.bind(args)
	if err != nil {
		return Result{}, err
	}
	defer give(nv)
	return s.c.exec(ctx, text, *nv)
}

// blame finds the row that the database has refused, by inserting one after the
// other what it refused together. The transaction is undone in any case.
func (s *inserts) blame(ctx context.Context, err error) error {
	switch Classify(err).Class {
	case Unique, ForeignKey, NotNull, Check, InvalidValue, Unknown:
	default:
		return err
	}
	if s.c.tx.cause != nil || s.c.broken.Load() {
		return err
	}
	if partly := new(PartlyError); errors.As(err, &partly) { // what is there would conflict with itself
		return &RowError{Row: s.first + partly.Rows, Err: partly.Err}
	}
	text, textErr := s.into.Insert(1)
	if textErr != nil {
		return err
	}
	n := len(s.into.Columns)
	for i := range s.held {
		if _, rowErr := s.exec(ctx, text, s.args[i*n:(i+1)*n]); rowErr != nil {
			if Classify(rowErr).Class != Classify(err).Class {
				return err
			}
			return &RowError{Row: s.first + int64(i), Err: rowErr}
		}
	}
	return err
}

func (s *inserts) finish(ctx context.Context) (int64, error) {
	err := s.flush(ctx)
	s.args = nil
	return s.done, err
}
