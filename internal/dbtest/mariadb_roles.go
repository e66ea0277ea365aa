package dbtest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

func (gtid) promote(replica *Server) error {
	replica.set(func(settings []string) []string {
		return slices.DeleteFunc(settings, func(s string) bool { return s == readOnly })
	})
	return execAll(replica.admin, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")
}

func (gtid) follow(replica *Server) error {
	return execAll(replica.admin, "STOP SLAVE", "START SLAVE")
}

func (gtid) fence(s *Server) error {
	return execAll(s.admin, "SET GLOBAL read_only = 1")
}

func (g gtid) handOver(primary, to *Server, link *Proxy) error {
	if err := g.fence(primary); err != nil {
		return err
	}
	position, err := g.position(primary)
	if err != nil {
		return err
	}
	var reached bool
	if !poll(replicationTimeout, func() bool {
		reached, err = g.reached(to, position)
		return reached
	}) {
		return fmt.Errorf("the replica did not reach %s: %w", position, err)
	}
	if err := g.promote(to); err != nil {
		return err
	}
	primary.set(asReplica)
	return errors.Join(
		execAll(primary.admin, "SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos"), primary.follow(to, link))
}

// renew: the binary log of the primary has all that happened since both were equal.
func (gtid) renew(s, primary *Server, link *Proxy) error {
	w, err := openWorkspace()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.path("data")); err != nil {
		return err
	}
	password, err := w.newData(s.engine, s.path("data"))
	if err != nil {
		return err
	}
	if password != primary.adminPassword {
		return errors.New("the template of the cluster's data is not there any more")
	}
	s.set(asReplica)
	s.renumber()
	if err := s.launch(); err != nil {
		return err
	}
	return s.follow(primary, link)
}

// renumber gives a server another server-id, since a replica leaves out what one with
// its own has written, and this one needs all.
func (s *Server) renumber() {
	s.set(func(settings []string) []string {
		const name = "server-id="
		id := s.Port
		for _, setting := range settings {
			if text, ok := strings.CutPrefix(setting, name); ok {
				id, _ = strconv.Atoi(text)
			}
		}
		settings = slices.DeleteFunc(settings, func(s string) bool { return strings.HasPrefix(s, name) })
		return append(settings, name+strconv.Itoa(id+1<<16)) // ports end there
	})
}

func asReplica(settings []string) []string {
	if slices.Contains(settings, readOnly) {
		return settings
	}
	return append(settings, readOnly)
}

// set changes the settings that the server starts with.
func (s *Server) set(change func(settings []string) []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = change(slices.Clone(s.settings))
}
