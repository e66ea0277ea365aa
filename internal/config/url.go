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
	errURLScheme = errors.New("does not begin with sqlite:, postgres:// or mysql://, " +
		"and is neither user:password@tcp(host:port)/database nor host=… user=… dbname=…")
	errURLSyntax = errors.New("is not scheme://user:password@host:port/database?name=value; " +
		"in a user, password, database or value write special characters as in %40 for @")
	errURLAmbiguous = errors.New("can be read in more than one way: " +
		"in a user, password, database or value write @ as %40, / as %2F, ? as %3F, # as %23, : as %3A")
	errURLEscape = errors.New("has a % that is not followed by two hexadecimal digits: write it as %25")
	errURLLong   = fmt.Errorf("is longer than %d bytes", maxURL)
	errURLHosts  = errors.New("names several hosts: one is the primary, replicas belong in read_hosts")
	errURLSQLite = errors.New("is neither sqlite::memory:, sqlite:relative.db nor sqlite:///absolute.db, and no file: of SQLite's")
)

// ParseURL reads a connection's URL, or what else says everything in one text: a DSN
// of go-sql-driver/mysql, keywords of libpq's, a file: of SQLite's. Only what the URL
// says is set. Of one that cannot be understood, the driver is set if its form names
// one.
func (k Keys) ParseURL(text string) (Settings, error) {
	if strings.Contains(text, Redacted) {
		return nil, errors.New("contains the text that stands for a secret in a printed configuration")
	}
	form, driver := formOf(text)
	if form == formUnknown {
		return nil, errURLScheme
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errors.New("has a control character")
	}
	s := Settings{"driver": driver}
	if len(text) > maxURL {
		return s, errURLLong
	}
	if err := s.setForm(k, form, text); err != nil {
		return s, err
	}
	if p := s.text("password"); strings.EqualFold(p, "[YOUR-PASSWORD]") || strings.EqualFold(p, "<password>") {
		return s, errors.New("has a placeholder where the password belongs")
	}
	return s, nil
}

// urlForm is a way to say everything in one text.
type urlForm int

const (
	formUnknown           urlForm = iota
	formServer                    // postgres://…, mysql://…
	formSQLite                    // sqlite:…
	formFile                      // file:…
	formKeywords                  // host=… user=…
	formMySQL                     // user:password@tcp(host:port)/database
	formMySQLBehindScheme         // the same behind mysql://
)

// formOf returns the form of a text, and the canonical name of the driver that it
// tells.
func formOf(text string) (urlForm, string) {
	scheme, rest, ok := strings.Cut(text, ":")
	known, isDriver := Dialect(scheme)
	switch {
	case isDriver && known == dialect.SQLite && ok:
		return formSQLite, known.Name
	case isDriver && strings.HasPrefix(rest, "//"):
		if known == dialect.MySQL && isMySQLDSNBehindScheme(rest[2:]) {
			return formMySQLBehindScheme, known.Name
		}
		return formServer, known.Name
	case strings.EqualFold(scheme, "file") && ok:
		return formFile, dialect.SQLite.Name
	case isKeywords(text):
		return formKeywords, dialect.Postgres.Name
	case !strings.HasPrefix(rest, "//") && isMySQLDSN(text):
		return formMySQL, dialect.MySQL.Name
	case isDriver && ok:
		return formServer, known.Name
	}
	return formUnknown, ""
}

// URLDriver returns the canonical name of the driver that a URL's form tells, empty
// if there is none.
func URLDriver(text string) string {
	_, driver := formOf(text)
	return driver
}

func (s Settings) setForm(keys Keys, form urlForm, text string) error {
	_, rest, _ := strings.Cut(text, ":")
	switch form {
	case formSQLite:
		return s.setSQLiteURL(keys, rest)
	case formFile:
		return s.setSQLiteFile(keys, rest)
	case formKeywords:
		return s.setKeywords(keys, text)
	case formMySQL:
		return s.setMySQLDSN(keys, text)
	case formMySQLBehindScheme:
		return s.setMySQLDSN(keys, rest[2:])
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return errURLScheme
	}
	parts, err := splitURL(rest)
	if err != nil {
		return err
	}
	return s.setURLParts(keys, parts)
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
		if err := s.setAddress(host); err != nil {
			return err
		}
	}
	return s.setURLQuery(keys, parts.query)
}

// setAddress sets host and port from an address.
func (s Settings) setAddress(address string) error {
	host, port, err := SplitAddress(address, 0)
	if err != nil {
		return fmt.Errorf("has a host that %w", err)
	}
	s.Set("host", host)
	s.Set("port", port)
	return nil
}
