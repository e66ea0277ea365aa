package dbtest

import (
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// patroni is a PostgreSQL server that Patroni starts and stops.
type patroni struct {
	postgres
	name string
	api  int
	etcd *etcd
}

// supervised: Patroni starts the server as nobody's child.
func (patroni) supervised() {}

func (patroni) stopSignal() syscall.Signal    { return syscall.SIGTERM } // it stops the server and gives the lead away
func (patroni) abandonSignal() syscall.Signal { return syscall.SIGKILL }

// patroniDynamic is the part of the configuration that all nodes take from etcd. A
// leader that is gone is missed after ttl; one that cannot reach etcd gives up after
// retry_timeout. Patroni suggests no less than 20 s, for networks that are not
// loopback.
func patroniDynamic() map[string]any {
	parameters := map[string]any{}
	for _, setting := range postgresSettings {
		name, value, _ := strings.Cut(setting, "=")
		parameters[name] = strings.Trim(value, "'")
	}
	return map[string]any{
		"ttl": 9, "loop_wait": 1, "retry_timeout": 4,
		"maximum_lag_on_failover": 16 << 20,
		"postgresql":              map[string]any{"use_pg_rewind": false, "use_slots": true, "parameters": parameters},
	}
}

func (e patroni) configure(s *Server) error {
	if _, err := os.Stat(s.path("data")); os.IsNotExist(err) {
		return nil // Patroni copies the leader
	}
	return e.postgres.configure(s)
}

// prepare writes patroni.yml. JSON is YAML.
func (e patroni) prepare(s *Server) error {
	programs, err := findPostgres()
	if err != nil {
		return err
	}
	account := map[string]string{"username": adminName, "password": s.adminPassword, "sslmode": "disable"}
	api := net.JoinHostPort(loopback, strconv.Itoa(e.api))
	parameters := map[string]string{
		"unix_socket_directories": s.Socket,
		"ssl":                     "on", "ssl_ca_file": s.path("ca.pem"),
		"ssl_cert_file": s.path("server.pem"), "ssl_key_file": s.path("server.key"),
	}
	for _, setting := range s.settings {
		name, value, _ := strings.Cut(setting, "=")
		parameters[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), "'")
	}
	text, err := json.MarshalIndent(map[string]any{
		"scope": patroniScope, "name": e.name,
		"restapi": map[string]string{"listen": api, "connect_address": api},
		"etcd3":   map[string]string{"host": e.etcd.Addr()},
		"postgresql": map[string]any{
			"listen": s.Addr(), "connect_address": s.Addr(),
			"data_dir": s.path("data"), "bin_dir": programs, "pgpass": s.path("pgpass"),
			"authentication": map[string]any{"superuser": account, "replication": account},
			"parameters":     parameters,
			// What a failed leader alone had is thrown away.
			"remove_data_directory_on_diverged_timelines": true,
			"remove_data_directory_on_rewind_failure":     true,
			"basebackup": []any{map[string]string{"checkpoint": "fast"}, "no-sync", "no-manifest"},
		},
	}, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("patroni.yml"), text, 0o600); err != nil {
		return err
	}
	return handOver(s.path("patroni.yml"))
}

func (e patroni) command(s *Server) []string {
	programs, _ := findPatroni()
	return []string{programs.patroni, s.path("patroni.yml")}
}
