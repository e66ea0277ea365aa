package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/stephenafamo/bob"
	"github.com/stephenafamo/scan"
)

// bob: its query builder with its mapper. Related rows and models come with the
// code that it generates from a live database, which is not part of this.

// bobQueries are the statements, which each of bob's dialects has a package for.
type bobQueries struct {
	all    func() bob.Query
	first  func(n int64) bob.Query
	byID   func(id int64) bob.Query
	insert func(list []Person, keys bool) bob.Query
	update func(p *Person) bob.Query
	build  func() bob.Query
}

type bobSession struct {
	db                bob.DB
	q                 bobQueries
	person            scan.Mapper[Person]
	numbered, firstID bool
}

func openBob(_ context.Context, t *Target) (*Session, error) {
	pool, err := t.Open()
	if err != nil {
		return nil, err
	}
	s := &bobSession{
		db: bob.NewDB(pool), person: scan.StructMapper[Person](),
		q:        map[string]bobQueries{"sqlite": bobSQLite, "postgres": bobPostgres, "mysql": bobMySQL}[t.Dialect],
		numbered: t.Dialect == "postgres", firstID: t.Dialect == "mysql",
	}
	return &Session{
		Close: pool.Close,
		Funcs: map[Operation]Func{
			Insert: repeat(func(ctx context.Context, i int) (Person, error) {
				list := []Person{newcomer(i)}
				err := s.insert(ctx, list)
				return list[0], err
			}),
			InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := newBatch()
				return list, s.insert(ctx, list)
			}),
			Update: repeat(func(ctx context.Context, i int) (Person, error) {
				p := changed(i)
				_, err := bob.Exec(ctx, s.db, s.q.update(&p))
				return p, err
			}),
			Read: repeat(func(ctx context.Context, i int) (Person, error) {
				return bob.One(ctx, s.db, s.q.byID(key(i)), s.person)
			}),
			ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				return bob.All(ctx, s.db, s.q.first(batch), s.person)
			}),
			Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				return bob.All(ctx, s.db, s.q.all(), s.person)
			}),
			Load: repeat(s.load),
			Build: repeat(func(ctx context.Context, _ int) (Statement, error) {
				query, args, err := bob.Build(ctx, s.q.build())
				return Statement{query, args}, err
			}),
		},
	}, nil
}

func (s *bobSession) insert(ctx context.Context, list []Person) error {
	if s.numbered {
		ids, err := bob.All(ctx, s.db, s.q.insert(list, true), scan.SingleColumnMapper[int64])
		if err == nil && len(ids) != len(list) {
			err = errors.New("bob: another number of keys")
		}
		for i := range ids {
			list[i].ID = ids[i]
		}
		return err
	}
	res, err := bob.Exec(ctx, s.db, s.q.insert(list, false))
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if !s.firstID {
		id -= int64(len(list)) - 1
	}
	for i := range list {
		list[i].ID = id + int64(i)
	}
	return err
}

func (s *bobSession) load(ctx context.Context, _ int) (int, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }() // ErrTxDone after Commit
	for i := 0; i < len(newcomers); i += chunk {
		if _, err := bob.Exec(ctx, tx, s.q.insert(newcomers[i:i+chunk], false)); err != nil {
			return 0, err
		}
	}
	return len(newcomers), tx.Commit(ctx)
}

// bobList are the numbers of the operation Build as bob takes them.
func bobList() []any {
	ids := make([]any, len(buildList))
	for i, id := range buildList {
		ids[i] = id
	}
	return ids
}

// bobColumns are the columns of a SELECT.
var bobColumns = func() []any {
	list := make([]any, len(personColumns))
	for i, c := range personColumns {
		list[i] = c
	}
	return list
}()
