package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// requestTimeout bounds a request with all its statements.
const requestTimeout = 5 * time.Second

// maxText is the longest name or email, in characters, as the tables have it.
const maxText = 255

// handlers answer requests from the store.
type handlers struct {
	*store
	logger *slog.Logger
}

// newHandler routes the requests.
func newHandler(s *store, logger *slog.Logger) http.Handler {
	h := &handlers{store: s, logger: logger}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", h.postUser)
	mux.HandleFunc("GET /users/{id}", h.getUser)
	mux.HandleFunc("GET /users/{id}/stats", h.getStats)
	mux.HandleFunc("POST /orders", h.postOrder)
	mux.HandleFunc("GET /orders/{user}/{id}", h.getOrder)
	mux.HandleFunc("GET /dashboard", h.getDashboard)
	mux.HandleFunc("GET /search", h.getSearch)
	mux.Handle("GET /health", s.registry.HealthHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// postUser creates a user in users_db and logs the event in analytics.
func (h *handlers) postUser(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if err := decode(w, r, &body); err != nil {
		h.fail(w, r, err)
		return
	}
	name, email := strings.TrimSpace(body.Name), strings.ToLower(strings.TrimSpace(body.Email))
	address, err := mail.ParseAddress(email)
	switch {
	case name == "" || !plain(name):
		h.fail(w, r, badRequest("name must have 1 to 255 characters"))
		return
	case err != nil || address.Address != email || !plain(email):
		h.fail(w, r, badRequest("email must be an address"))
		return
	}
	user, noted, err := h.createUser(r.Context(), name, email)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusCreated, object{"message": "User created", "data": user, "event_logged": noted})
}

// plain says whether text can be stored on every database.
func plain(text string) bool {
	return utf8.RuneCountInString(text) <= maxText && !strings.ContainsRune(text, 0)
}

// getUser reads a user. With ?resilient it falls back to the replica, and tells
// the source.
func (h *handlers) getUser(w http.ResponseWriter, r *http.Request) {
	id, err := number(r, "id")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !r.URL.Query().Has("resilient") {
		user, err := h.user(r.Context(), id)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		respond(w, http.StatusOK, object{"data": user})
		return
	}
	user, source, err := h.userFromAnywhere(r.Context(), id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, object{"data": user, "source": source})
}

// getStats reads a user, and figures from the shard of the user's orders.
func (h *handlers) getStats(w http.ResponseWriter, r *http.Request) {
	id, err := number(r, "id")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	user, stats, err := h.userWithStats(r.Context(), id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, object{"data": object{"user": user, "order_stats": stats}})
}

// postOrder creates an order on the shard of its user.
func (h *handlers) postOrder(w http.ResponseWriter, r *http.Request) {
	var body struct {
		UserID      int64 `json:"user_id"`
		TotalAmount Cents `json:"total_amount"`
	}
	if err := decode(w, r, &body); err != nil {
		h.fail(w, r, err)
		return
	}
	switch {
	case body.UserID <= 0:
		h.fail(w, r, badRequest("user_id must be a positive number"))
		return
	case body.TotalAmount <= 0 || body.TotalAmount > maxCents:
		h.fail(w, r, badRequest("total_amount must be more than 0 and at most 1000000000"))
		return
	}
	order, noted, err := h.createOrder(r.Context(), body.UserID, body.TotalAmount)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusCreated, object{"message": "Order created", "data": order, "event_logged": noted})
}

func (h *handlers) getOrder(w http.ResponseWriter, r *http.Request) {
	userID, err := number(r, "user")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	id, err := number(r, "id")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	order, err := h.order(r.Context(), userID, id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, object{"data": order})
}

func (h *handlers) getDashboard(w http.ResponseWriter, r *http.Request) {
	d, err := h.dashboard(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, object{"dashboard": d})
}

func (h *handlers) getSearch(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	switch n := utf8.RuneCountInString(text); {
	case n < 3:
		h.fail(w, r, badRequest("search query must be at least 3 characters"))
		return
	case !utf8.ValidString(text) || !plain(text):
		h.fail(w, r, badRequest("search query must be text of at most 255 characters"))
		return
	}
	hits, err := h.search(r.Context(), text)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, object{"results": hits})
}

// number reads a positive number from the path.
func number(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, badRequest(name + " must be a positive number")
	}
	return n, nil
}
