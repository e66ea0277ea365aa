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
		{"no host", "DB_CONNECTION=main DB_DRIVER=postgres DB_DATABASE=app DB_USERNAME=app", `dbfleet: connection "main": DB_HOST (host) is missing`},
		{"no database", "DB_CONNECTION=main DB_DRIVER=sqlite", `dbfleet: connection "main": DB_DATABASE (database) is missing`},
		{"a misspelt variable", "DB_CONNECTION=main DB_DRIVER=sqlite DB_DATBASE=app.db", "dbfleet: DB_DATBASE is not a variable of a connection: did you mean DB_DATABASE?\ndbfleet: connection \"main\": DB_DATABASE (database) is missing"},
		{"a port that is no number", "DB_CONNECTION=main DB_DRIVER=postgres DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app DB_PORT=x", `dbfleet: connection "main": DB_PORT (port) is not a whole number`},
		{"a duration without a unit", "DB_CONNECTION=main DB_DRIVER=sqlite DB_DATABASE=app.db DB_STATEMENT_TIMEOUT=5", `dbfleet: connection "main": DB_STATEMENT_TIMEOUT (statement_timeout) is not a duration with its unit, such as "30s", "5m" or "1h30m"`},
		{"a switch that is neither on nor off", "DB_CONNECTION=main DB_DRIVER=postgres DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app DB_SSL=perhaps", `dbfleet: connection "main": DB_SSL (ssl) is neither true nor false`},
		{"a default that is no connection", "DB_CONNECTION=mian DB_MAIN_DRIVER=sqlite DB_MAIN_DATABASE=app.db", `dbfleet: DB_CONNECTION names "mian", which no variable describes (known: "main")`},
		{"an unknown driver", "DB_CONNECTION=main DB_DRIVER=oracle DB_HOST=db1 DB_DATABASE=app DB_USERNAME=app", `dbfleet: connection "main": DB_DRIVER (driver) is "oracle", which is not a driver: use postgres, mysql or sqlite`},
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
