package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// setSQLiteURL sets s from what follows "sqlite:".
func (s Settings) setSQLiteURL(keys Keys, rest string) error {
	path, query, _ := strings.Cut(rest, "?")
	if slash, ok := strings.CutPrefix(path, "//"); ok {
		if slash != ":memory:" && !strings.HasPrefix(slash, "/") {
			return errURLSQLite
		}
		path = slash
	}
	return s.setSQLitePath(keys, path, query)
}

// setSQLiteFile sets s from what follows "file:", as SQLite and its drivers read it.
func (s Settings) setSQLiteFile(keys Keys, rest string) error {
	path, query, _ := strings.Cut(rest, "?")
	if host, ok := strings.CutPrefix(path, "//"); ok {
		host, path, ok = strings.Cut(host, "/")
		if !ok || host != "" && host != "localhost" {
			return errURLSQLite
		}
		path = "/" + path
	}
	return s.setSQLitePath(keys, path, query)
}

func (s Settings) setSQLitePath(keys Keys, path, query string) error {
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

// pragmaCall is a pragma as modernc.org/sqlite's _pragma has it.
var pragmaCall = regexp.MustCompile(`^([A-Za-z_]+) *(?:\(([^()]*)\)|=(.*))$`)

// sqlitePragmas are the parameters of mattn/go-sqlite3 that set a pragma.
var sqlitePragmas = map[string]string{
	"_busy_timeout": "busy_timeout", "_timeout": "busy_timeout", "_journal_mode": "journal_mode", "_journal": "journal_mode",
	"_synchronous": "synchronous", "_sync": "synchronous", "_foreign_keys": "foreign_keys", "_fk": "foreign_keys",
	"_cache_size": "cache_size", "_auto_vacuum": "auto_vacuum", "_vacuum": "auto_vacuum", "_secure_delete": "secure_delete",
	"_recursive_triggers": "recursive_triggers", "_rt": "recursive_triggers", "_locking_mode": "locking_mode", "_locking": "locking_mode",
}

// sqliteParam translates a parameter of SQLite's URIs, or of the drivers that have
// their own. pinned says that it changes nothing.
func sqliteParam(database string, p urlParam) (own urlParam, pinned bool, err error) {
	pragma, isPragma := sqlitePragmas[p.name]
	switch p.name {
	case "_pragma":
		m := pragmaCall.FindStringSubmatch(p.value)
		if m == nil {
			return p, false, errors.New("is not name(value)")
		}
		pragma, isPragma, p.value = strings.ToLower(m[1]), true, strings.Trim(m[2]+m[3], " '\"")
	case "_txlock":
		switch strings.ToLower(p.value) {
		case "immediate":
			return p, true, nil
		case "deferred":
			return urlParam{name: "deferred_transactions", value: "true"}, false, nil
		}
		return p, false, errors.New("is neither immediate nor deferred")
	case "mode":
		if p.value == "rwc" {
			return p, true, nil
		}
		return p, false, errors.New("is not rwc: a file that is missing is made; sqlite::memory: is a database in memory")
	case "cache":
		if p.value == "private" || database == ":memory:" && p.value == "shared" { // the pool's connections share it
			return p, true, nil
		}
		return p, false, errors.New("would change how the connections to a file lock it: leave it out")
	}
	switch {
	case !isPragma && strings.HasPrefix(p.name, "_"):
		return p, false, errors.New("is not a parameter of a connection's URL")
	case !isPragma:
		return p, false, nil
	case pragma == "foreign_keys":
		on, err := parseBool(p.value)
		if err == nil && !on {
			err = errors.New("cannot be set: sqlite.disable_foreign_keys sets it")
		}
		return p, true, err
	case pragma == "busy_timeout":
		switch n, err := strconv.Atoi(p.value); {
		case err != nil:
			return p, false, errors.New("is not a whole number of milliseconds")
		case n <= 0:
			p.value = strconv.Itoa(Unbounded)
		default:
			p.value += "ms"
		}
	}
	return urlParam{name: pragma, value: p.value}, false, nil
}
