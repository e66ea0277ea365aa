package sqlgen

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamed_RendersForEachDatabase(t *testing.T) {
	t.Parallel()
	id, ids, none := sql.Named("id", 7), sql.Named("ids", []int{1, 2, 3, 4, 5}), sql.Named("none", []int{})
	for _, c := range []struct {
		text string
		args []any
		want [3]string // of postgres, mysql, sqlite
		sent [3]int    // how many arguments
	}{
		{"a = :id", []any{id}, [3]string{"a = $1", "a = ?", "a = ?"}, [3]int{1, 1, 1}},
		{"a = :id OR b = :id", []any{id}, [3]string{"a = $1 OR b = $1", "a = ? OR b = ?", "a = ? OR b = ?"}, [3]int{1, 2, 2}},
		{"a IN (:ids) AND b = :id", []any{id, ids}, [3]string{
			"a IN ($1, $2, $3, $4, $5, $6) AND b = $7", "a IN (?, ?, ?, ?, ?, ?) AND b = ?", "a IN (?, ?, ?, ?, ?, ?) AND b = ?",
		}, [3]int{7, 7, 7}},
		{"a IN (:none)", []any{none}, [3]string{"a = ANY('{}')", "a IN (SELECT NULL FROM DUAL WHERE 1 = 0)", "a IN (SELECT NULL WHERE 1 = 0)"}, [3]int{}},
		{"a NOT IN ( :none ) x", []any{none}, [3]string{"a <> ALL('{}') x", "a NOT IN (SELECT NULL FROM DUAL WHERE 1 = 0) x", "a NOT IN (SELECT NULL WHERE 1 = 0) x"}, [3]int{}},
		{"a = :ids", []any{ids}, [3]string{"a = $1", "a = ?", "a = ?"}, [3]int{1, 1, 1}},
		{"a = ? AND :x", []any{1}, [3]string{"a = ? AND :x", "a = ? AND :x", "a = ? AND :x"}, [3]int{1, 1, 1}},
	} {
		for i, d := range dialects {
			text, args, err := Named(c.text, c.args, &Env{Dialect: d, Values: plainValues{}})
			require.NoError(t, err, c.text)
			require.Equal(t, c.want[i], text)
			require.Len(t, args, c.sent[i], text)
		}
	}
}
