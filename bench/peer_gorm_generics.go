package main

import (
	"context"

	"gorm.io/gorm"
)

// GORM's generic interface, gorm.G.

func openGORMGenerics(prepared bool) func(context.Context, *Target) (*Session, error) {
	return func(_ context.Context, t *Target) (*Session, error) {
		db, routed, closeThem, err := gormHandles(t, prepared)
		if err != nil {
			return nil, err
		}
		take := func(db *gorm.DB) Func {
			return repeat(func(ctx context.Context, i int) (Person, error) {
				return gorm.G[Person](db).Where("id = ?", key(i)).Take(ctx)
			})
		}
		rest := make([]any, len(writeColumns)-1)
		for i, c := range writeColumns[1:] {
			rest[i] = c
		}
		return &Session{
			Close: closeThem,
			Funcs: map[Operation]Func{
				Insert: repeat(func(ctx context.Context, i int) (Person, error) {
					p := newcomer(i)
					err := gorm.G[Person](db).Create(ctx, &p)
					return p, err
				}),
				InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
					list := newBatch()
					return list, gorm.G[Person](db).CreateInBatches(ctx, &list, batch)
				}),
				Update: repeat(func(ctx context.Context, i int) (Person, error) {
					p := changed(i)
					_, err := gorm.G[Person](db).Where("id = ?", p.ID).Select(writeColumns[0], rest...).Updates(ctx, p)
					return p, err
				}),
				Read:       take(db),
				ReadRouted: take(routed),
				ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
					return gorm.G[Person](db).Order("id").Limit(batch).Find(ctx)
				}),
				Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) { return gorm.G[Person](db).Find(ctx) }),
				Load: repeat(func(ctx context.Context, _ int) (int, error) {
					list := newLoad()
					return len(list), db.Transaction(func(tx *gorm.DB) error {
						return gorm.G[Person](tx).CreateInBatches(ctx, &list, chunk)
					})
				}),
				Eager: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
					return gorm.G[Parent](db).Preload("Children", nil).Order("id").Find(ctx)
				}),
				EagerTags: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
					return gorm.G[Parent](db).Preload("Tags", nil).Order("id").Find(ctx)
				}),
				EagerTop: repeat(func(ctx context.Context, _ int) ([]Parent, error) {
					top := func(q gorm.PreloadBuilder) error {
						q.Order("id DESC").LimitPerRecord(newest)
						return nil
					}
					return gorm.G[Parent](db).Preload("Children", top).Order("id").Find(ctx)
				}),
			},
		}, nil
	}
}
