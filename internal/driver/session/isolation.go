package session

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// ErrNotDeferrable refuses TxOptions.Deferrable.
var ErrNotDeferrable = errors.New("the driver has no deferrable transactions")

// ParseIsolation is the isolation level that a server tells by its name in SQL, in any
// case and with dashes or blanks.
func ParseIsolation(name string) (sql.IsolationLevel, error) {
	switch strings.ReplaceAll(strings.ToUpper(name), "-", " ") {
	case "READ UNCOMMITTED":
		return sql.LevelReadUncommitted, nil
	case "READ COMMITTED":
		return sql.LevelReadCommitted, nil
	case "REPEATABLE READ":
		return sql.LevelRepeatableRead, nil
	case "SERIALIZABLE":
		return sql.LevelSerializable, nil
	}
	return sql.LevelDefault, fmt.Errorf("the server tells an unknown isolation level %.40q", name)
}
