package atomic

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// What an atomic commit cannot mend, since only the server can, is told.
func TestHealth_TellsOfServersThatMayLoseWhatTheyAcknowledge(t *testing.T) {
	t.Parallel()
	durable := map[string][]string{"postgres": {"fsync=on"}, "mysql": {"innodb_flush_log_at_trx_commit=1", "log-bin=binlog", "sync_binlog=1"}}
	for name, test := range map[string]struct {
		postgres, mysql []string
		want            map[string][]string
	}{
		"durable": {postgres: durable["postgres"], mysql: durable["mysql"]},
		"not": {
			postgres: []string{"fsync=off"}, mysql: []string{"innodb_flush_log_at_trx_commit=2", "log-bin=binlog", "sync_binlog=0"},
			want: map[string][]string{"postgres": {"fsync=off"}, "mysql": {"innodb_flush_log_at_trx_commit=2", "sync_binlog=0"}},
		},
		"without a log": {
			postgres: durable["postgres"], mysql: []string{"innodb_flush_log_at_trx_commit=0", "sync_binlog=0"},
			want: map[string][]string{"mysql": {"innodb_flush_log_at_trx_commit=0"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			create := func(t *testing.T, dialect string) dbtest.Database {
				switch dialect {
				case "postgres":
					return dbtest.StartPostgres(t, test.postgres...).Database(t)
				case "mysql":
					return dbtest.StartMariaDB(t, test.mysql...).Database(t)
				}
				return dbtest.New(t, dialect)
			}
			s := newStage(t, []string{"postgres", "mysql", "sqlite"}, create)
			for _, c := range s.Health(t.Context()).Connections {
				require.Empty(t, c.NotDurable, "nothing is asked of what has no part in atomic commits")
			}
			s.steps(t, writes)
			health := s.Health(t.Context())
			require.Equal(t, "healthy", string(health.Status))
			for i, name := range s.names {
				require.Equal(t, test.want[s.mix[i]], health.Connections[name].NotDurable)
			}
		})
	}
}
