package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"xorm.io/builder"
	"xorm.io/xorm"
	"xorm.io/xorm/core"
)

// XORM: its insert of many gives no keys back, and related rows are for its
// user to load.

func openXORM(_ context.Context, t *Target) (*Session, error) {
	pools, err := t.OpenSeveral(4)
	if err != nil {
		return nil, err
	}
	engines := make([]*xorm.Engine, len(pools))
	for i, pool := range pools {
		if engines[i], err = xormEngine(t, pool); err != nil {
			return nil, errors.Join(err, closeAll(pools))
		}
	}
	db := engines[0]
	routed, err := xorm.NewEngineGroup(engines[1], engines[2:])
	if err != nil {
		return nil, errors.Join(err, closeAll(pools))
	}
	read := func(db xorm.EngineInterface) Func {
		return repeat(func(ctx context.Context, i int) (Person, error) {
			var p Person
			found, err := db.Context(ctx).ID(key(i)).Get(&p)
			if err == nil && !found {
				err = sql.ErrNoRows
			}
			return p, err
		})
	}
	build := map[string]func() *builder.Builder{"sqlite": builder.SQLite, "postgres": builder.Postgres, "mysql": builder.MySQL}[t.Dialect]
	return &Session{
		Close: func() error { return closeAll(pools) },
		Funcs: map[Operation]Func{
			Insert: repeat(func(ctx context.Context, i int) (Person, error) {
				p := newcomer(i)
				_, err := db.Context(ctx).Insert(&p)
				return p, err
			}),
			InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := newBatch()
				_, err := db.Context(ctx).Insert(&list)
				return list, err
			}),
			Update: repeat(func(ctx context.Context, i int) (Person, error) {
				p := changed(i)
				_, err := db.Context(ctx).ID(p.ID).AllCols().Update(&p)
				return p, err
			}),
			Read:       read(db),
			ReadRouted: read(routed),
			ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := make([]Person, 0, batch)
				err := db.Context(ctx).OrderBy("id").Limit(batch).Find(&list)
				return list, err
			}),
			Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				var list []Person
				err := db.Context(ctx).Find(&list)
				return list, err
			}),
			Load: repeat(func(ctx context.Context, _ int) (int, error) {
				session := db.NewSession().Context(ctx)
				defer func() { _ = session.Close() }() // rolls back if not committed
				if err := session.Begin(); err != nil {
					return 0, err
				}
				all := newLoad()
				for list := range slices.Chunk(all, chunk) {
					if _, err := session.Insert(&list); err != nil {
						return 0, err
					}
				}
				return len(all), session.Commit()
			}),
			Eager: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
				var list []Parent
				if err := db.Context(ctx).OrderBy("id").Find(&list); err != nil {
					return nil, err
				}
				ids := make([]int64, len(list))
				at := make(map[int64]int, len(list))
				for i := range list {
					ids[i], at[list[i].ID] = list[i].ID, i
				}
				var all []Child
				if err := db.Context(ctx).In("parent_id", ids).Find(&all); err != nil {
					return nil, err
				}
				for _, c := range all {
					p := &list[at[c.ParentID]]
					p.Children = append(p.Children, c)
				}
				return list, nil
			}),
			Build: repeat(func(context.Context, int) (Statement, error) {
				query, args, err := build().Select(personColumns...).From("people").
					Where(builder.Eq{"active": buildActive}.And(builder.Gt{"age": buildAge}, builder.Lt{"balance": buildBalance}, builder.In("id", buildList))).
					OrderBy("id").Limit(buildLimit).ToSQL()
				return Statement{query, args}, err
			}),
		},
	}, nil
}

func xormEngine(t *Target, pool *sql.DB) (*xorm.Engine, error) {
	// The text of the source is only read for the database's name.
	driverName, source := "sqlite", "bench.db"
	switch t.Dialect {
	case "postgres":
		driverName, source = "pgx", "postgres://bench@localhost/bench"
	case "mysql":
		driverName, source = "mysql", "bench@tcp(localhost)/bench"
	}
	engine, err := xorm.NewEngineWithDB(driverName, source, core.FromDB(pool))
	if err != nil {
		return nil, err
	}
	engine.SetTZLocation(time.UTC)
	engine.SetTZDatabase(time.UTC)
	return engine, nil
}
