package dbfleet

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// HealthOptions say what [Registry.HealthHandler] answers.
type HealthOptions struct {
	// Required are the connections, by name ("" is the default one), without which the
	// program is of no use: the answer is 503 if the primary of one of them does not
	// answer or takes no writes, and 200 whatever the others do.
	//
	// Defaults to none: the answer is 503 if every connection is Unhealthy.
	Required []string
	// Timeout bounds an answer: nodes that have not answered until then count as down.
	// It should be shorter than the patience of who asks, or one silent node makes all
	// of the program look dead.
	//
	// Defaults to 2 seconds.
	Timeout time.Duration
}

// HealthHandler serves Health as JSON, for a load balancer: status 503 when the
// program cannot do its job, as HealthOptions.Required says, else 200, where the
// JSON's status is "degraded" if not all is well. Each request asks the databases, so
// it belongs behind something that does not let everybody ask. It shows no host, user,
// database or error.
//
// At most one HealthOptions may be given. HealthHandler panics if Required names what
// is not a connection of the registry; one that is removed later does not do its job.
func (r *Registry) HealthHandler(options ...HealthOptions) http.Handler {
	must("Registry.HealthHandler", r.usable())
	o, err := atMostOne(options)
	must("HealthHandler", err)
	if o.Timeout < 0 {
		panic("dbfleet: HealthOptions.Timeout is negative")
	}
	o.Timeout = cmp.Or(o.Timeout, 2*time.Second)
	o.Required = slices.Clone(o.Required)
	for i, name := range o.Required {
		o.Required[i] = r.nameOr(name)
		if _, err := r.lookup(o.Required[i]); err != nil {
			panic("dbfleet: HealthOptions.Required: " + strings.TrimPrefix(err.Error(), "dbfleet: "))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), o.Timeout)
		defer cancel()
		h := r.Health(ctx)
		if len(o.Required) > 0 {
			h.Status = h.requiring(o.Required)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if h.Status == Unhealthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(h) // the client is gone if this fails
	})
}

// requiring is the status of a program that needs some of the connections.
func (h Health) requiring(names []string) HealthStatus {
	for _, name := range names {
		if c, ok := h.Connections[name]; !ok || !c.Nodes[0].doesItsJob() {
			return Unhealthy
		}
	}
	if h.Status == Unhealthy {
		return Degraded
	}
	return h.Status
}
