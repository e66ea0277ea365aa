package unittest

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
)

// Script is a database that gives one answer after another, whatever it is asked.
// It is for ConnectionConfig.Connector, and safe for concurrent use.
type Script struct {
	mu      sync.Mutex
	answers []Answer
	asked   []string
}

// An Answer is what a statement gets: an error, or rows, or how many it changed.
type Answer struct {
	Err      error
	Columns  []string
	Rows     [][]driver.Value
	Affected int64
}

// NewScript is a database that gives those answers.
func NewScript(answers ...Answer) *Script { return &Script{answers: answers} }

// Asked are the statements so far.
func (s *Script) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Script) next(statement string) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, statement)
	if len(s.answers) == 0 {
		return Answer{}, errors.New("the script has ended: " + statement)
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer, answer.Err
}

// Connect makes a connection, without an answer being taken.
func (s *Script) Connect(context.Context) (driver.Conn, error) { return connection{s}, nil }

// Driver is nothing: there is no name to open it by.
func (s *Script) Driver() driver.Driver { return nil }

// connection begins and ends transactions without an answer, and prepares anything.
type connection struct{ script *Script }

func (c connection) Prepare(query string) (driver.Stmt, error) {
	return statement{c.script, query}, nil
}
func (c connection) Begin() (driver.Tx, error) { return c, nil }
func (c connection) Commit() error             { return nil }
func (c connection) Rollback() error           { return nil }
func (c connection) Close() error              { return nil }

// statement takes the next answer each time that it runs.
type statement struct {
	script *Script
	query  string
}

func (s statement) Close() error  { return nil }
func (s statement) NumInput() int { return -1 } // any number of arguments

func (s statement) Exec([]driver.Value) (driver.Result, error) {
	answer, err := s.script.next(s.query)
	return driver.RowsAffected(answer.Affected), err
}

func (s statement) Query([]driver.Value) (driver.Rows, error) {
	answer, err := s.script.next(s.query)
	return &rows{answer}, err
}

type rows struct{ answer Answer }

func (r *rows) Columns() []string { return r.answer.Columns }
func (r *rows) Close() error      { return nil }
func (r *rows) Next(dest []driver.Value) error {
	if len(r.answer.Rows) == 0 {
		return io.EOF
	}
	copy(dest, r.answer.Rows[0])
	r.answer.Rows = r.answer.Rows[1:]
	return nil
}
