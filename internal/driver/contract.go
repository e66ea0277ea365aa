package driver

import (
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What this package and the packages of the databases have in common is declared
// in package session. These are the parts that callers of this package see.

type (
	// Options is session.Options.
	Options = session.Options
	// Seams is session.Seams.
	Seams = session.Seams
	// SQLite is session.SQLite.
	SQLite = session.SQLite
	// Result is session.Result.
	Result = session.Result
	// TxOptions is session.TxOptions.
	TxOptions = session.TxOptions

	// LoadTarget is session.LoadTarget.
	LoadTarget = session.LoadTarget
	// KeyedInsert is session.KeyedInsert.
	KeyedInsert = session.KeyedInsert
	// Keyed is session.Keyed.
	Keyed = session.Keyed
	// ToldInsert is session.ToldInsert.
	ToldInsert = session.ToldInsert

	// BranchID is session.BranchID.
	BranchID = session.BranchID
	// PreparedBranch is session.PreparedBranch.
	PreparedBranch = session.PreparedBranch
	// BranchError is session.BranchError.
	BranchError = session.BranchError
	// BranchSetupError is session.BranchSetupError.
	BranchSetupError = session.BranchSetupError

	// ServerRole is session.ServerRole.
	ServerRole = session.ServerRole
	// Report is session.Report.
	Report = session.Report
	// InterruptedError is session.InterruptedError.
	InterruptedError = session.InterruptedError

	// Class is session.Class.
	Class = session.Class
	// Problem is session.Problem.
	Problem = session.Problem

	// TxLostError is session.TxLostError.
	TxLostError = session.TxLostError
	// NotSentError is session.NotSentError.
	NotSentError = session.NotSentError
	// SilenceError is session.SilenceError.
	SilenceError = session.SilenceError
	// ArgumentError is session.ArgumentError.
	ArgumentError = session.ArgumentError
	// OptionError is session.OptionError.
	OptionError = session.OptionError
	// NotLinkedError is session.NotLinkedError.
	NotLinkedError = session.NotLinkedError
	// RowsError is session.RowsError.
	RowsError = session.RowsError
	// PartlyError is session.PartlyError.
	PartlyError = session.PartlyError
	// UntoldError is session.UntoldError.
	UntoldError = session.UntoldError
)

// The sentinels of package session.
var (
	ErrTxAborted        = session.ErrTxAborted
	ErrBranchUnknown    = session.ErrBranchUnknown
	ErrBranchHeld       = session.ErrBranchHeld
	ErrBranchRolledBack = session.ErrBranchRolledBack
	ErrBranchDenied     = session.ErrBranchDenied
	ErrBranchElsewhere  = session.ErrBranchElsewhere
	ErrBranchReadOnly   = session.ErrBranchReadOnly
)

// The roles of a server.
const (
	RoleUnknown  = session.RoleUnknown
	RoleWritable = session.RoleWritable
	RoleStandby  = session.RoleStandby
)

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
