package session

import "fmt"

// Class is the kind of an error, the same for every database.
type Class uint8

// The classes.
const (
	Unknown            Class = iota
	Unique                   // a unique constraint or a primary key
	ForeignKey               // a foreign key, from either side
	NotNull                  // a column that may not be NULL
	Check                    // a check or exclusion constraint
	Deadlock                 // the transaction was chosen as a deadlock's victim
	Serialization            // the transaction cannot be serialised, and may succeed if run again
	LockTimeout              // a lock was not given in time, or the SQLite file is busy
	ReadOnly                 // the node, session or transaction takes no writes
	Connection               // the connection could not be opened or is lost
	TooManyConnections       // the server or the pool has no connection left
	Timeout                  // a deadline, the server's time limit, or a silent server
	Canceled                 // the context or somebody on the server cancelled it
	InvalidValue             // a value that the database cannot take: range, length, encoding, syntax
	TxLost                   // the transaction was broken before
	Auth                     // the server refused the credentials or the right
	UndefinedObject          // a table, column, function or database that does not exist
	Syntax                   // the statement is not understood
	Full                     // disk, memory or another resource of the server is used up
	Busy                     // the connection is in use, by rows that are open
	CommitUnknown            // COMMIT was not answered
	Closed                   // the pool or connection was closed by this program
)

var classNames = [...]string{"unknown", "unique", "foreign key", "not null", "check", "deadlock", "serialization",
	"lock timeout", "read-only", "connection", "too many connections", "timeout", "canceled", "invalid value",
	"transaction lost", "authorization", "undefined object", "syntax", "resource exhausted", "busy", "commit unknown", "closed"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// Problem is what is known about an error.
type Problem struct {
	Class Class
	// Code is the database's own: SQLSTATE on PostgreSQL, the number otherwise.
	Code string
	// Constraint, Table and Column are what the database tells, "" if it does not.
	Constraint, Table, Column string
	// Unanswered: the statement was sent and no answer came, so that the outcome
	// of a write is unknown.
	Unanswered bool
	// NotSent: nothing of the statement reached the server.
	NotSent bool
}

var classTexts = map[Class]string{
	Unique: "unique constraint violated", ForeignKey: "foreign key violated", NotNull: "not-null constraint violated",
	Check: "check constraint violated", InvalidValue: "value refused by the database",
}

// Hidden stands in for a message that may hold values.
func Hidden(code string, p Problem) string {
	s := "error " + code
	if text := classTexts[p.Class]; text != "" {
		s += ": " + text
	} else {
		s += " (its text may hold values and is not shown)"
	}
	for _, part := range [...][2]string{{"constraint", p.Constraint}, {"table", p.Table}, {"column", p.Column}} {
		if part[1] != "" {
			s += fmt.Sprintf(", %s %q", part[0], part[1])
		}
	}
	return s
}
