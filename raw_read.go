package dbfleet

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// notPlainError refuses SQL on a handle for reads that may do more than read. It is
// ErrReadHandle, and as what a server's session that refuses writes says ErrReadOnly.
type notPlainError struct {
	connection string
	what       string // that may do more
}

func (e *notPlainError) Error() string {
	text := prefix + "connection " + quoted(e.connection) + ": a handle for reads sends what is known to be a plain read, and this SQL "
	switch {
	case e.what == "":
		return text + "has a quote or comment without an end"
	case e.what == ";":
		return text + "has several statements; send them one by one"
	}
	return text + "has " + e.what + ", which may do more; send it by the handle itself or Primary, or, where it is the name of a column, put that in quotes"
}

func (e *notPlainError) Unwrap() []error { return []error{ErrReadHandle, ErrReadOnly} }

// notPlain is the error of SQL that has what may do more than read.
func notPlain(connection, what string) error { return &notPlainError{connection, what} }

// plainReads remembers texts of callers that are known to be plain reads, so that they are
// looked through once. It has room for a fixed number; a text drops another one. The zero
// value is ready for use, and safe for concurrent use.
type plainReads struct {
	texts [256]atomic.Pointer[plainRead]
}

type plainRead struct {
	text    string
	dialect *dialect.Dialect
}

// maxPlainText is how long a text is that is remembered, in bytes.
const maxPlainText = 4 << 10

// textSeed is of the hashes by which texts are found.
var textSeed = maphash.MakeSeed()

// refuse is an error for a text that is not known to be a plain read.
func (k *plainReads) refuse(connection, text string, d *dialect.Dialect) error {
	at := &k.texts[maphash.String(textSeed, text)%uint64(len(k.texts))]
	if known := at.Load(); known != nil && known.dialect == d && known.text == text {
		return nil
	}
	if err := refuseControl(text, d); err != nil {
		return errorf("connection %q: %w", connection, err)
	}
	if what, plain := notPlainOn(text, d); !plain {
		return notPlain(connection, what)
	}
	if len(text) <= maxPlainText {
		at.Store(&plainRead{text, d})
	}
	return nil
}

// notPlainOn is lex.NotPlain of a text as it is read by servers of all versions, of which
// some take for a comment of MySQL's what others execute.
func notPlainOn(text string, d *dialect.Dialect) (what string, plain bool) {
	what, plain = lex.NotPlain(text, d)
	if plain && d == dialect.MySQL && (strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")) {
		what, plain = lex.NotPlain(lex.WithoutExecuted(text), d)
	}
	return what, plain
}
