package sessions

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// process is one of the processes of a service: a registry of its own behind HTTP.
func (s *stage) process(o dbfleet.SessionHTTP) (*client, *httptest.Server) {
	s.t.Helper()
	c := s.open(s.whole())
	server := httptest.NewServer(c.SessionMiddleware(o)(c.handler()))
	s.t.Cleanup(server.Close)
	return c, server
}

// handler sets and tells the value of a counter. The answer says where it was read.
func (c *client) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}/{value}", func(_ http.ResponseWriter, req *http.Request) {
		value, err := strconv.ParseInt(req.PathValue("value"), 10, 64)
		if err == nil {
			_, err = c.counters.Where("name", "=", req.PathValue("name")).Update(req.Context(), dbfleet.Row{"value": value})
		}
		if err != nil {
			panic(err)
		}
	})
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, req *http.Request) {
		is, route, err := c.read(req.Context(), req.PathValue("name"))
		if err != nil {
			panic(err)
		}
		w.Header().Set("Read-From", string(route.Role))
		_, _ = io.WriteString(w, strconv.FormatInt(is, 10))
	})
	return mux
}

// A token that was signed by somebody else is of no use, and harms nobody.
func TestSession_WithAForgedCookieBeginsAtThePrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		_, one := s.process(dbfleet.SessionHTTP{Insecure: true})
		for _, forged := range []string{"forged", "AQABAAABbQ", "AQ"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, one.URL+"/a", nil)
			require.NoError(t, err)
			req.AddCookie(&http.Cookie{Name: "dbfleet_session", Value: forged})
			res, err := one.Client().Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Equal(t, "primary", res.Header.Get("Read-From"))
			require.Len(t, res.Cookies(), 1, "it is replaced")
		}
	})
}

// hazard: what net/http takes for no cookie at all was somebody's token once, and one that
// is bad inside of another middleware counts as well.
func TestSession_WithACookieThatCannotBeReadBeginsAtThePrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c, plain := s.process(dbfleet.SessionHTTP{Insecure: true})
		other := s.open(s.whole())
		nested := httptest.NewServer(c.SessionMiddleware(dbfleet.SessionHTTP{Cookie: "outer"})(
			other.SessionMiddleware()(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				_, route, err := c.read(req.Context(), "a")
				if err != nil {
					panic(err)
				}
				w.Header().Set("Read-From", string(route.Role))
			}))))
		t.Cleanup(nested.Close)
		for cookie, want := range map[string]string{
			"dbfleet_session=g\u00e4rbage":         "primary",
			"dbfleet_session=a\\b":                 "primary",
			"one=1; dbfleet_session=a b\"c; two=2": "primary",
			"dbfleet_session=garbage":              "primary",
			"not_dbfleet_session=a\\b":             "replica",
			"one=dbfleet_session":                  "replica",
		} {
			for name, server := range map[string]*httptest.Server{"plain": plain, "nested": nested} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a", nil)
				require.NoError(t, err)
				req.Header.Set("Cookie", cookie)
				res, err := server.Client().Do(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, want, res.Header.Get("Read-From"), "%s, %s", name, cookie)
			}
		}
	})
}

