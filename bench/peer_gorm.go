package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"
)

// GORM as its page on performance advises: without the transaction around each
// write, and with the size of a bulk insert's statements given. It is opened on
// the same pools as everybody.

func gormDialector(t *Target, pool *sql.DB) gorm.Dialector {
	switch t.Dialect {
	case "postgres":
		return postgres.New(postgres.Config{Conn: pool})
	case "mysql":
		return mysql.New(mysql.Config{Conn: pool})
	}
	return sqlite.New(sqlite.Config{Conn: pool})
}

// gormHandles opens GORM twice: plain, and with reads routed to two replicas.
func gormHandles(t *Target, prepared bool) (plain, routed *gorm.DB, closeThem func() error, err error) {
	pools, err := t.OpenSeveral(4)
	if err != nil {
		return nil, nil, nil, err
	}
	config := func() *gorm.Config {
		return &gorm.Config{
			SkipDefaultTransaction: true, PrepareStmt: prepared, CreateBatchSize: chunk,
			Logger: logger.Discard, NowFunc: func() time.Time { return time.Now().UTC() },
		}
	}
	plain, err = gorm.Open(gormDialector(t, pools[0]), config())
	if err != nil {
		return nil, nil, nil, errors.Join(err, closeAll(pools))
	}
	routed, err = gorm.Open(gormDialector(t, pools[1]), config())
	if err == nil {
		err = routed.Use(dbresolver.Register(dbresolver.Config{
			Replicas: []gorm.Dialector{gormDialector(t, pools[2]), gormDialector(t, pools[3])},
			Policy:   dbresolver.RandomPolicy{},
		}))
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, closeAll(pools))
	}
	return plain, routed, func() error { return closeAll(pools) }, nil
}

func openGORM(prepared bool) func(context.Context, *Target) (*Session, error) {
	return func(_ context.Context, t *Target) (*Session, error) {
		db, routed, closeThem, err := gormHandles(t, prepared)
		if err != nil {
			return nil, err
		}
		take := func(db *gorm.DB) Func {
			return repeat(func(ctx context.Context, i int) (Person, error) {
				var p Person
				err := db.WithContext(ctx).Take(&p, key(i)).Error
				return p, err
			})
		}
		return &Session{
			Close: closeThem,
			Funcs: map[Operation]Func{
				Insert: repeat(func(ctx context.Context, i int) (Person, error) {
					p := newcomer(i)
					err := db.WithContext(ctx).Create(&p).Error
					return p, err
				}),
				InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
					list := newBatch()
					return list, db.WithContext(ctx).Create(&list).Error
				}),
				Update: repeat(func(ctx context.Context, i int) (Person, error) {
					p := changed(i)
					return p, db.WithContext(ctx).Save(&p).Error
				}),
				Read:       take(db),
				ReadRouted: take(routed),
				ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
					list := make([]Person, 0, batch)
					return list, db.WithContext(ctx).Order("id").Limit(batch).Find(&list).Error
				}),
				Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) {
					var list []Person
					err := db.WithContext(ctx).Find(&list).Error
					return list, err
				}),
				Load: repeat(func(ctx context.Context, _ int) (int64, error) {
					list := newLoad()
					var n int64
					err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
						res := tx.CreateInBatches(&list, chunk)
						n = res.RowsAffected
						return res.Error
					})
					return n, err
				}),
				Eager: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
					var list []Parent
					err := db.WithContext(ctx).Preload("Children").Order("id").Find(&list).Error
					return list, err
				}),
				EagerTags: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
					var list []Parent
					err := db.WithContext(ctx).Preload("Tags").Order("id").Find(&list).Error
					return list, err
				}),
				Build: repeat(func(ctx context.Context, _ int) (Statement, error) {
					var list []Person
					stmt := db.Session(&gorm.Session{DryRun: true, Context: ctx}).
						Where("active = ?", buildActive).Where("age > ?", buildAge).Where("balance < ?", buildBalance).
						Where("id IN ?", buildList).Order("id").Limit(buildLimit).Find(&list).Statement
					return Statement{stmt.SQL.String(), stmt.Vars}, stmt.Error
				}),
			},
		}, nil
	}
}
