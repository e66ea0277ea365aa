package driver

import (
	sqldriver "database/sql/driver"
	"io"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// readsAhead reports whether all rows of a query are read before the program's own
// code gets the first. A SQLite database in memory has no log beside it as a file has:
// as long as somebody reads it nobody else can commit, so that a program that writes
// while it goes through rows would wait for itself. What it reads is in its memory
// anyway. In a transaction the writes are on the same connection.
func (c *conn) readsAhead() bool { return c.pool.memory && !c.tx.active }

// ahead are rows that were read before.
type ahead struct {
	of   Rows
	told []toldColumn
	rows [][]sqldriver.Value
}

// readAhead reads and closes rows. tell keeps what database/sql may ask about their
// columns, which is known only as long as they are open.
func readAhead(rows Rows, tell bool) (Rows, error) {
	a := &ahead{of: rows}
	n := len(rows.Columns())
	if of, ok := rows.(columnTypes); ok && tell {
		a.told = tellColumns(of, n)
	}
	for {
		row := make([]sqldriver.Value, n)
		if err := rows.Next(row); err == io.EOF {
			return a, nil
		} else if err != nil {
			return nil, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = append([]byte{}, b...)
			}
		}
		a.rows = append(a.rows, row)
	}
}

func (a *ahead) Columns() []string     { return a.of.Columns() }
func (a *ahead) TypeName(i int) string { return a.of.TypeName(i) }

// Dialect is the dialect of the database that the rows come from.
func (a *ahead) Dialect() *dialect.Dialect { return dialect.SQLite }

func (a *ahead) Next(dest []sqldriver.Value) error {
	if len(a.rows) == 0 {
		return io.EOF
	}
	copy(dest, a.rows[0])
	a.rows[0] = nil
	a.rows = a.rows[1:]
	return nil
}

func (a *ahead) Close() error {
	a.rows = nil
	return nil
}
