package misuse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// What is wrong with the environment is told by the variable's name.
func TestMisuse_OfTheEnvironment(t *testing.T) {
	for _, tt := range []struct{ use, variables, want string }{
		{"nothing set", "", "dbfleet: DB_CONNECTION is missing, and no other variable describes a connection"},
		{"no host", "DB_CONNECTION=main DB_DRIVER=postgres DB_DATABASE=app DB_USERNAME=app", ""},
		{"no database", "DB_CONNECTION=main DB_DRIVER=sqlite", ""},
		{"a misspelt variable", "DB_CONNECTION=main DB_DRIVER=sqlite DB_DATBASE=app.db", ""},
		{"a port that is no number", "DB_CONNECTION=main DB_DRIVER=postgres DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app DB_PORT=x", ""},
		{"a duration without a unit", "DB_CONNECTION=main DB_DRIVER=sqlite DB_DATABASE=app.db DB_STATEMENT_TIMEOUT=5", ""},
		{"a switch that is neither on nor off", "DB_CONNECTION=main DB_DRIVER=postgres DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app DB_SSL=perhaps", ""},
		{"a default that is no connection", "DB_CONNECTION=mian DB_MAIN_DRIVER=sqlite DB_MAIN_DATABASE=app.db", ""},
		{"an unknown driver", "DB_CONNECTION=main DB_DRIVER=oracle DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app", ""},
	} {
		t.Run(tt.use, func(t *testing.T) {
			for _, v := range strings.Fields(tt.variables) {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			_, err := dbfleet.ConfigFromEnv()
			require.EqualError(t, err, tt.want)
			checkText(t, tt.want)
		})
	}
}
