package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dbfleet/dbfleet/internal/driver"
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
		if err := db.create(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// create sends a CREATE TABLE IF NOT EXISTS.
func (db *DB) create(ctx context.Context, text string) error {
	for attempt := 0; ; attempt++ {
		_, err := db.ExecContext(ctx, text)
		if err == nil {
			return nil
		}
		// PostgreSQL fails when two create a table at the same time, whatever IF NOT EXISTS says.
		var refused *QueryError
		atOnce := errors.Is(err, ErrUnique) || errors.As(err, &refused) && slices.Contains(tableExists, refused.Code)
		if attempt >= maxRetries || !atOnce && !IsRetryable(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

// tableExists are PostgreSQL's codes for a table that is there, and for its type.
var tableExists = []string{"42P07", "42710"}

// maxFailure is how many bytes of the text of an error are kept.
const maxFailure = 2000

// failureText is the text of an error as every database takes it.
func failureText(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", "\uFFFD"), "\uFFFD")
	if len(text) > maxFailure {
		text = strings.ToValidUTF8(text[:maxFailure], "")
	}
	return text
}

// keptName returns what is wrong with a text as the name of something.
func keptName(what, name string) error {
	switch {
	case name == "":
		return errorf("%s is empty", what)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return errorf("%s is no text: it has bytes that are not UTF-8, or that are zero", what)
	case utf8.RuneCountInString(name) > maxKeptName:
		return errorf("%s has more than %d characters", what, maxKeptName)
	}
	return nil
}

// keptRows calls each with the rows of a table that the library keeps, and returns how
// many there were. Texts are strings. each must not keep the slice.
func keptRows(rows driver.Rows, each func(row []sqldriver.Value)) (n int64, err error) {
	row := make([]sqldriver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); err {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return n, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = string(b)
			}
		}
		each(row)
		n++
	}
}

// textOf is a value of a kept table as text; "" for NULL.
func textOf(v sqldriver.Value) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// numberOf is a value of a kept table as a number.
func numberOf(table string, v sqldriver.Value) (int64, error) {
	n, err := strconv.ParseInt(textOf(v), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the table %s has %q where it should have a number", table, textOf(v))
	}
	return n, nil
}
