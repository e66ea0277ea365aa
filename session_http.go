package dbfleet

import (
	"bufio"
	"cmp"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SessionHTTP says how requests carry their session, see [Registry.SessionMiddleware].
type SessionHTTP struct {
	// Cookie is the name of the cookie that carries the token.
	//
	// Defaults to "dbfleet_session" where Header is empty too, else to none.
	Cookie string
	// Header carries the token in a header of requests and of answers, for clients that
	// are programs: they send with each request what the last answer had. Beside a Cookie
	// a request's header wins, and both are answered.
	//
	// Defaults to none.
	Header string
	// Path and Domain are the cookie's. Path defaults to "/"; without a Domain the cookie
	// is for the answering host alone.
	Path, Domain string
	// MaxAge is how long the browser keeps the cookie. It is of no use for longer than
	// replicas may be behind.
	//
	// Defaults to the end of the browser's own session.
	MaxAge time.Duration
	// SameSite is the cookie's.
	//
	// Defaults to http.SameSiteLaxMode.
	SameSite http.SameSite
	// Insecure sends the cookie over plain HTTP too, as for development.
	Insecure bool
	// Session are the options of each request's session.
	Session SessionOptions
}

// defaultSessionCookie is the default of SessionHTTP.Cookie.
const defaultSessionCookie = "dbfleet_session"

func (o SessionHTTP) withDefaults() SessionHTTP {
	if o.Header == "" {
		o.Cookie = cmp.Or(o.Cookie, defaultSessionCookie)
	}
	o.Path = cmp.Or(o.Path, "/")
	if o.SameSite == 0 {
		o.SameSite = http.SameSiteLaxMode
	}
	return o
}

// SessionMiddleware gives each request a [Session], which goes on with what the client
// has from the last answer: reads of a request find what the requests before it have
// written, in whichever process with the same Config.SessionKeys it is served. The token
// goes out with the header of the answer, if it is another one than the request's, also
// where the handler writes nothing or panics. The cookie is HttpOnly, and Secure unless
// SessionHTTP.Insecure says otherwise.
//
// What is written once the header has gone out is not in the token: a handler writes to
// its databases first. Of answers to requests that a client makes at the same time it
// keeps one token, the last. Of several cookies of that name, as a browser sends them after
// a change of Path or Domain, all count.
//
// A token that is not one of these keys, as after a change of all of them, or a cookie
// that cannot be read is no error:
// the session then begins on the primaries, as by SessionOptions.FirstReadFromPrimary,
// which have all that it could have told of.
//
// The token tells of the connections of r and of no other registry: where handlers use
// several, each has a middleware around them, with a name of its own for the cookie or
// header. If the request's context has a session, as inside of another middleware, that
// goes on from what the client has, and keeps its options: those of SessionHTTP say
// nothing then.
//
// The ResponseWriter of the handler is an http.Flusher, and reaches what else the
// server's is by http.ResponseController; after Hijack there is no token. At most one
// SessionHTTP may be given. SessionMiddleware panics if the registry has no SessionKeys,
// or if the name of the cookie or header is none.
func (r *Registry) SessionMiddleware(options ...SessionHTTP) func(http.Handler) http.Handler {
	must("Registry.SessionMiddleware", r.usable())
	o, err := atMostOne(options)
	must("SessionMiddleware", err)
	o = o.withDefaults()
	must("SessionMiddleware", o.validate())
	if len(r.sessionKeys) == 0 {
		must("SessionMiddleware", errNoSessionKeys)
	}
	return func(next http.Handler) http.Handler {
		mustHave("SessionMiddleware", "handler", next != nil)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			ctx := req.Context()
			if SessionOf(ctx) == nil {
				ctx = WithSession(ctx, o.Session)
			}
			session, given := SessionOf(ctx), o.tokens(req)
			session.takeAnyway(r, given)
			answer := &sessionWriter{ResponseWriter: w, o: &o, reg: r, session: session, given: given}
			defer answer.tell() // also after a panic, for who answers it
			next.ServeHTTP(answer, req.WithContext(ctx))
		})
	}
}

func (o *SessionHTTP) validate() error {
	if o.Cookie != "" && (&http.Cookie{Name: o.Cookie, Path: o.Path, Domain: o.Domain}).Valid() != nil {
		return errorf("SessionHTTP.Cookie, Path or Domain is not valid in a cookie")
	}
	for _, c := range o.Header {
		if c <= ' ' || c >= 0x7f || c == ':' {
			return errorf("SessionHTTP.Header is not the name of a header")
		}
	}
	if o.MaxAge < 0 {
		return errorf("SessionHTTP.MaxAge is negative")
	}
	return o.Session.validate()
}

// tokens are the request's.
func (o *SessionHTTP) tokens(req *http.Request) (list []string) {
	if o.Header != "" {
		list = slices.DeleteFunc(slices.Clone(req.Header.Values(o.Header)), func(text string) bool { return text == "" })
	}
	if o.Cookie == "" || len(list) > 0 {
		return list
	}
	for _, c := range req.CookiesNamed(o.Cookie) {
		list = append(list, c.Value)
	}
	if sent(req, o.Cookie) > len(list) {
		list = append(list, unreadable)
	}
	return list
}

// unreadable stands for the token of a cookie that cannot be read. It is none.
const unreadable = "?"

// sent is how many cookies of that name the request has, whatever is in them.
func sent(req *http.Request, name string) (n int) {
	for _, line := range req.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			if key, _, ok := strings.Cut(part, "="); ok && strings.TrimSpace(key) == name {
				n++
			}
		}
	}
	return n
}

// sessionWriter tells the client the session's token before the header goes out.
type sessionWriter struct {
	http.ResponseWriter
	o       *SessionHTTP
	reg     *Registry // whose connections the token tells of
	session *Session
	given   []string // the request's tokens
	told    bool
}

// tell sets the token's cookie and header, once.
func (w *sessionWriter) tell() {
	if w.told {
		return
	}
	w.told = true
	text, err := w.session.tokenOf(w.reg)
	if err != nil || text == "" || len(w.given) == 1 && text == w.given[0] {
		return
	}
	if w.o.Header != "" {
		w.Header().Set(w.o.Header, text)
	}
	if w.o.Cookie != "" {
		http.SetCookie(w.ResponseWriter, &http.Cookie{
			Name: w.o.Cookie, Value: text, Path: w.o.Path, Domain: w.o.Domain, MaxAge: int((w.o.MaxAge + time.Second - 1) / time.Second),
			HttpOnly: true, Secure: !w.o.Insecure, SameSite: w.o.SameSite,
		})
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *sessionWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols { // others go out ahead of the answer
		w.tell()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *sessionWriter) Write(b []byte) (int, error) {
	w.tell()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets io.Copy use what the server's own writer has for it.
func (w *sessionWriter) ReadFrom(r io.Reader) (int64, error) {
	w.tell()
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (w *sessionWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *sessionWriter) FlushError() error {
	w.tell()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, if the server's writer does.
func (w *sessionWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
