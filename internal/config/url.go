package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// maxURL bounds the time that the readings of a URL take, which grows with the
// square of its length. Passwords that are signed tokens have about 2,000 bytes.
const maxURL = 8192

// The faults of a URL. None of them contains any part of it: a URL that cannot
// be understood may have its password anywhere.
var (
	errURLScheme = errors.New("does not begin with sqlite:, postgres:// or mysql://")
	errURLSyntax = errors.New("is not scheme://user:password@host:port/database?name=value; " +
		"in a user, password, database or value write special characters as in %40 for @")
	errURLAmbiguous = errors.New("can be read in more than one way: " +
		"in a user, password, database or value write @ as %40, / as %2F, ? as %3F, # as %23, : as %3A")
	errURLEscape = errors.New("has a % that is not followed by two hexadecimal digits: write it as %25")
	errURLLong   = fmt.Errorf("is longer than %d bytes", maxURL)
	errURLHosts  = errors.New("names several hosts: one is the primary, replicas belong in read_hosts")
	errURLSQLite = errors.New("is neither sqlite::memory:, sqlite:relative.db nor sqlite:///absolute.db")
)

// ParseURL reads a connection's URL. Only what the URL says is set. Of a URL
// that cannot be understood, the driver is set if its scheme names one.
func (k Keys) ParseURL(text string) (Settings, error) {
	if strings.Contains(text, Redacted) {
		return nil, errors.New("contains the text that stands for a secret in a printed configuration")
	}
	driver := URLDriver(text)
	if driver == "" {
		return nil, errURLScheme
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errors.New("has a control character")
	}
	s := Settings{"driver": driver}
	if len(text) > maxURL {
		return s, errURLLong
	}
	_, rest, _ := strings.Cut(text, ":")
	if driver == dialect.SQLite.Name {
		return s, s.setSQLiteURL(k, rest)
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return s, errURLScheme
	}
	parts, err := splitURL(rest)
	if err != nil {
		return s, err
	}
	return s, s.setURLParts(k, parts)
}

// URLDriver returns the canonical name of the driver that a URL's scheme names,
// empty if there is none.
func URLDriver(text string) string {
	scheme, _, ok := strings.Cut(text, ":")
	if d, known := Dialect(scheme); ok && known {
		return d.Name
	}
	return ""
}

// setSQLiteURL sets s from what follows "sqlite:".
func (s Settings) setSQLiteURL(keys Keys, rest string) error {
	path, query, _ := strings.Cut(rest, "?")
	if slash, ok := strings.CutPrefix(path, "//"); ok {
		if slash != ":memory:" && !strings.HasPrefix(slash, "/") {
			return errURLSQLite
		}
		path = slash
	}
	if path == "" {
		return errURLSQLite
	}
	database, err := unescape(path)
	if err != nil {
		return err
	}
	s.Set("database", database)
	return s.setURLQuery(keys, query)
}

// setURLParts sets s from the parts of a server's URL.
func (s Settings) setURLParts(keys Keys, parts urlParts) error {
	username, err := unescape(parts.user)
	if err != nil {
		return err
	}
	password, err := unescapePassword(parts.password)
	if err != nil {
		return err
	}
	database, err := unescape(parts.database)
	if err != nil {
		return err
	}
	host, err := unescape(parts.host)
	if err != nil {
		return err
	}
	s.Set("username", username)
	s.Set("password", password)
	s.Set("database", database)
	switch {
	case strings.HasPrefix(host, "/"):
		s.Set("socket", host)
	case host != "":
		host, port, err := SplitAddress(host, 0)
		if err != nil {
			return fmt.Errorf("has a host that %w", err)
		}
		s.Set("host", host)
		s.Set("port", port)
	}
	return s.setURLQuery(keys, parts.query)
}
