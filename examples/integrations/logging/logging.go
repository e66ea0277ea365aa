// Package logging writes the statements of all connections to slog: each at debug
// level, slow ones as warnings, those that failed as errors, and none of them with
// the values of its arguments. Not found and violated keys are answers, and no
// errors here.
//
// A statement's context reaches the logger, so that a handler can add what belongs
// to the request.
package logging

import (
	"context"
	"log/slog"
	"time"

	"github.com/dbfleet/dbfleet"
)

// Watch logs until stop is called.
func Watch(registry *dbfleet.Registry, logger *slog.Logger) (stop func()) {
	return registry.OnQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: 200 * time.Millisecond}))
}

type requestKey struct{}

// WithRequest is a context of the request that has that id.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// Handler adds the id of the context's request to what another handler writes.
type Handler struct{ slog.Handler }

// Handle writes a record.
func (h Handler) Handle(ctx context.Context, record slog.Record) error {
	if id, ok := ctx.Value(requestKey{}).(string); ok {
		record.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, record)
}
