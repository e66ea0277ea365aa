package dbfleet

import (
	"context"
	"errors"
	"slices"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/position"
	"github.com/dbfleet/dbfleet/internal/token"
)

// ErrToken says that a session's token is not one that was made with these
// Config.SessionKeys, or not as it was made.
var ErrToken = errors.New("dbfleet: not a session's token")

var errNoSessionKeys = errors.New("Config.SessionKeys is empty: a session's token is signed with the first of them")

// Token is what the session has seen so far, as a text for ContinueSession in another
// request or process: of letters, digits, - and _, about 60 bytes for one connection and
// at most 3072. It holds the connections' names and positions in their histories of
// writes, which is no secret, and is signed, so that nobody else can make one. It is ""
// as long as the session has seen nothing. Where more has been seen than fits, the
// connections whose positions are longest are read from their primaries instead.
//
// There is no clock in it: it is as good after a year. Who has a token can use it as
// often as he likes: what he gains is to be shown what is at least as recent.
//
// It is an error if Config.SessionKeys is empty, or if the session was used with more
// than one registry; the token of SessionMiddleware is of its own.
func (s *Session) Token() (string, error) {
	if s == nil {
		return "", errorf("the Session is nil; SessionOf gives that of a context of WithSession")
	}
	s.mu.Lock()
	reg, two := s.reg, false
	for i, m := range s.marks {
		two = two || i > 0 && m.reg != reg
		reg = m.reg
	}
	s.mu.Unlock()
	if two {
		return "", errorf("Session.Token: the session was used with two registries, which have connections of their own")
	}
	return s.tokenOf(reg)
}

// tokenOf is what the session has seen of one registry.
func (s *Session) tokenOf(reg *Registry) (string, error) {
	s.mu.Lock()
	marks, first := slices.Clone(s.marks), s.first
	s.mu.Unlock()
	content := token.Content{All: first}
	for _, m := range marks {
		if m.reg != reg {
			continue
		}
		content.Marks = append(content.Marks, token.Mark{
			Connection: m.connection, System: m.system, Position: appendPosition(m.at),
			Pinned: m.pinned, Lasting: m.lasting, Behind: m.behind || m.seen != nil,
		})
	}
	if reg == nil || len(reg.sessionKeys) == 0 {
		if len(content.Marks) == 0 && !content.All {
			return "", nil
		}
		return "", errorf("Session.Token: %w", errNoSessionKeys)
	}
	text, err := token.Seal(content, reg.sessionKeys[0])
	if err != nil {
		return "", errorf("Session.Token: %w", err)
	}
	return text, nil
}

func appendPosition(at position.Position) []byte {
	if at.IsZero() {
		return nil
	}
	return at.Append(nil)
}

// ContinueSession is WithSession for a session that goes on from a token: its reads find
// what that one has seen. "" is the token of a session that has seen nothing. If ctx is
// of a session, the new one goes on from both.
//
// The error is ErrToken if the token was cut or changed, is one of another version of
// this library, or was signed with a key that is none of Config.SessionKeys. Then ctx is
// returned as it was.
func (r *Registry) ContinueSession(ctx context.Context, text string, options ...SessionOptions) (context.Context, error) {
	if err := r.usable(); err != nil {
		return ctx, err
	}
	if ctx == nil {
		return nil, errorf("ContinueSession: the context is nil")
	}
	o, err := atMostOne(options)
	if err == nil {
		err = o.validate()
	}
	if err != nil {
		return ctx, errorf("ContinueSession: %w", err)
	}
	s := &Session{options: o}
	if before := SessionOf(ctx); before != nil {
		before.mu.Lock()
		s.marks, s.first = slices.Clone(before.marks), before.first
		before.mu.Unlock()
	}
	if err := s.take(r, text); err != nil {
		return ctx, errorf("ContinueSession: %w: %w", ErrToken, err)
	}
	return inSession(ctx, s), nil
}

// takeAnyway is take for tokens that may be bad. What such a one told is not known: the
// session then asks each primary before it reads the connection for the first time, as do
// those that go on from it.
func (s *Session) takeAnyway(r *Registry, list []string) {
	bad := false
	for _, text := range list {
		bad = s.take(r, text) != nil || bad
	}
	if !bad {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = true
	for _, m := range s.marks {
		s.changeLocked(m.reg, m.connection, func(m *mark) { m.behind = true })
	}
}

// take merges what a token says into the session.
func (s *Session) take(r *Registry, text string) error {
	content, err := token.Open(text, r.sessionKeys)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reg == nil {
		s.reg = r
	}
	s.first = s.first || content.All
	for _, t := range content.Marks {
		var at position.Position
		if len(t.Position) > 0 {
			var rest []byte
			var err error
			if at, rest, err = position.Decode(t.Position); err != nil || len(rest) > 0 {
				return token.ErrBad
			}
		}
		s.changeLocked(r, t.Connection, func(m *mark) {
			known := !m.at.IsZero()
			if merged, ok := m.at.Merge(at); ok && (m.system == t.System || !known) {
				m.at = merged
			} else { // of two histories: the primary's is the one that counts
				m.forward(at)
				m.behind = true
			}
			if t.System != 0 {
				m.system = t.System
			}
			m.pinned, m.lasting, m.behind = m.pinned || t.Pinned, m.lasting || t.Lasting, m.behind || t.Behind
		})
	}
	return nil
}

// minSessionKey is how long a key is at least, in bytes.
const minSessionKey = 16

func (c Config) sessionKeyFaults() []*config.Fault {
	f := config.NewFaults("", "")
	for i, key := range c.SessionKeys {
		switch {
		case len(key) < minSessionKey:
			f.Add("session_keys", "number %d is shorter than %d bytes, so that it could be guessed", i+1, minSessionKey)
		case slices.Contains(c.SessionKeys[:i], key):
			f.Add("session_keys", "number %d is given twice", i+1)
		}
	}
	return f.List()
}

// bytesOf are the keys as they are used.
func bytesOf(keys []Secret) [][]byte {
	list := make([][]byte, len(keys))
	for i, key := range keys {
		list[i] = []byte(key)
	}
	return list
}
