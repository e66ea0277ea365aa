package dbfleet

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
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

// parseURL reads a connection's URL. Only what the URL says is set.
func parseURL(text string) (ConnectionConfig, error) {
	if strings.Contains(text, redactedText) {
		return ConnectionConfig{}, errors.New("contains the text that stands for a secret in a printed configuration")
	}
	c := ConnectionConfig{Driver: urlDriver(text)}
	if c.Driver == "" {
		return c, errURLScheme
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return ConnectionConfig{}, errors.New("has a control character")
	}
	if len(text) > maxURL {
		return c, errURLLong
	}
	_, rest, _ := strings.Cut(text, ":")
	if c.Driver == SQLite {
		err := c.parseSQLiteURL(rest)
		return c, err
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return c, errURLScheme
	}
	parts, err := splitURL(rest)
	if err != nil {
		return c, err
	}
	err = c.setURLParts(parts)
	return c, err
}

// urlDriver returns the driver that a URL's scheme names, empty if there is none.
func urlDriver(text string) Driver {
	scheme, _, ok := strings.Cut(text, ":")
	if d, known := Driver(scheme).dialect(); ok && known {
		return Driver(d.Name)
	}
	return ""
}

// parseSQLiteURL reads what follows "sqlite:".
func (c *ConnectionConfig) parseSQLiteURL(rest string) (err error) {
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
	if c.Database, err = unescape(path); err != nil {
		return err
	}
	return c.setURLQuery(query)
}

// urlParts are the parts of a server's URL as they were written.
type urlParts struct {
	user, password, host, database, query string
}

// splitURL splits what follows "scheme://". A password may have any character
// unescaped, as long as only one reading of the whole remains; it ends at the
// last @ then.
func splitURL(rest string) (urlParts, error) {
	var readings []urlParts
	last := strings.LastIndexByte(rest, '@')
	lastRead := last < 0
	if parts, ok := readURL("", rest); ok {
		readings = append(readings, parts)
		// Before a password there is a colon: without one, each @ is in a value.
		authority := rest[:min(len(rest), strings.IndexAny(rest+"/", "/?#"))]
		lastRead = lastRead || !strings.Contains(authority, ":")
	}
	for i := range len(rest) {
		if rest[i] != '@' {
			continue
		}
		parts, ok := readURL(rest[:i], rest[i+1:])
		if ok {
			readings = append(readings, parts)
			lastRead = lastRead || i == last || !strings.Contains(rest[:i], ":")
		}
	}
	switch {
	case len(readings) == 0 && strings.Contains(rest[last+1:], ","):
		return urlParts{}, errURLHosts
	case len(readings) == 0:
		return urlParts{}, errURLSyntax
	case len(readings) > 1 || !lastRead:
		return urlParts{}, errURLAmbiguous
	}
	return readings[0], nil
}

// readURL reads a URL on the assumption that userinfo is what stands before the
// host. ok is false if the rest cannot be host, database and query then.
func readURL(userinfo, rest string) (parts urlParts, ok bool) {
	parts.user, parts.password, _ = strings.Cut(userinfo, ":")
	if strings.ContainsAny(parts.user, "/?#@") || strings.Contains(rest, "#") {
		return parts, false
	}
	var path string
	path, parts.query, _ = strings.Cut(rest, "?")
	parts.host, parts.database, _ = strings.Cut(path, "/")
	if strings.ContainsAny(parts.database, "/@") || strings.Contains(rest, " ") {
		return parts, false
	}
	if parts.query != "" {
		for _, pair := range strings.Split(parts.query, "&") {
			name, _, found := strings.Cut(pair, "=")
			if name, err := unescape(name); !found || err != nil || !isURLParam(name) {
				return parts, false
			}
		}
	}
	if parts.host == "" || strings.HasPrefix(strings.ToLower(parts.host), "%2f") {
		return parts, !strings.ContainsAny(parts.host, "@:")
	}
	host, err := unescape(parts.host)
	if err != nil {
		return parts, false
	}
	_, _, err = splitAddress(host, 0)
	return parts, err == nil
}

// setURLParts sets c from the parts.
func (c *ConnectionConfig) setURLParts(parts urlParts) (err error) {
	if c.Username, err = unescape(parts.user); err != nil {
		return err
	}
	if c.Password, err = unescapePassword(parts.password); err != nil {
		return err
	}
	if c.Database, err = unescape(parts.database); err != nil {
		return err
	}
	host, err := unescape(parts.host)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(host, "/"):
		c.Socket = host
	case host != "":
		if c.Host, c.Port, err = splitAddress(host, 0); err != nil {
			return fmt.Errorf("has a host that %w", err)
		}
	}
	return c.setURLQuery(parts.query)
}

// unescape decodes %XX; a + stays a +.
func unescape(text string) (string, error) {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return "", errURLEscape
	}
	return decoded, nil
}

// unescapePassword is unescape for a password that may not have been escaped at
// all: if none of its % begins an escape, it is taken literally.
func unescapePassword(text string) (string, error) {
	decoded, err := unescape(text)
	if err == nil {
		return decoded, nil
	}
	for i := range len(text) {
		if text[i] == '%' && i+2 < len(text) {
			if _, notEscape := url.PathUnescape(text[i : i+3]); notEscape == nil {
				return "", err
			}
		}
	}
	return text, nil
}
