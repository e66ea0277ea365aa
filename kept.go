package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// maxKeptName is how many characters a {name} of a kept table has.
const maxKeptName = 255

// keptTable is a table that the library keeps for itself; see sqlgen.CreateKept.
type keptTable struct{ name, columns string }

// keptSQL are the statements that create tables.
func (db *DB) keptSQL(tables []keptTable) ([]string, error) {
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(tables))
	for i, t := range tables {
		if texts[i], err = sqlgen.CreateKept(e.dialect, t.name, t.columns); err != nil {
			return nil, errorf("connection %q: table %q: %w", db.name, t.name, err)
		}
	}
	return texts, nil
}

// createKept creates tables unless they are there.
func (db *DB) createKept(ctx context.Context, tables []keptTable) error {
	texts, err := db.keptSQL(tables)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