// hazard: the answer to a token that is not genuine has a genuine one. That tells what this
// request has seen; what the lost one told of the other connections is not forgotten for it.
func TestSession_WithALostTokenStaysWithThePrimariesOfAllConnections(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		open := func(key dbfleet.Secret) *client {
			both := map[string]dbfleet.ConnectionConfig{"main": s.whole(), "other": s.whole()}
			r, err := dbfleet.Open(dbfleet.Config{Default: "main", SessionKeys: []dbfleet.Secret{key}, Connections: both})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			return &client{Registry: r, t: t, counters: conformance.Model[counter](t, r, dbfleet.ModelConfig{Table: "counters"})}
		}
		before, now := open(key), open(key+"changed")
		s.hold()
		defer s.release()
		ctx := dbfleet.WithSession(t.Context())
		before.set(ctx, "a", 7)
		cookie := before.token(ctx)
		handler := now.SessionMiddleware()(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/other" {
				_, err := now.DB("other").Table("counters").Get(req.Context())
				require.NoError(t, err)
				return
			}
			value, route := now.value(req.Context(), "a")
			_, _ = fmt.Fprint(w, value, " ", route.Role)
		}))
		for _, path := range []string{"/other", "/main", "/main", "/other"} {
			req := httptest.NewRequest(http.MethodGet, path, nil)
			req.AddCookie(&http.Cookie{Name: "dbfleet_session", Value: cookie})
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, req)
			for _, c := range answer.Result().Cookies() {
				cookie = c.Value
			}
			if path != "/other" {
				require.Equal(t, "7 primary", answer.Body.String(), path)
			}
		}
	})
}

// hazard: a browser that has a cookie of another Path or Domain beside the present one sends
// both, the older one first.
func TestSession_OfSeveralCookiesHasWhatEachTells(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		c, _ := s.process(dbfleet.SessionHTTP{Insecure: true})
		ctx := dbfleet.WithSession(t.Context())
		c.set(ctx, "a", 1)
		old := c.token(ctx)
		s.cluster.WaitCaughtUp(t)
		s.hold()
		defer s.release()
		c.set(ctx, "a", 2)
		now := c.token(ctx)
		for name, o := range map[string]dbfleet.SessionHTTP{"cookie": {}, "header": {Header: "X-Session"}} {
			handler := c.SessionMiddleware(o)(c.handler())
			for _, list := range [][]string{{old, now}, {now, old}, {old, "forged"}, {"forged", now}, {"", now}} {
				req := httptest.NewRequest(http.MethodGet, "/a", nil)
				for _, text := range list {
					if o.Header != "" {
						req.Header.Add(o.Header, text)
					} else {
						req.AddCookie(&http.Cookie{Name: "dbfleet_session", Value: text})
					}
				}
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, req)
				require.Equal(t, "2", answer.Body.String(), "%s %v", name, list)
			}
		}
	})
}

// promise: each registry's token goes out, also if a session is used with several.
func TestSession_OfTwoRegistriesHasATokenOfEach(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		one, two := s.open(s.whole()), s.open(s.whole())
		s.hold()
		handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			switch req.URL.Path {
			case "/both":
				two.set(req.Context(), "a", 6)
				fallthrough
			case "/one":
				one.set(req.Context(), "a", 7)
			default:
				for _, c := range []*client{one, two} {
					is, route, err := c.read(req.Context(), "a")
					_, _ = fmt.Fprint(w, is, " at ", route.Role, " ", err, "\n")
				}
			}
		})
		ofOne := one.SessionMiddleware(dbfleet.SessionHTTP{Insecure: true, Cookie: "one"})
		ofTwo := two.SessionMiddleware(dbfleet.SessionHTTP{Insecure: true, Cookie: "two"})
		const written, behind = "7 at primary <nil>\n", "0 at replica <nil>\n"
		for name, x := range map[string]struct {
			handler http.Handler
			path    string
			reads   string
		}{
			"one of two":               {ofOne(handler), "/both", written + behind},
			"nested, with the outer's": {ofOne(ofTwo(handler)), "/one", written + behind},
			"nested, with the inner's": {ofTwo(ofOne(handler)), "/one", written + behind},
			"nested, with both":        {ofOne(ofTwo(handler)), "/both", written + written},
		} {
			s.db.Exec(t, "UPDATE counters SET value = 0 WHERE name = 'a'")
			server := httptest.NewServer(x.handler)
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			browser := &http.Client{Jar: jar}
			get := func(path string) string {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
				require.NoError(t, err)
				res, err := browser.Do(req)
				require.NoError(t, err)
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				return string(body)
			}
			get(x.path)
			require.Equal(t, x.reads, get("/"), name)
			server.Close()
		}
		s.release()
	})
}
