package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// null is a database that answers from memory: what is left is the cost of
// database/sql and of the peer. It takes every statement and understands as
// much of it as it takes to answer with columns that were asked for.
type null struct {
	// rows is how many people a query finds, and how many rows an insert without
	// arguments inserts.
	rows atomic.Int64

	mu      sync.Mutex // one adds to answers at a time
	answers atomic.Pointer[map[string]*answer]
}

func newNull() *null {
	n := &null{}
	n.answers.Store(&map[string]*answer{})
	return n
}

func (n *null) Connect(context.Context) (driver.Conn, error) { return &nullConn{n}, nil }
func (n *null) Driver() driver.Driver                        { return nullDriver{} }

type nullDriver struct{}

func (nullDriver) Open(string) (driver.Conn, error) { return nil, errors.New("null: has no names") }

// answer is what a statement gets.
type answer struct {
	columns []string
	table   [][]driver.Value
	of      []int // index into a row of table, by column
	many    bool  // as many rows as null.rows says, else the whole table
	insert  bool  // a row for each row that is inserted
}

// answer finds the answer of a query by the part that has no values in it: some
// peers print them into the text.
func (n *null) answer(query string) *answer {
	insert := isInsert(query)
	part := query
	if insert {
		part = query[strings.LastIndex(query, returning)+1:] // all of it if it returns nothing
	} else if i := strings.Index(query, " WHERE "); i >= 0 {
		part = query[:i]
	}
	if a := (*n.answers.Load())[part]; a != nil {
		return a
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	known := maps.Clone(*n.answers.Load())
	a := understand(part, insert)
	known[strings.Clone(part)] = a
	n.answers.Store(&known)
	return a
}

const returning = " RETURNING "

func isInsert(query string) bool { return strings.HasPrefix(query, "INSERT") }

func understand(part string, insert bool) *answer {
	if strings.Contains(part, "sqlite_version") {
		return &answer{columns: []string{"version"}, table: [][]driver.Value{{"3.51.0"}}, of: []int{0}}
	}
	part = strings.Join(strings.Fields(part), " ") // some write a clause a line
	a := &answer{table: peopleValues, insert: insert, many: true}
	all := personColumns
	list, from, _ := strings.Cut(part, " FROM ")
	switch bareName(from) {
	case "parents":
		all, a.table, a.many = []string{"id", "name"}, parentValues, false
	case "children":
		all, a.table, a.many = []string{"id", "parent_id", "name"}, childValues, false
	}
	list = strings.TrimPrefix(strings.TrimPrefix(list, "SELECT "), returning[1:])
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if strings.HasSuffix(item, "*") {
			a.columns, a.of = slices.Clone(all), nil
			for i := range all {
				a.of = append(a.of, i)
			}
			continue
		}
		name := bareName(item[strings.LastIndexByte(item, '.')+1:])
		if i := slices.Index(all, name); i >= 0 {
			a.columns, a.of = append(a.columns, name), append(a.of, i)
		}
	}
	return a
}

// bareName is the identifier that a text begins with, without its quotes.
func bareName(s string) string {
	s = strings.TrimLeft(s, " \"`")
	if i := strings.IndexAny(s, " \"`,()"); i >= 0 {
		s = s[:i]
	}
	return s
}

// inserted is how many rows an insert inserts. Some peers leave out what is
// NULL, or print the values.
func (n *null) inserted(args int) int64 {
	if args == 0 || args%len(writeColumns) != 0 {
		return n.rows.Load()
	}
	return int64(args / len(writeColumns))
}

func (n *null) exec(query string, args int) driver.Result {
	if isInsert(query) {
		return nullResult(n.inserted(args))
	}
	return nullResult(1)
}

func (n *null) query(a *answer, args int) *nullRows {
	r := &nullRows{a: a, left: len(a.table)}
	switch {
	case a.insert:
		r.left = int(n.inserted(args))
	case a.many:
		r.left = int(n.rows.Load())
	}
	return r
}

type nullConn struct{ n *null }

func (c *nullConn) Close() error              { return nil }
func (c *nullConn) Begin() (driver.Tx, error) { return nullTx{}, nil }
func (c *nullConn) Prepare(q string) (driver.Stmt, error) {
	return &nullStmt{c.n, q, c.n.answer(q)}, nil
}
func (c *nullConn) IsValid() bool                      { return true }
func (c *nullConn) ResetSession(context.Context) error { return nil }

func (c *nullConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return nullTx{}, nil
}

func (c *nullConn) PrepareContext(_ context.Context, q string) (driver.Stmt, error) {
	return &nullStmt{c.n, q, c.n.answer(q)}, nil
}

func (c *nullConn) QueryContext(_ context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return c.n.query(c.n.answer(q), len(args)), nil
}

func (c *nullConn) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	return c.n.exec(q, len(args)), nil
}

type nullStmt struct {
	n *null
	q string
	a *answer
}

func (s *nullStmt) Close() error  { return nil }
func (s *nullStmt) NumInput() int { return -1 }

func (s *nullStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.n.exec(s.q, len(args)), nil
}

func (s *nullStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.n.query(s.a, len(args)), nil
}

func (s *nullStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.n.query(s.a, len(args)), nil
}

func (s *nullStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.n.exec(s.q, len(args)), nil
}

type nullTx struct{}

func (nullTx) Commit() error   { return nil }
func (nullTx) Rollback() error { return nil }

// nullResult is a number of rows, the last of which got that number as its key.
type nullResult int64

func (r nullResult) LastInsertId() (int64, error) { return int64(r), nil }
func (r nullResult) RowsAffected() (int64, error) { return int64(r), nil }

type nullRows struct {
	a        *answer
	at, left int
}

func (r *nullRows) Columns() []string { return r.a.columns }
func (r *nullRows) Close() error      { return nil }

func (r *nullRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	row := r.a.table[r.at]
	for i, c := range r.a.of {
		dest[i] = row[c]
	}
	r.at++
	r.left--
	return nil
}

var peopleValues, parentValues, childValues = func() (ps, as, cs [][]driver.Value) {
	for i := range stored {
		p := &stored[i]
		row := []driver.Value{p.ID, p.Name, nil, nil, p.Balance, p.Active, p.CreatedAt, nil}
		if p.Email != nil {
			row[2] = *p.Email
		}
		if p.Age != nil {
			row[3] = *p.Age
		}
		if p.SeenAt != nil {
			row[7] = *p.SeenAt
		}
		ps = append(ps, row)
	}
	for _, a := range newFamilies() {
		as = append(as, []driver.Value{a.ID, a.Name})
		for _, c := range a.Children {
			cs = append(cs, []driver.Value{c.ID, c.ParentID, c.Name})
		}
	}
	return ps, as, cs
}()
