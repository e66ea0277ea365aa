package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet"
)

// api answers
//
//	POST /users                       {"name": "Ada", "email": "ada@example.org"}
//	GET  /users/{id}                  with cart, likes and orders
//	GET  /products?name=&after=       a page; "Next" of one is "after" of the next
//	PUT  /users/{id}/cart/{product}   {"quantity": 2}
//	POST /users/{id}/likes/{product}  likes it, or does not any more
//	POST /users/{id}/orders           buys what is in the cart
//	GET  /report                      the best customers, and what was sold on each day
//	GET  /health                      each database and its replicas
//
// Where the databases have replicas, a client may read from one that has not heard yet of
// what the client has just written. The middleware's sessions see to that: they wait for a
// replica that has, or ask the primary, also for the next request.
func (s *Shop) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", answer(func(r *http.Request) (any, error) {
		var values map[string]any
		if err := json.NewDecoder(r.Body).Decode(&values); err != nil {
			return nil, errInvalid(err.Error())
		}
		return s.users.CreateFrom(r.Context(), values) // name and email, and no other column
	}))
	mux.HandleFunc("GET /users/{id}", answer(func(r *http.Request) (any, error) {
		return s.User(r.Context(), number(r, "id"))
	}))
	mux.HandleFunc("GET /products", answer(func(r *http.Request) (any, error) {
		return s.Products(r.Context(), r.FormValue("name"), r.FormValue("after"), 20)
	}))
	mux.HandleFunc("PUT /users/{id}/cart/{product}", answer(func(r *http.Request) (any, error) {
		var line struct{ Quantity int64 }
		if err := json.NewDecoder(r.Body).Decode(&line); err != nil {
			return nil, errInvalid(err.Error())
		}
		return nil, s.Put(r.Context(), number(r, "id"), number(r, "product"), line.Quantity)
	}))
	mux.HandleFunc("POST /users/{id}/likes/{product}", answer(func(r *http.Request) (any, error) {
		return s.Like(r.Context(), number(r, "id"), number(r, "product"))
	}))
	mux.HandleFunc("POST /users/{id}/orders", answer(func(r *http.Request) (any, error) {
		return s.Order(r.Context(), number(r, "id"))
	}))
	mux.HandleFunc("GET /report", answer(func(r *http.Request) (any, error) {
		top, err1 := s.TopCustomers(r.Context(), 10)
		days, err2 := s.Revenue(r.Context(), time.Now().AddDate(0, -1, 0))
		return map[string]any{"Customers": top, "Days": days}, errors.Join(err1, err2)
	}))
	mux.Handle("GET /health", s.registry.HealthHandler())
	return s.registry.SessionMiddleware(dbfleet.SessionHTTP{Insecure: true})(mux) // without TLS
}

// number is a part of the path; what is none finds nothing.
func number(r *http.Request, part string) int64 {
	n, _ := strconv.ParseInt(r.PathValue(part), 10, 64)
	return n
}

// answer is the handler of a function, whose error becomes a status.
func answer(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		found, err := f(r)
		w.Header().Set("Content-Type", "application/json")
		if status := statusOf(err); status != http.StatusOK {
			w.WriteHeader(status)
			found = map[string]string{"Error": http.StatusText(status)}
			if status < http.StatusInternalServerError { // it is the client's, and tells nothing of ours
				found = map[string]string{"Error": err.Error()}
			}
		}
		_ = json.NewEncoder(w).Encode(found) // the client may be gone
	}
}

// statusOf tells the client whose fault an error is. The databases' own are told apart by
// their codes, on each of them.
func statusOf(err error) int {
	var soldOut *SoldOutError
	var notFillable *dbfleet.NotFillableError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, dbfleet.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrInvalid), errors.Is(err, dbfleet.ErrCursor), errors.As(err, &notFillable):
		return http.StatusBadRequest
	case errors.Is(err, dbfleet.ErrUnique), errors.Is(err, ErrEmptyCart), errors.As(err, &soldOut):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}
