package config

import (
	"errors"
	"regexp"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// mysqlDSN is what go-sql-driver/mysql reads: user:password@net(address)/database?name=value,
// where everything but the slash may be left out. The password is taken as it is,
// and may have any character; a database is written with %40 for @ and %3A for :, or
// else the end of a password would be taken for one.
var mysqlDSN = regexp.MustCompile(`(?s)^(?:(.*)@)?([A-Za-z0-9+._-]*)(?:\(([^()]*)\))?/([^/?@:]*)(?:\?([^/]*))?$`)

// isMySQLDSN reports whether text is one rather than a host and a path: it has an
// address in parentheses, or an account and no address.
func isMySQLDSN(text string) bool {
	m := mysqlDSN.FindStringSubmatchIndex(text)
	return m != nil && (m[6] >= 0 || m[2] >= 0 && m[4] == m[5])
}

// isMySQLDSNBehindScheme reports whether what follows mysql:// is a DSN rather than
// what a URL has there. Only an address in parentheses tells: a password may have a
// parenthesis too.
func isMySQLDSNBehindScheme(text string) bool {
	m := mysqlDSN.FindStringSubmatchIndex(text)
	return m != nil && m[6] >= 0
}

// setMySQLDSN sets s from a DSN of go-sql-driver/mysql.
func (s Settings) setMySQLDSN(keys Keys, text string) error {
	m := mysqlDSN.FindStringSubmatch(text)
	user, password, _ := strings.Cut(m[1], ":")
	s.Set("username", user)
	s.Set("password", password)
	database, err := unescape(m[4])
	if err != nil {
		return err
	}
	s.Set("database", database)
	network, address := m[2], m[3]
	switch {
	case network == "unix" && address != "":
		s.Set("socket", address)
	case network != "" && network != "tcp":
		return errors.New("has a network other than tcp and unix")
	case address == "": // as go-sql-driver/mysql has it
		s.Set("host", "127.0.0.1")
	default:
		if err := s.setAddress(strings.TrimSuffix(address, ":")); err != nil {
			return err
		}
	}
	return s.setURLQuery(keys, m[5])
}

// falseOfMySQL and trueOfMySQL are parameters of go-sql-driver/mysql that change
// nothing with these values: they are its defaults, and what sessions do in any case.
var (
	falseOfMySQL = []string{
		"multiStatements", "interpolateParams", "allowAllFiles", "allowCleartextPasswords", "allowOldPasswords",
		"allowFallbackToPlaintext", "columnsWithAlias", "compress", "rejectReadOnly",
	}
	trueOfMySQL = []string{"parseTime", "clientFoundRows", "allowNativePasswords", "checkConnLiveness", "autocommit", "reconnect"}
)

// unquoteVariable takes the quotes off a system variable, as the DSN of
// go-sql-driver/mysql wants them.
func unquoteVariable(driver, value string) string {
	if n := len(value); driver == dialect.MySQL.Name && n >= 2 && value[0] == '\'' && value[n-1] == '\'' {
		return value[1 : n-1]
	}
	return value
}
