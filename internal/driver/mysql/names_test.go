//go:build !dbfleet_no_mysql

package mysql

import (
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// truth 1007
// The names in a message are read in whatever language it is, and with whatever is in
// them, or not at all.
func TestNames_AreReadOrLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		number                    uint16
		text                      string
		constraint, table, column string
	}{
		{1062, "Duplicate entry 'for key 'x'' for key 'k'", "k", "", ""},
		{1062, "Duplicate entry 'x' for key 't.k'", "k", "t", ""},
		{1062, "Duplicate entry 'x' for key 'a.b.k'", "a.b.k", "", ""},
		{1062, "Doppelter Eintrag 'x' für Schlüssel 'k'", "", "", ""},
		{1048, "Column 'it's' cannot be null", "", "", "it's"},
		{1048, "Feld 'name' darf nicht NULL sein", "", "", "name"},
		{1048, "Le champ 'l'âge' ne peut être vide (null)", "", "", ""},
		{1364, "Field 'doesn't' doesn't have a default value", "", "", "doesn't"},
		{1364, "Feld 'name' hat keinen Vorgabewert (DEFAULT)", "", "", "name"},
		{1406, "Data too long for column 'a' at row 3", "", "", "a"},
		{1264, "Out of range value for column 'n' at row 12", "", "", "n"},
		{1366, "Incorrect integer value: 'for column 'x' at row 1' for column 'n' at row 1", "", "", "n"},
		{1366, "Incorrect integer value: 'x' for column ``.``.`n` at row 1", "", "", "n"},
		{1366, "Incorrect integer value: 'x' for column 'it's'' at row 1", "", "", "it's'"},
		{1292, "Truncated incorrect DOUBLE value: 'abc'", "", "", ""},
		{1292, "Incorrect datetime value: 'x' for column `d`.`t`.`a.b` at row 1", "", "t", "a.b"},
		{1452, "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `a``b` FOREIGN KEY (`x`, `y, z`) REFERENCES `p` (`a`, `b`))", "a`b", "t", "x, y, z"},
		{1452, "Kann Kind-Zeile nicht hinzufügen: (`d`.`t`, CONSTRAINT `c` FOREIGN KEY (`x`) REFERENCES `p` (`a`))", "c", "t", "x"},
		{1451, "Cannot delete or update a parent row: a foreign key constraint fails ()", "", "", ""},
		{1451, "Cannot delete or update a parent row: a foreign key constraint fails (`d", "", "", ""},
		{3819, "Check constraint 'c' is violated.", "c", "", ""},
		{4025, "CONSTRAINT `t.n` failed for `d`.`t`", "t.n", "t", "n"},
		{4025, "", "", "", ""},
	} {
		var p session.Problem
		nameIn(&p, &mysql.MySQLError{Number: tt.number, Message: tt.text})
		require.Equal(t, session.Problem{Constraint: tt.constraint, Table: tt.table, Column: tt.column}, p, tt.text)
	}
}
