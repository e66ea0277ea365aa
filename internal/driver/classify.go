package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Classify sorts an error of this package's functions, or of a *sql.DB that
// they gave, by types and codes, never by its text. The zero Problem is for nil
// and for an error that nobody knows.
func Classify(err error) Problem {
	if err == nil {
		return Problem{}
	}
	p, ok := classifyOwn(err)
	if !ok {
		p = classifyCause(err)
	}
	var names *NamesError
	if errors.As(err, &names) {
		p = withNames(p, names)
	}
	var unanswered *UnansweredError
	var undone *UndoneError
	var notSent *NotSentError
	var connect *ConnectError
	var acquire *AcquireTimeoutError
	switch {
	case errors.As(err, &connect), errors.As(err, &acquire):
		p.NotSent, p.Unanswered = true, false
	case errors.As(err, &unanswered):
		p.NotSent, p.Unanswered = false, true
	case errors.As(err, &undone):
		p.NotSent, p.Unanswered = false, false
	case errors.As(err, &notSent):
		p.NotSent, p.Unanswered = true, false
	}
	return p
}

// classifyOwn knows the errors of this package whose class does not depend on
// their cause.
func classifyOwn(err error) (Problem, bool) {
	var lost *TxLostError
	var acquire *AcquireTimeoutError
	var argument *ArgumentError
	var isolation *session.UnsupportedIsolationError
	var seam *SeamError
	switch {
	case errors.As(err, &seam): // whatever the program's own function says
		return Problem{Class: Connection, NotSent: true}, true
	case errors.Is(err, ErrCommitUnknown):
		return Problem{Class: CommitUnknown, Unanswered: true, Code: classifyCause(err).Code}, true
	case errors.As(err, &lost):
		return Problem{Class: TxLost, NotSent: true}, true
	case errors.Is(err, sql.ErrTxDone):
		return Problem{Class: TxLost, NotSent: true}, true
	case errors.Is(err, ErrBusy):
		return Problem{Class: Busy, NotSent: true}, true
	case errors.Is(err, ErrPoolClosed), errors.Is(err, sql.ErrConnDone):
		return Problem{Class: Closed, NotSent: true}, true
	case errors.Is(err, ErrBranchReadOnly):
		return Problem{Class: ReadOnly, Code: classifyCause(err).Code}, true
	case errors.Is(err, ErrBranchUnknown):
		return Problem{Class: UndefinedObject, Code: classifyCause(err).Code}, true
	case errors.Is(err, ErrBranchHeld):
		return Problem{Class: LockTimeout, Code: classifyCause(err).Code}, true
	case errors.As(err, &argument):
		return Problem{Class: InvalidValue, NotSent: true}, true
	case errors.As(err, &isolation):
		return Problem{Class: InvalidValue, NotSent: true}, true
	case errors.As(err, &acquire):
		if acquire.Err != nil {
			return Problem{Class: contextClass(acquire.Err), NotSent: true}, true
		}
		return Problem{Class: TooManyConnections, NotSent: true}, true
	}
	return Problem{}, false
}

func contextClass(err error) Class {
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	return Timeout
}

// classifyCause knows the drivers' errors and those of the network.
func classifyCause(err error) Problem {
	var interrupted *InterruptedError
	if errors.As(err, &interrupted) { // whatever its cause is of
		return Problem{Class: Connection, Unanswered: true}
	}
	for _, db := range databases {
		if p, ok := db.Classify(err); ok {
			return p
		}
	}
	var silence *SilenceError
	var lost *ConnLostError
	var netErr net.Error
	var op *net.OpError
	var path *fs.PathError
	var connect *ConnectError
	var unanswered *UnansweredError
	switch {
	case errors.Is(err, context.Canceled):
		return Problem{Class: Canceled, Unanswered: errors.As(err, &unanswered)}
	case errors.Is(err, context.DeadlineExceeded):
		return Problem{Class: Timeout, Unanswered: errors.As(err, &unanswered)}
	case errors.As(err, &silence) && errors.As(err, &connect): // it does not serve, whatever it does
		return Problem{Class: Connection, NotSent: true}
	case errors.As(err, &silence), errors.Is(err, os.ErrDeadlineExceeded):
		return Problem{Class: Timeout, Unanswered: true}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Problem{Class: Connection, NotSent: true}
	case errors.As(err, &op) && op.Op == "dial":
		return Problem{Class: Connection, NotSent: true}
	case IsTLS(err):
		return Problem{Class: Connection, NotSent: true}
	case errors.As(err, &netErr):
		if netErr.Timeout() {
			return Problem{Class: Timeout, Unanswered: true}
		}
		return Problem{Class: Connection, Unanswered: true}
	case errors.As(err, &lost), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, sqldriver.ErrBadConn),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Problem{Class: Connection, Unanswered: true}
	case errors.As(err, &path), errors.As(err, &connect):
		return Problem{Class: Connection, NotSent: true}
	}
	return Problem{}
}

// IsTLS reports whether an error is that of TLS: of a certificate, or of a server that
// does not speak it.
func IsTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
