package dbfleet

import (
	"context"
	"log/slog"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// LogOptions say what LogQueries writes. The zero value is sensible.
type LogOptions struct {
	// Slow is the duration from which a statement is logged as a warning.
	//
	// Defaults to 1 second; -1 is never. Other negative durations have no meaning and
	// are refused.
	Slow time.Duration
	// OnlySlow leaves out statements that are neither slow nor failed.
	OnlySlow bool
	// ShowArgs writes the values of arguments, which may be secret.
	ShowArgs bool
}

// LogQueries returns a hook for OnQuery that writes each statement to logger, with
// the statement's context, so that a handler finds the trace there:
//
//	debug  statements that succeed
//	info   failures that are Expected: a unique, foreign or check constraint, no row,
//	       cancelled by the caller
//	warn   slow statements; failures of values (not_null, invalid_value), and those
//	       after which a transaction may be run again (deadlock, serialization,
//	       lock_timeout)
//	error  all other failures
//
// Values of arguments are not written unless asked for. It panics if logger is nil, if
// there are several options, and if Slow is negative and not -1.
func LogQueries(logger *slog.Logger, options ...LogOptions) QueryHook {
	if logger == nil {
		panic("dbfleet: LogQueries: the logger is nil")
	}
	o, err := atMostOne(options)
	must("LogQueries", err)
	switch {
	case o.Slow < config.Unbounded:
		panic("dbfleet: LogQueries: Slow is negative: only -1 has a meaning")
	case o.Slow == 0:
		o.Slow = time.Second
	}
	return QueryHook{After: func(ctx context.Context, e QueryEvent) {
		level, msg := o.level(&e)
		if level == slog.LevelDebug && o.OnlySlow || !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("connection", e.Route.Connection), slog.String("node", e.Route.Node),
			slog.String("role", string(e.Route.Role)), slog.String("op", e.Op), slog.String("sql", e.SQL),
			slog.Duration("duration", e.Duration), slog.Int64("rows", e.Rows),
		}
		if o.ShowArgs {
			attrs = append(attrs, slog.Any("args", []any(e.Args)))
		} else {
			attrs = append(attrs, slog.Int("args", len(e.Args)))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("class", string(e.Class)), slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, msg, attrs...)
	}}
}

// level says how loudly an event is told, and as what.
func (o *LogOptions) level(e *QueryEvent) (slog.Level, string) {
	slow := o.Slow > 0 && e.Duration >= o.Slow
	switch {
	case e.Err == nil && slow:
		return slog.LevelWarn, "slow query"
	case e.Err == nil:
		return slog.LevelDebug, "query"
	case e.Class.Expected() && !slow:
		return slog.LevelInfo, "query failed"
	case e.Class.Expected():
		return slog.LevelWarn, "query failed"
	}
	switch e.Class {
	case ClassNotNull, ClassInvalidValue, ClassDeadlock, ClassSerialization, ClassLockTimeout:
		return slog.LevelWarn, "query failed"
	}
	return slog.LevelError, "query failed"
}

// LogNodeChanges returns a hook for OnNodeChange that writes each change to logger:
//
//	info   what is healthy, back, fresh, added or removed; what is under suspicion
//	warn   what is ejected, lags behind, is foreign, was promoted or demoted, claims to
//	       be a second primary, or has moved; a Discover that fails
//
// It panics if logger is nil.
func LogNodeChanges(logger *slog.Logger) func(ctx context.Context, e NodeEvent) {
	if logger == nil {
		panic("dbfleet: LogNodeChanges: the logger is nil")
	}
	return func(ctx context.Context, e NodeEvent) {
		level := slog.LevelInfo
		switch e.To {
		case ConditionEjected, ConditionLagging, ConditionForeign, ConditionPromoted, ConditionDemoted, ConditionTwoPrimaries, ConditionMoved, ConditionUndiscovered:
			level = slog.LevelWarn
		}
		logger.LogAttrs(ctx, level, "node is "+string(e.To),
			slog.String("connection", e.Connection), slog.String("node", e.Node), slog.String("role", string(e.Role)),
			slog.String("from", string(e.From)), slog.String("to", string(e.To)), slog.String("reason", e.Reason))
	}
}
