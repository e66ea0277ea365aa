package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/dbfleet/dbfleet"
)

// maxBody is the largest request body, in bytes.
const maxBody = 64 << 10

type object map[string]any

// badRequest is what is wrong with a request, in words for its sender.
type badRequest string

func (b badRequest) Error() string { return string(b) }

// decode reads a JSON body into v.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := d.Decode(v); err != nil {
		return badRequest("the body must be JSON: " + err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("the body must be one JSON document")
	}
	return nil
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone if this fails
}

// fail answers with the status that fits err. What the sender cannot mend is
// logged and not told: it may name tables and servers.
func (h *handlers) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad badRequest
	status, text := http.StatusInternalServerError, "internal server error"
	switch {
	case errors.As(err, &bad):
		status, text = http.StatusBadRequest, string(bad)
	case errors.Is(err, dbfleet.ErrNotFound):
		status, text = http.StatusNotFound, "not found"
	case errors.Is(err, dbfleet.ErrUnique):
		status, text = http.StatusConflict, "already exists"
	case errors.Is(err, dbfleet.ErrInvalidValue):
		status, text = http.StatusBadRequest, "a value does not fit"
	case errors.Is(err, dbfleet.ErrOutcomeUnknown):
		status, text = http.StatusServiceUnavailable, "no answer from the database: look whether it was done before trying again"
	case unavailable(err):
		w.Header().Set("Retry-After", "5")
		status, text = http.StatusServiceUnavailable, "service temporarily unavailable"
	}
	if status >= http.StatusInternalServerError && !errors.Is(r.Context().Err(), context.Canceled) {
		h.logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	}
	respond(w, status, object{"error": text})
}

// unavailable says whether err may be over when it is tried again later.
func unavailable(err error) bool {
	for _, passing := range []error{
		dbfleet.ErrConnection, dbfleet.ErrTooManyConnections, dbfleet.ErrAcquireTimeout, dbfleet.ErrTimeout,
		dbfleet.ErrReadOnly, dbfleet.ErrTxLost, dbfleet.ErrClosed, context.DeadlineExceeded,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return dbfleet.IsRetryable(err)
}
