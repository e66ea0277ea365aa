package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
)

// lab is one place of a database with its peers open.
type lab struct {
	target *Target
	place  place
	look   *sql.DB // to prepare and check with
	peers  []*Peer
	open   map[string]*Session
}

// openLab opens a fresh database for a place and all peers on it. The caller
// closes it before t ends.
func openLab(ctx context.Context, t testing.TB, s *server, p place, peers []*Peer) (*lab, error) {
	l := &lab{target: s.make(t, p), place: p, open: map[string]*Session{}}
	look, err := l.target.Open()
	if err != nil {
		return nil, err
	}
	l.look = look
	if err := l.target.createTables(ctx, look, p); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if l.target.settle != nil {
		l.target.settle()
	}
	for _, peer := range peers {
		if !peer.serves(s.database) {
			continue
		}
		session, err := peer.Open(ctx, l.target)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", peer.Name, err), l.close())
		}
		l.peers = append(l.peers, peer)
		l.open[peer.Name] = session
	}
	return l, nil
}

func (l *lab) close() error {
	errs := []error{l.look.Close()}
	for name, s := range l.open {
		if err := s.Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// operation finds an operation of a peer.
func (l *lab) operation(p *Peer, op Operation) (Func, bool) {
	if op == ReadRouted && l.target.RoutedConfig == nil {
		return Func{}, false // nothing to route to
	}
	if op == ReadParallel {
		op = Read
	}
	if (op == Atomic) != (l.target.Beside != nil) {
		return Func{}, false
	}
	f, ok := l.open[p.Name].Funcs[op]
	return f, ok
}

// checkAll checks the work of all peers. Each must do what the first one does,
// which is hand-written.
func (l *lab) checkAll(ctx context.Context, ops []Operation) error {
	var errs []error
	for _, op := range ops {
		if op.place() != l.place {
			continue
		}
		for _, p := range l.peers {
			if f, ok := l.operation(p, op); ok {
				if err := l.target.check(ctx, l.look, op, f); err != nil {
					errs = append(errs, fmt.Errorf("%s %s %s: %w", l.target.Database, p.Name, op, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// version is what the database calls itself.
func (l *lab) version(ctx context.Context) string {
	if l.target.null != nil {
		return "in memory"
	}
	query := "SELECT version()"
	if l.target.Dialect == "sqlite" {
		query = "SELECT 'SQLite ' || sqlite_version()"
	}
	var v string
	if err := l.look.QueryRowContext(ctx, query).Scan(&v); err != nil {
		return err.Error()
	}
	return v
}
