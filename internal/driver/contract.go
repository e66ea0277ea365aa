package driver

import (
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What this package and the packages of the databases have in common is declared
// in package session. These are the parts that callers of this package see.

// Options and the others are those of package session.
type (
	Options   = session.Options
	SQLite    = session.SQLite
	Result    = session.Result
	TxOptions = session.TxOptions

	LoadTarget  = session.LoadTarget
	KeyedInsert = session.KeyedInsert
	Keyed       = session.Keyed

	Class   = session.Class
	Problem = session.Problem

	TxLostError    = session.TxLostError
	NotSentError   = session.NotSentError
	SilenceError   = session.SilenceError
	ArgumentError  = session.ArgumentError
	OptionError    = session.OptionError
	NotLinkedError = session.NotLinkedError
	RowsError      = session.RowsError
)

// ErrTxAborted is session.ErrTxAborted.
var ErrTxAborted = session.ErrTxAborted

// The classes.
const (
	Unknown            = session.Unknown
	Unique             = session.Unique
	ForeignKey         = session.ForeignKey
	NotNull            = session.NotNull
	Check              = session.Check
	Deadlock           = session.Deadlock
	Serialization      = session.Serialization
	LockTimeout        = session.LockTimeout
	ReadOnly           = session.ReadOnly
	Connection         = session.Connection
	TooManyConnections = session.TooManyConnections
	Timeout            = session.Timeout
	Canceled           = session.Canceled
	InvalidValue       = session.InvalidValue
	TxLost             = session.TxLost
	Auth               = session.Auth
	UndefinedObject    = session.UndefinedObject
	Syntax             = session.Syntax
	Full               = session.Full
	Busy               = session.Busy
	CommitUnknown      = session.CommitUnknown
	Closed             = session.Closed
)
