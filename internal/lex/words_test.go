package lex

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestHasWords_OutsideOfQuotesAndComments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"CREATE TABLE t (a TEXT UNIQUE ON CONFLICT REPLACE)":                                 true,
		"create table t (a text unique on /* x */ conflict\n-- y\nreplace, b)":               true,
		"CREATE TABLE t (a REFERENCES b ON ON CONFLICT REPLACE)":                             true,
		"CREATE TABLE t (a TEXT UNIQUE ON CONFLICT IGNORE, b DEFAULT 'on conflict replace')": false,
		"CREATE TABLE t (a TEXT UNIQUE /* ON CONFLICT REPLACE */)":                           false,
		"CREATE TABLE t (a TEXT UNIQUE ON CONFLICT":                                          false,
		`CREATE TABLE t (a TEXT UNIQUE ON CONFLICT "REPLACE")`:                               false,
		"": false,
	} {
		require.Equal(t, want, HasWords(text, dialect.SQLite, "ON", "CONFLICT", "REPLACE"), text)
	}
}
