package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet"
)

func openDBFleet(ctx context.Context, t *Target) (*Session, error) {
	people, registry, err := dbfleetModel(t.Config)
	if err != nil {
		return nil, err
	}
	registries := []*dbfleet.Registry{registry}
	s := &Session{
		Close: func() error {
			var errs []error
			for _, r := range registries {
				errs = append(errs, r.Close())
			}
			return errors.Join(errs...)
		},
	}
	parents, err := dbfleet.NewModel[Parent](registry, dbfleet.ModelConfig{Table: "parents"})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	children, err := dbfleet.NewModel[Child](registry, dbfleet.ModelConfig{Table: "children"})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	hooked, withHook, err := dbfleetModel(t.Config)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	registries = append(registries, withHook)
	withHook.OnQuery(dbfleet.QueryHook{After: func(_ context.Context, e dbfleet.QueryEvent) { rows.Add(e.Rows) }})
	childrenOf := dbfleet.HasMany(parents, children, dbfleet.On("parent_id"), func(p *Parent) *[]Child { return &p.Children })
	hundred := people.OrderBy("id", dbfleet.Asc).Limit(batch)
	families := parents.OrderBy("id", dbfleet.Asc).With(childrenOf)

	s.Funcs = map[Operation]Func{
		Insert: repeat(func(ctx context.Context, i int) (Person, error) {
			p := newcomer(i)
			err := people.Create(ctx, &p)
			return p, err
		}),
		InsertMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
			list := newBatch()
			return list, people.CreateMany(ctx, list)
		}),
		Load: repeat(func(ctx context.Context, _ int) (int64, error) { return loadDBFleet(ctx, people, newcomers) }),
		Update: repeat(func(ctx context.Context, i int) (Person, error) {
			p := changed(i)
			err := people.Save(ctx, &p)
			return p, err
		}),
		Read:     repeat(func(ctx context.Context, i int) (Person, error) { return people.Find(ctx, key(i)) }),
		ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) { return hundred.Get(ctx) }),
		Scan:     repeat(func(ctx context.Context, _ int) ([]Person, error) { return people.Get(ctx) }),
		Eager:    repeat(func(ctx context.Context, _ int) ([]Parent, error) { return families.Get(ctx) }),
		Build: repeat(func(ctx context.Context, _ int) (Statement, error) {
			text, args, err := people.Where("active", "=", buildActive).Where("age", ">", buildAge).Where("balance", "<", buildBalance).
				WhereIn("id", buildList).OrderBy("id", dbfleet.Asc).Limit(buildLimit).SQL(ctx)
			return Statement{text, args}, err
		}),
	}
	related, err := relationsOf(registry, parents, childrenOf)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	maps.Copy(s.Funcs, related)
	s.Funcs[Tx4] = repeat(func(ctx context.Context, i int) (p Person, err error) {
		err = hooked.Query().Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			for range 2 {
				if p, err = hooked.Find(ctx, key(i)); err != nil {
					return err
				}
				p.Balance = float64(changes.Add(1)) + 0.5
				if err := hooked.Save(ctx, &p); err != nil {
					return err
				}
			}
			return nil
		})
		return p, err
	})
	if t.private {
		if err := t.createTables(ctx, withHook.DB("main").Pool(), updates); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if t.Beside != nil {
		both, registry, err := openAtomic(t)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		registries = append(registries, registry)
		s.Funcs[Atomic] = both
	}
	if t.RoutedConfig != nil {
		routed, registry, err := dbfleetModel(*t.RoutedConfig)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		registries = append(registries, registry)
		s.Funcs[ReadRouted] = repeat(func(ctx context.Context, i int) (Person, error) { return routed.Find(ctx, key(i)) })
	}
	return s, nil
}

// rows is what the query hook counts.
var rows atomic.Int64

func dbfleetModel(config dbfleet.ConnectionConfig) (*dbfleet.Model[Person], *dbfleet.Registry, error) {
	config.Pool.MaxOpen = poolSize
	registry, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	if err != nil {
		return nil, nil, err
	}
	model, err := dbfleet.NewModel[Person](registry, dbfleet.ModelConfig{Table: "people"})
	if err != nil {
		return model, nil, errors.Join(err, registry.Close())
	}
	return model, registry, nil
}

// loadDBFleet stores many new records by the library's bulk path.
func loadDBFleet(ctx context.Context, people *dbfleet.Model[Person], records []Person) (int64, error) {
	return people.Load(ctx, slices.Values(records))
}
