package dbtest

import (
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// stateCopy is what Galera calls an SST script: it brings the whole state of a node
// to another. Those of the distribution need rsync or a backup program, and a package
// of the size of the server; ours copies a folder.
//
//go:embed galera_sst.sh
var stateCopy string

// galera is a MariaDB server that is a node.
type galera struct {
	mariadb
	cluster *Galera
	number  int
	first   atomic.Bool // at its next start it is the first of the cluster
}

// galeraPorts are those of one node, beside that of its clients.
type galeraPorts struct{ group, transfer int }

func reserveGaleraPorts() (ports galeraPorts, err error) {
	w, err := openWorkspace()
	if err != nil {
		return ports, err
	}
	if ports.group, err = w.reservePort(); err != nil {
		return ports, err
	}
	ports.transfer, err = w.reservePort()
	return ports, err
}

// templateKey is of its own: the data of a node tell where it is in the history of its
// cluster. All begin at one place, so that none has to be copied.
func (e *galera) templateKey() (string, error) {
	programs, err := findMariaDB()
	if err != nil {
		return "", err
	}
	library, err := findGalera()
	if err != nil {
		return "", err
	}
	return templateKey("galera", programs.server, append(e.storageArgs(), e.accounts(""), library)...)
}

// initialize makes the data directory of a server and lets it be a cluster of one node
// for a moment.
func (e *galera) initialize(scratch, password string) error {
	if err := e.mariadb.initialize(scratch, password); err != nil {
		return err
	}
	w, err := openWorkspace()
	if err != nil {
		return err
	}
	ports, err := reserveGaleraPorts()
	if err != nil {
		return err
	}
	one := &galera{cluster: &Galera{ports: []galeraPorts{ports}}}
	one.first.Store(true)
	s := &Server{Dialect: e.dialect(), Host: loopback, engine: one, dir: scratch, adminPassword: password}
	s.Socket = one.socket(s)
	if s.Port, err = w.reservePort(); err != nil {
		return err
	}
	if err := errors.Join(writeServerTLS(s.dir), one.configure(s)); err != nil {
		return err
	}
	s.openAdmin()
	defer s.closeAdmin()
	if err := s.launch(); err != nil {
		return err
	}
	s.process.signal(s.engine.stopSignal())
	if !s.process.wait(stopTimeout) {
		s.process.kill()
		return fmt.Errorf("the server did not stop within %v:\n%s", stopTimeout, tail(s.path("log")))
	}
	return os.Remove(s.path("data/galera.cache"))
}

func (e *galera) configure(s *Server) error {
	if err := os.Mkdir(s.path("bin"), 0o755); err != nil {
		return err
	}
	script := s.path("bin/wsrep_sst_dbtest")
	if err := os.WriteFile(script, []byte(stateCopy), 0o755); err != nil {
		return err
	}
	return errors.Join(handOver(s.path("bin"), script), e.mariadb.configure(s))
}

var (
	unknownState   = regexp.MustCompile(`(?m)^seqno:\s+-1$`)
	recoveredState = regexp.MustCompile(`Recovered position: *(\S+:-?\d+)`)
)

// prepare finds out what a node that was killed has, and lets the one that shall be
// first be it.
func (e *galera) prepare(s *Server) error {
	path := s.path("data/grastate.dat")
	state, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text := string(state)
	if e.first.Load() {
		text = strings.Replace(text, "safe_to_bootstrap: 0", "safe_to_bootstrap: 1", 1)
	}
	if unknownState.MatchString(text) {
		position, err := e.recover(s)
		if err != nil {
			return err
		}
		uuid, seqno, _ := strings.Cut(position, ":")
		if strings.Contains(text, uuid) { // otherwise it knows nothing, and takes a copy
			text = unknownState.ReplaceAllString(text, "seqno:   "+seqno)
		}
	}
	if text == string(state) {
		return nil
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return handOver(path)
}

// recover returns the last transaction that a node has, which its storage knows.
func (e *galera) recover(s *Server) (string, error) {
	log, err := os.Create(s.path("recover.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	p, err := startProcess(append(e.command(s), "--wsrep-recover", "--disable-log-error"), s.dir, log)
	if err != nil {
		return "", err
	}
	if !p.wait(startTimeout) {
		p.kill()
	}
	text, err := os.ReadFile(log.Name())
	if err != nil {
		return "", err
	}
	found := recoveredState.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("galera: the node does not tell its state:\n%s", tail(log.Name()))
	}
	return string(found[1]), nil
}

func (e *galera) command(s *Server) []string {
	library, _ := findGalera()
	ports := e.cluster.ports[e.number]
	var others []string
	for i, p := range e.cluster.ports {
		if i != e.number {
			others = append(others, loopback+":"+strconv.Itoa(p.group))
		}
	}
	options := []string{
		"base_host=" + loopback, fmt.Sprintf("base_port=%d", ports.group),
		fmt.Sprintf("gmcast.listen_addr=tcp://%s:%d", loopback, ports.group),
		fmt.Sprintf("ist.recv_addr=%s:%d", loopback, ports.transfer),
		"gcache.size=32M", "pc.recovery=no", "repl.causal_read_timeout=PT20S",
		// A node that is gone is missed after some seconds, and one that stands still for
		// a second or two is not.
		"evs.keepalive_period=PT0.3S", "evs.inactive_check_period=PT0.3S",
		"evs.suspect_timeout=PT4S", "evs.inactive_timeout=PT8S", "evs.install_timeout=PT4S",
	}
	args := append(e.mariadb.command(s),
		"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
		"--wsrep-on=ON", "--wsrep-provider="+library, "--wsrep-cluster-name="+fmt.Sprint("dbtest", e.cluster.ports[0].group),
		"--wsrep-cluster-address=gcomm://"+strings.Join(others, ","),
		"--wsrep-node-address="+loopback, fmt.Sprintf("--wsrep-node-name=node%d", e.number),
		"--wsrep-sst-method=dbtest", "--wsrep-provider-options="+strings.Join(options, ";"),
	)
	if e.first.Load() {
		args = append(args, "--wsrep-new-cluster")
	}
	return args
}

// answers says whether the node serves.
func (e *galera) answers(s *Server) error {
	ctx, cancel := contextWithin(2 * time.Second)
	defer cancel()
	var n int
	if err := s.admin.QueryRowContext(ctx, "SELECT count(*) FROM mysql.global_priv").Scan(&n); err != nil {
		return err
	}
	state, err := wsrepStatus(s, "wsrep_local_state_comment")
	if err == nil && state != "Synced" && state != "Donor/Desynced" {
		err = fmt.Errorf("the node is %s", state)
	}
	if err == nil {
		e.first.Store(false)
	}
	return err
}

// sessions are those of clients: a thread that applies names the database as well.
func (e *galera) sessions(admin *sql.DB, db Database) ([]session, error) {
	all, err := e.mariadb.sessions(admin, db)
	var clients []session
	for _, s := range all {
		if s.user != "system user" {
			clients = append(clients, s)
		}
	}
	return clients, err
}
