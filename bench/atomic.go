package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Atomic over PostgreSQL, which decides, and MariaDB.

// atomicByHand is the protocol of package twophase written on database/sql, its good case
// only: nothing looks whether a participant wrote, nobody would find what a crash leaves.
type atomicByHand struct {
	postgres, mariadb    *sql.DB
	update, updateIn     string
	decide, finish, mark string
}

const handLedger = "hand_ledger"

func openAtomicByHand(ctx context.Context, t *Target) (*atomicByHand, error) {
	a := &atomicByHand{update: t.bind(updatePerson), updateIn: updatePerson}
	pools, err := t.OpenSeveral(1)
	if err != nil {
		return nil, err
	}
	a.postgres = pools[0]
	// One trip a statement, without a prepared one: as few as the protocol has.
	if a.mariadb, err = sql.Open("mysql", t.Beside.DSN+"&interpolateParams=true"); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.mariadb.SetMaxOpenConns(poolSize)
	a.mariadb.SetMaxIdleConns(poolSize)
	of := func(text string) string { return strings.ReplaceAll(text, dialect.LedgerTable, handLedger) }
	pg, my := dialect.LedgerOf(dialect.Postgres), dialect.LedgerOf(dialect.MySQL)
	a.decide, a.finish, a.mark = of(pg.Decide), of(pg.Finish), of(my.Mark)
	_, err = a.postgres.ExecContext(ctx, of(pg.Create))
	if err == nil {
		_, err = a.mariadb.ExecContext(ctx, of(my.Create))
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *atomicByHand) close() error {
	err := a.postgres.Close()
	if a.mariadb != nil {
		err = errors.Join(err, a.mariadb.Close())
	}
	return err
}

func (a *atomicByHand) run(ctx context.Context, i int) (p Person, err error) {
	id := rand.Text()
	xid := "'" + id + "','1',1"
	tx, err := a.postgres.BeginTx(ctx, nil)
	if err != nil {
		return p, err
	}
	defer tx.Rollback()
	c, err := a.mariadb.Conn(ctx)
	if err != nil {
		return p, err
	}
	defer c.Close()
	send := func(text string) error { _, err := c.ExecContext(ctx, text); return err }
	if err := send("XA START " + xid); err != nil {
		return p, err
	}

	p = changed(i)
	if err := updateByHand(ctx, tx, a.update, &p); err != nil {
		return p, err
	}
	if err := updateByHand(ctx, c, a.updateIn, &p); err != nil {
		return p, err
	}

	made := time.Now().UnixMilli()
	err = atOnce(
		func() error {
			_, err := tx.ExecContext(ctx, a.decide, id, `[{"n":1,"connection":"mariadb"}]`, made)
			return err
		},
		func() error { _, err := c.ExecContext(ctx, a.mark, id, 1, made); return err },
	)
	if err != nil {
		return p, err
	}
	if err := send("XA END " + xid); err != nil {
		return p, err
	}
	if err := send("XA PREPARE " + xid); err != nil {
		return p, err
	}
	if err := tx.Commit(); err != nil {
		return p, err
	}
	if err := send("XA COMMIT " + xid); err != nil {
		return p, err
	}
	_, err = a.postgres.ExecContext(ctx, a.finish, "commit", id)
	return p, err
}

// atOnce calls both at the same time.
func atOnce(f, g func() error) error {
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { err = f() })
	other := g()
	wg.Wait()
	return errors.Join(err, other)
}

// openAtomic is the same with dbfleet.
func openAtomic(t *Target) (Func, *dbfleet.Registry, error) {
	main, beside := t.Config, t.Beside.Config
	main.Pool.MaxOpen, beside.Pool.MaxOpen = poolSize, poolSize
	registry, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": main, "mariadb": beside}})
	if err != nil {
		return Func{}, nil, err
	}
	model := func(connection string) *dbfleet.Model[Person] {
		m, modelErr := dbfleet.NewModel[Person](registry, dbfleet.ModelConfig{Table: "people", Connection: connection})
		err = errors.Join(err, modelErr)
		return m
	}
	here, there := model("main"), model("mariadb")
	if err != nil {
		return Func{}, nil, errors.Join(fmt.Errorf("models: %w", err), registry.Close())
	}
	return repeat(func(ctx context.Context, i int) (Person, error) {
		p := changed(i)
		err := registry.Atomic(ctx, []string{"main", "mariadb"}, func(ctx context.Context) error {
			if err := here.Save(ctx, &p); err != nil {
				return err
			}
			return there.Save(ctx, &p)
		})
		return p, err
	}), registry, nil
}
