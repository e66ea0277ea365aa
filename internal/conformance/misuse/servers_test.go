package misuse

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// What the database itself refuses is told alike on all of them: the kind of
// statement, the connection, and then the database's own words, which are those of
// its version. What the library refuses is the same everywhere.
func TestMisuse_OnEachDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, dialect := t.Context(), fl.Database.Dialect
		db := fl.DB("main")
		_, err := db.ExecContext(ctx, conformance.DDL(dialect, "CREATE TABLE users (id {id}, name {text} NOT NULL UNIQUE, age {int} NOT NULL)"))
		require.NoError(t, err)
		users := dbfleet.MustModel[user](fl.Registry, dbfleet.ModelConfig{Table: "users"})
		require.NoError(t, users.Create(ctx, &user{Name: "Ann"}))
		for _, m := range []struct {
			use          string
			err          error
			starts, says string // says is somewhere behind it
		}{
			{"a table that is not there", of(db.Table("usres").Get(ctx)), `dbfleet: select on "main": `, "usres"},
			{"a column that is not there", of(db.Table("users").Where("agee", "=", 1).Get(ctx)), `dbfleet: select on "main": `, "agee"},
			{"a name that is taken", users.Create(ctx, &user{Name: "Ann"}), `dbfleet: insert on "main": `, "name"},
			{"a syntax error", of(db.ExecContext(ctx, "DELET FROM users")), `dbfleet: exec on "main": `, "DELET"},
			{"a write in a transaction for reading", fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				return users.Create(ctx, &user{Name: "Bob"})
			}, dbfleet.TxOptions{ReadOnly: true}), `dbfleet: insert on "main": `, ""},
			{"a list for a placeholder", of(users.Query().WhereRaw("age = ?", []int{1, 2}).Get(ctx)), map[string]string{
				"sqlite":   `dbfleet: table "users": where: unsupported type: sqlite has no arrays for a []int; IN and WhereIn take a list`,
				"mysql":    `dbfleet: table "users": where: unsupported type: mysql has no arrays for a []int; IN and WhereIn take a list`,
				"postgres": `dbfleet: select on "main": table "users": error 22P02: value refused by the database`,
			}[dialect], ""},
			{"a statement that begins a transaction", of(db.ExecContext(ctx, "START TRANSACTION")),
				`dbfleet: connection "main": START: a transaction is begun and ended by Transaction`, ""},
			{"an unknown column of a model", of(users.Where("agee", "=", 1).Get(ctx)),
				`dbfleet: table "users" has no column "agee" known to the model; it has id, name, age`, ""},
			{"no transaction", of(users.Using(nil).Get(ctx)), `dbfleet: the Tx is nil; Transaction gives one to its function`, ""},
		} {
			require.Error(t, m.err, m.use)
			require.True(t, strings.HasPrefix(m.err.Error(), m.starts), "%s: %s", m.use, m.err)
			require.Contains(t, strings.TrimPrefix(m.err.Error(), m.starts), m.says, m.use)
			checkText(t, m.err.Error())
			checkTypes(t, m.err)
		}
	})
}
