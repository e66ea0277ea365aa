package netconn

import (
	"context"
	"sync/atomic"
	"time"
)

// Hearing is when a server was heard last while a connection to it is made. It is safe for
// concurrent use.
type Hearing struct {
	at   atomic.Int64 // since start
	over atomic.Bool
}

var start = time.Now()

// NewHearing begins now.
func NewHearing() *Hearing {
	h := new(Hearing)
	h.at.Store(int64(time.Since(start)))
	return h
}

// Silent is for how long the server has said nothing. That its machine has taken the
// connection counts as a word.
func (h *Hearing) Silent() time.Duration { return time.Since(start) - time.Duration(h.at.Load()) }

// Stop says that nobody asks any more.
func (h *Hearing) Stop() { h.over.Store(true) }

// something notes a word of the server. It is false once nobody asks.
func (h *Hearing) something() bool {
	if h.over.Load() {
		return false
	}
	h.at.Store(int64(time.Since(start)))
	return true
}

type hearingKey struct{}

// WithHearing has Dial with the context, or one that comes from it, note what is heard.
func WithHearing(ctx context.Context, h *Hearing) context.Context {
	return context.WithValue(ctx, hearingKey{}, h)
}

type patienceKey struct{}

// WithPatience has Open give each address but the last no more than its share of the time
// until then, for whoever asks for the connection waits no longer. The zero time is no bound.
func WithPatience(ctx context.Context, till time.Time) context.Context {
	if till.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, patienceKey{}, till)
}

// patienceOf is the time that is to be shared: till the deadline, or what was given to
// WithPatience while that has not passed.
func patienceOf(ctx context.Context) (till time.Time, bounded bool) {
	till, bounded = ctx.Deadline()
	if patience, ok := ctx.Value(patienceKey{}).(time.Time); ok && (!bounded || patience.Before(till)) && time.Now().Before(patience) {
		return patience, true
	}
	return till, bounded
}
