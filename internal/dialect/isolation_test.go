package dialect

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

// The levels of each database from the least strict to the strictest, those that are one
// level together.
func TestStrictness_OrdersTheLevelsThatThereAre(t *testing.T) {
	t.Parallel()
	all := []sql.IsolationLevel{
		sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelWriteCommitted, sql.LevelRepeatableRead,
		sql.LevelSnapshot, sql.LevelSerializable, sql.LevelLinearizable, sql.LevelDefault,
	}
	for d, order := range map[*Dialect][][]sql.IsolationLevel{
		Postgres: {{sql.LevelReadUncommitted, sql.LevelReadCommitted}, {sql.LevelRepeatableRead, sql.LevelSnapshot}, {sql.LevelSerializable}},
		MySQL:    {{sql.LevelReadUncommitted}, {sql.LevelReadCommitted}, {sql.LevelRepeatableRead}, {sql.LevelSerializable}},
		SQLite:   {{sql.LevelSerializable}},
	} {
		has := map[sql.IsolationLevel]int{} // its place in the order
		for i, same := range order {
			for _, level := range same {
				has[level] = i
			}
		}
		for _, level := range all {
			n, ok := d.Strictness(level)
			place, want := has[level]
			require.Equal(t, want, ok, "%s: %s", d.Name, level)
			if level == sql.LevelDefault {
				require.Zero(t, n, "of what is no level")
			}
			for _, other := range all {
				m, known := d.Strictness(other)
				if ok && known {
					require.Equal(t, place >= has[other], n >= m, "%s: %s beside %s", d.Name, level, other)
				}
			}
		}
	}
}
