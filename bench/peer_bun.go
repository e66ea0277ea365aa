package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
)

// Bun prints values into its SQL by itself, on every database.

func bunDialect(t *Target) schema.Dialect {
	switch t.Dialect {
	case "postgres":
		return pgdialect.New()
	case "mysql":
		return mysqldialect.New()
	}
	return sqlitedialect.New()
}

// bunReplicas sends SELECTs to the replicas in turn. Bun has the interface and
// leaves the choice to its user.
type bunReplicas struct {
	pools []*sql.DB
	turn  atomic.Uint64
}

func (r *bunReplicas) ResolveConn(_ context.Context, query bun.Query) bun.IConn {
	if query.Operation() != "SELECT" {
		return nil
	}
	return r.pools[r.turn.Add(1)%uint64(len(r.pools))]
}

func (r *bunReplicas) Close() error { return nil }

func openBun(_ context.Context, t *Target) (*Session, error) {
	pools, err := t.OpenSeveral(4)
	if err != nil {
		return nil, err
	}
	db := bun.NewDB(pools[0], bunDialect(t))
	db.RegisterModel((*ParentTag)(nil))
	routed := bun.NewDB(pools[1], bunDialect(t), bun.WithConnResolver(&bunReplicas{pools: pools[2:]}))
	read := func(db *bun.DB) Func {
		return repeat(func(ctx context.Context, i int) (Person, error) {
			var p Person
			err := db.NewSelect().Model(&p).Where("id = ?", key(i)).Scan(ctx)
			return p, err
		})
	}
	return &Session{
		Close: func() error { return errors.Join(db.Close(), routed.Close(), closeAll(pools)) },
		Funcs: map[Operation]Func{
			Insert: repeat(func(ctx context.Context, i int) (Person, error) {
				p := newcomer(i)
				_, err := db.NewInsert().Model(&p).Exec(ctx)
				return p, err
			}),
			InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := newBatch()
				_, err := db.NewInsert().Model(&list).Exec(ctx)
				return list, err
			}),
			Update: repeat(func(ctx context.Context, i int) (Person, error) {
				p := changed(i)
				_, err := db.NewUpdate().Model(&p).WherePK().Exec(ctx)
				return p, err
			}),
			Read:       read(db),
			ReadRouted: read(routed),
			ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := make([]Person, 0, batch)
				err := db.NewSelect().Model(&list).Order("id").Limit(batch).Scan(ctx)
				return list, err
			}),
			Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				var list []Person
				err := db.NewSelect().Model(&list).Scan(ctx)
				return list, err
			}),
			Load: repeat(func(ctx context.Context, _ int) (int, error) {
				all := newLoad()
				return len(all), db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					for list := range slices.Chunk(all, chunk) {
						if _, err := tx.NewInsert().Model(&list).Returning("NULL").Exec(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			}),
			Eager: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
				var list []Parent
				err := db.NewSelect().Model(&list).Relation("Children").Order("id").Scan(ctx)
				return list, err
			}),
			EagerTags: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
				var list []Parent
				err := db.NewSelect().Model(&list).Relation("Tags").Order("id").Scan(ctx)
				return list, err
			}),
			Build: repeat(func(context.Context, int) (Statement, error) {
				text, err := db.NewSelect().Model((*Person)(nil)).
					Where("active = ?", buildActive).Where("age > ?", buildAge).Where("balance < ?", buildBalance).
					Where("id IN (?)", bun.List(buildList)).Order("id").Limit(int64(buildLimit)).AppendQuery(db.QueryGen(), nil)
				return Statement{SQL: string(text)}, err
			}),
		},
	}, nil
}
