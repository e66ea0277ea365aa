package dbtest

import (
	"errors"
	"fmt"
	"testing"
)

// MariaDBCluster starts a primary and its replicas, which follow it by GTID and
// are read-only. They end with the test. Settings are options of mariadbd
// without the dashes, for all.
func MariaDBCluster(t testing.TB, replicas int, settings ...string) *Cluster {
	t.Helper()
	replicated := append([]string{
		"log-bin=binlog", "relay-log=relay", "log-slave-updates", "gtid-strict-mode=1", "binlog-format=ROW",
		"slave-net-timeout=10", "report-host=" + loopback,
	}, settings...)
	primary := StartMariaDB(t, replicated...)
	links := newLinks(t, primary, replicas)
	followers := each(t, replicas, func(i int) (*Server, error) {
		s, err := newServer(mariadb{}, append([]string{readOnly}, replicated...),
			fromTemplate(mariadb{}))
		if err != nil {
			return s, err
		}
		if err := s.launchAnywhere(); err != nil {
			return s, err
		}
		return s, s.follow(primary, links[i])
	})
	return newCluster(primary, followers, links, gtid{})
}

// readOnly is what a primary does not have among its settings.
const readOnly = "read-only=1"

// follow makes a server that was just installed a replica of another: both
// come from the same template, so that the primary's log is all that they differ in.
func (s *Server) follow(primary *Server, link *Proxy) error {
	return execAll(s.admin,
		fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD='%s',
			MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1`,
			link.Host, link.Port, adminName, primary.adminPassword),
		"START SLAVE")
}

// gtid is MariaDB's replication by global transaction ids.
type gtid struct{}

func (gtid) position(primary *Server) (position string, err error) {
	return position, queryRow(primary.admin, []any{&position}, "SELECT @@gtid_binlog_pos")
}

func (gtid) reached(replica *Server, position string) (bool, error) {
	var answer int // -1 is a timeout
	err := queryRow(replica.admin, []any{&answer}, "SELECT MASTER_GTID_WAIT(?, 0.2)", position)
	return err == nil && answer == 0, errors.Join(err, replicationError(replica))
}

func (gtid) hold(_, replica *Server) error {
	return execAll(replica.admin, "STOP SLAVE SQL_THREAD")
}

func (gtid) release(replica *Server) error {
	return execAll(replica.admin, "START SLAVE SQL_THREAD")
}

// replicationError is what stopped a replica, if anything did.
func replicationError(replica *Server) error {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	rows, err := replica.admin.QueryContext(ctx, "SHOW SLAVE STATUS")
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		return errors.Join(err, rows.Err(), errors.New("it is no replica"))
	}
	values := make([]any, len(columns))
	texts := make([]*string, len(columns))
	for i := range values {
		values[i] = &texts[i]
	}
	if err := rows.Scan(values...); err != nil {
		return err
	}
	var errs []error
	for i, column := range columns {
		if (column == "Last_IO_Error" || column == "Last_SQL_Error") && texts[i] != nil && *texts[i] != "" {
			errs = append(errs, fmt.Errorf("%s: %s", column, *texts[i]))
		}
	}
	return errors.Join(errs...)
}
