package dbfleet

import (
	"errors"
	"net"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// HealthProblem is why a node cannot do its job.
type HealthProblem string

// The problems.
const (
	// ProblemRefused: no connection could be made, or it was lost.
	ProblemRefused HealthProblem = "refused"
	// ProblemDNS: the host's name could not be resolved.
	ProblemDNS HealthProblem = "dns"
	// ProblemTLS: the certificate is not trusted, or the server does not speak TLS.
	ProblemTLS HealthProblem = "tls"
	// ProblemAuth: the server refuses the account or the password.
	ProblemAuth HealthProblem = "auth"
	// ProblemNoDatabase: the server has no such database; on SQLite the file cannot be
	// opened.
	ProblemNoDatabase HealthProblem = "no database"
	// ProblemPool: every connection of the pool is in use, so that whoever comes next
	// waits; or the server takes no more connections.
	ProblemPool HealthProblem = "pool"
	// ProblemTimeout: there was no answer in time.
	ProblemTimeout HealthProblem = "timeout"
	// ProblemReadOnly: a primary takes no writes. It is a standby by now, or the
	// server, the database, the account or the file is read-only.
	ProblemReadOnly HealthProblem = "read-only"
	// ProblemLagging: a replica is further behind than Reads.MaxLag, or how far is not
	// known: it does not replay, or does not follow this primary.
	ProblemLagging HealthProblem = "lagging"
	// ProblemForeign: a replica is a standby of another database cluster than the primary's,
	// and serves nothing. PostgreSQL only.
	ProblemForeign HealthProblem = "foreign"
	// ProblemTwoPrimaries: another server claims to be the primary as well, so that nothing is
	// written; see TwoPrimariesError.
	ProblemTwoPrimaries HealthProblem = "two primaries"
	// ProblemOther: something else, which NodeHealth.Err tells.
	ProblemOther HealthProblem = "other"
)

// judge says what a check found out: whether the node is up, and what keeps it from
// its job.
func judge(d *dialect.Dialect, s driver.State, err error) (up bool, problem HealthProblem) {
	switch {
	case err != nil:
		problem = problemOf(d, err)
		// A server that has no connection left is there: all that it has are in use.
		return s.Full && problem == ProblemPool, problem
	case s.ReadOnly:
		return true, ProblemReadOnly
	case s.Full:
		return true, ProblemPool
	}
	return true, ""
}

// problemOf is the kind of a check's error.
func problemOf(d *dialect.Dialect, err error) HealthProblem {
	var name *net.DNSError
	switch driver.Classify(err).Class {
	case driver.Connection:
		switch {
		case errors.As(err, &name):
			return ProblemDNS
		case driver.IsTLS(err):
			return ProblemTLS
		case d == dialect.SQLite:
			return ProblemNoDatabase
		}
		return ProblemRefused
	case driver.Auth:
		return ProblemAuth
	case driver.UndefinedObject:
		return ProblemNoDatabase
	case driver.TooManyConnections:
		return ProblemPool
	case driver.Timeout, driver.Canceled, driver.LockTimeout:
		return ProblemTimeout
	case driver.ReadOnly:
		return ProblemReadOnly
	}
	return ProblemOther
}
