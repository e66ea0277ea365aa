package dbfleet_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

var sessionKey = dbfleet.Secret(strings.Repeat("k", 32))

// sessionRegistry has a connection without replicas: each write marks the session.
func sessionRegistry(t *testing.T, keys ...dbfleet.Secret) *dbfleet.Registry {
	t.Helper()
	if keys == nil {
		keys = []dbfleet.Secret{sessionKey}
	}
	r, err := dbfleet.Open(dbfleet.Config{SessionKeys: keys, Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	_, err = r.DB("main").ExecContext(context.Background(), "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")
	require.NoError(t, err)
	return r
}

func writes(t testing.TB, ctx context.Context, r *dbfleet.Registry) {
	t.Helper()
	_, err := r.DB("main").ExecContext(ctx, "INSERT INTO notes (body) VALUES ('x')")
	require.NoError(t, err)
}

// answered sends a request with the token through a handler.
func answered(t *testing.T, r *dbfleet.Registry, o dbfleet.SessionHTTP, given string, h http.HandlerFunc) *http.Response {
	t.Helper()
	server := httptest.NewServer(r.SessionMiddleware(o)(h))
	defer server.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	if given != "" && o.Header != "" {
		req.Header.Set(o.Header, given)
	} else if given != "" {
		req.AddCookie(&http.Cookie{Name: "dbfleet_session", Value: given})
	}
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res
}

// cookieOf is the session's, nil for none.
func cookieOf(res *http.Response) *http.Cookie {
	for _, c := range res.Cookies() {
		if c.Name == "dbfleet_session" {
			return c
		}
	}
	return nil
}

func TestSessionMiddleware_TellsTheTokenBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"nothing":            func(http.ResponseWriter) {},
		"a status":           func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"a body":             func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") },
		"a copy":             func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("body")) },
		"an early hint":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(http.StatusOK) },
		"a flush":            func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"a controlled flush": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := answered(t, r, dbfleet.SessionHTTP{}, "", func(w http.ResponseWriter, req *http.Request) {
				writes(t, req.Context(), r)
				answer(w)
			})
			c := cookieOf(res)
			require.NotNil(t, c)
			require.True(t, c.HttpOnly)
			require.True(t, c.Secure)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite)
			require.Equal(t, "/", c.Path)
			require.Zero(t, c.MaxAge)
			_, err := r.ContinueSession(context.Background(), c.Value)
			require.NoError(t, err)
		})
	}
}

func TestSessionMiddleware_TellsNothingThatTheClientHas(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	require.Nil(t, cookieOf(answered(t, r, dbfleet.SessionHTTP{}, "", func(_ http.ResponseWriter, req *http.Request) {
		_, err := r.DB("main").Table("notes").Get(req.Context())
		require.NoError(t, err)
	})), "nothing was written")
	first := cookieOf(answered(t, r, dbfleet.SessionHTTP{}, "", func(_ http.ResponseWriter, req *http.Request) { writes(t, req.Context(), r) }))
	require.NotNil(t, first)
	require.Nil(t, cookieOf(answered(t, r, dbfleet.SessionHTTP{}, first.Value, func(http.ResponseWriter, *http.Request) {})), "nothing is new")
}

func TestSessionMiddleware_TellsTheTokenOfAHandlerThatPanics(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	recovers := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			next.ServeHTTP(w, req)
		})
	}
	server := httptest.NewServer(recovers(r.SessionMiddleware()(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		writes(t, req.Context(), r)
		panic("after a write")
	}))))
	defer server.Close()
	res, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	require.NotNil(t, cookieOf(res))
}

func TestSessionMiddleware_TakesATokenInAHeader(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	o := dbfleet.SessionHTTP{Header: "X-Session"}
	res := answered(t, r, o, "", func(_ http.ResponseWriter, req *http.Request) { writes(t, req.Context(), r) })
	given := res.Header.Get("X-Session")
	require.NotEmpty(t, given)
	require.Nil(t, cookieOf(res))
	res = answered(t, r, o, given, func(_ http.ResponseWriter, req *http.Request) {
		is, err := dbfleet.SessionOf(req.Context()).Token()
		require.NoError(t, err)
		require.Equal(t, given, is)
	})
	require.Empty(t, res.Header.Get("X-Session"))
}

func TestSessionMiddleware_BeginsAnewWithATokenThatIsNone(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	res := answered(t, r, dbfleet.SessionHTTP{}, "forged", func(w http.ResponseWriter, req *http.Request) {
		writes(t, req.Context(), r)
		w.WriteHeader(http.StatusAccepted)
	})
	require.Equal(t, http.StatusAccepted, res.StatusCode)
	require.NotNil(t, cookieOf(res))
}

func TestSessionMiddleware_ReachesWhatTheServersWriterIs(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	answered(t, r, dbfleet.SessionHTTP{}, "", func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)))
		_, hijacks := w.(http.Hijacker)
		require.True(t, hijacks)
	})
	recorded := httptest.NewRecorder()
	r.SessionMiddleware()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := w.(http.Hijacker).Hijack()
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})).ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestSessionMiddleware_RefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	for text, o := range map[string]dbfleet.SessionHTTP{
		"Cookie":  {Cookie: "a b"},
		"Header":  {Header: "a:b"},
		"MaxAge":  {MaxAge: -1},
		"Wait":    {Session: dbfleet.SessionOptions{Wait: -2}},
		"Domain ": {Domain: "a;b"},
	} {
		require.Panics(t, func() { r.SessionMiddleware(o) }, text)
	}
	require.PanicsWithValue(t, "dbfleet: SessionMiddleware: more than one SessionHTTP", func() {
		r.SessionMiddleware(dbfleet.SessionHTTP{}, dbfleet.SessionHTTP{})
	})
	keyless, err := dbfleet.Open(dbfleet.Config{})
	require.NoError(t, err)
	defer keyless.Close()
	require.Panics(t, func() { keyless.SessionMiddleware() })
}
