package dbtest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// follow: a standby that has lost its primary tries again at the address that it
// knows, and takes the newest timeline that it finds there.
func (streaming) follow(*Server) error { return nil }

func (s streaming) fence(server *Server) error {
	if err := server.shutDown(); err != nil {
		return err
	}
	if err := s.standby(server, ""); err != nil {
		return err
	}
	return server.launch()
}

// standby makes a stopped server one at its next start.
func (streaming) standby(server *Server, conninfo string) error {
	if err := os.WriteFile(server.path("data/standby.signal"), nil, 0o600); err != nil {
		return err
	}
	auto, err := os.OpenFile(server.path("data/postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer auto.Close()
	if _, err := fmt.Fprintf(auto, "primary_conninfo = '%s'\n", strings.ReplaceAll(conninfo, "'", "''")); err != nil {
		return err
	}
	return handOver(server.path("data/standby.signal"), auto.Name())
}

func (s streaming) handOver(primary, to *Server, link *Proxy) error {
	if err := primary.shutDown(); err != nil {
		return err
	}
	end, err := lastCheckpoint(primary)
	if err != nil {
		return err
	}
	// What it wrote last, when it was shut down, was sent before it ended.
	var reached bool
	if !poll(replicationTimeout, func() bool {
		reached, err = s.reached(to, end)
		return reached
	}) {
		return fmt.Errorf("the standby did not reach %s: %w", end, err)
	}
	if err := s.promote(to); err != nil {
		return err
	}
	if err := s.standby(primary, postgres{}.conninfo(to, link)); err != nil {
		return err
	}
	return primary.launch()
}

var checkpointLine = regexp.MustCompile(`Latest checkpoint location: +(\S+)`)

// lastCheckpoint is where the last record of a server lies that was shut down.
func lastCheckpoint(s *Server) (string, error) {
	program, err := postgres{}.program("pg_controldata")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program, s.path("data"))
	cmd.Env = serverEnv(s.dir)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("pg_controldata: %w", err)
	}
	found := checkpointLine.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("pg_controldata tells no checkpoint: %s", out)
	}
	return string(found[1]), nil
}

func (streaming) renew(s, primary *Server, link *Proxy) error {
	if err := os.RemoveAll(s.path("data")); err != nil {
		return err
	}
	if err := (postgres{}).backup(primary, link, s.path("data")); err != nil {
		return err
	}
	if err := s.engine.configure(s); err != nil {
		return err
	}
	return s.launch()
}
