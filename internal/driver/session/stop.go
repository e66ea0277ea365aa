package session

import "context"

// A StopBackend is a Backend whose database goes on with a statement when its
// connection is closed, with the locks of its transaction. Behind a pooler nothing is
// stopped: the sessions there are the pooler's, or of whoever has them by now.
type StopBackend interface {
	// OpenStopper opens a connection that is used to stop what other sessions of the
	// backend do, and nothing else.
	OpenStopper(ctx context.Context, password string) (Stopper, error)
}

// A Stopper ends, on the server, sessions whose connections were closed. It is used by
// one goroutine.
type Stopper interface {
	// Stop tells the server to end a session. It does nothing if the session is not known
	// for certain to be that server's.
	Stop(ctx context.Context, s Session) error
	// Left returns those of the sessions that the server has not ended yet.
	Left(ctx context.Context, list []Session) ([]Session, error)
	Close() error
}

// A SelfStopper is a session that stops what it was doing by itself when its connection
// is given up.
type SelfStopper interface {
	// Stopped is closed when the server has ended the session, or when nothing more is
	// done for that; nil if the connection was not given up.
	Stopped() <-chan struct{}
}
