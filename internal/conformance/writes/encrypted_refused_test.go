package writes

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestEncrypted_WhatWouldNeedThePlaintextIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		ssn := dbfleet.Field(m, func(p *patient) *dbfleet.Encrypted[string] { return &p.SSN })
		var mu sync.Mutex
		sent := 0
		fl.DB("main").OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			mu.Lock()
			defer mu.Unlock()
			sent++
			return ctx
		})
		type other struct{ SSN dbfleet.Encrypted[string] }
		ignore := func(_ any, err error) error { return err }
		for name, run := range map[string]func() error{
			"equal":          func() error { return ignore(m.Where("ssn", "=", plain).Get(ctx)) },
			"of the type":    func() error { return ignore(m.Where("ssn", "=", dbfleet.EncryptedOf(plain)).Get(ctx)) },
			"a field":        func() error { return ignore(m.Filter(ssn.Eq(dbfleet.EncryptedOf(plain))).Get(ctx)) },
			"with its table": func() error { return ignore(m.Where("patients.ssn", "=", plain).Get(ctx)) },
			"in":             func() error { return ignore(m.WhereIn("ssn", []string{plain}).Get(ctx)) },
			"like":           func() error { return ignore(m.Where("ssn", "LIKE", plain+"%").Get(ctx)) },
			"between":        func() error { return ignore(m.Query().WhereBetween("ssn", "a", "b").Get(ctx)) },
			"columns":        func() error { return ignore(m.Query().WhereColumn("ssn", "=", "name").Get(ctx)) },
			"columns, right": func() error { return ignore(m.Query().WhereColumn("name", "=", "ssn").Get(ctx)) },
			"order":          func() error { return ignore(m.OrderBy("ssn", dbfleet.Asc).Get(ctx)) },
			"typed order":    func() error { return ignore(m.Query().OrderWith(ssn.Desc()).Get(ctx)) },
			"group":          func() error { return ignore(m.Select("ssn").GroupBy("ssn").Get(ctx)) },
			"aggregate":      func() error { return ignore(dbfleet.Max[string](ctx, m.Query(), "ssn")) },
			"an expression":  func() error { return ignore(m.Query().SelectValue(dbfleet.MaxOf(ssn), "name").Get(ctx)) },
			"an alias":       func() error { return ignore(m.Query().As("p").Where("p.ssn", "=", plain).Get(ctx)) },
			"raw argument":   func() error { return ignore(m.Query().WhereRaw("name = ?", dbfleet.EncryptedOf(plain)).Get(ctx)) },
			"update":         func() error { return ignore(m.Where("id", "=", "Ann").Update(ctx, dbfleet.Row{"ssn": plain})) },
			"update, typed": func() error {
				return ignore(m.Where("id", "=", "Ann").Update(ctx, dbfleet.Row{"ssn": dbfleet.EncryptedOf(plain)}))
			},
			"update by SQL": func() error {
				return ignore(m.Where("id", "=", "Ann").Update(ctx, dbfleet.Row{"ssn": dbfleet.Raw("name")}))
			},
			"update its key": func() error { return ignore(m.Where("id", "=", "Ann").Update(ctx, dbfleet.Row{"id": "Eve"})) },
			"increment":      func() error { return ignore(m.Where("id", "=", "Ann").Increment(ctx, "ssn", 1)) },
			"insert": func() error {
				return ignore(m.Query().Insert(ctx, dbfleet.Row{"id": "x", "name": "x", "ssn": plain, "visits": 1}))
			},
			"insert, typed": func() error {
				return ignore(m.Query().Insert(ctx, dbfleet.Row{"id": "x", "name": "x", "ssn": dbfleet.EncryptedOf(plain), "visits": 1}))
			},
			"upsert of a row": func() error {
				return m.Query().Upsert(ctx, dbfleet.Row{"id": "Ann", "name": "x", "ssn": plain, "visits": 1})
			},
			"insert of a query": func() error {
				return ignore(dbfleet.InsertFrom(ctx, m, []string{"id", "name", "visits", "ssn"}, m.Select("id", "name", "visits", "name")))
			},
			"a key of a lookup": func() error { return ignore(m.UpdateOrCreate(ctx, ptrTo(ann()), "ssn")) },
			"another table": func() error {
				return ignore(fl.DB("main").Table("other").Insert(ctx, dbfleet.Row{"x": dbfleet.EncryptedOf(plain)}))
			},
		} {
			mu.Lock()
			sent = 0
			mu.Unlock()
			err := run()
			require.ErrorIs(t, err, dbfleet.ErrEncrypted, name)
			require.NotContains(t, err.Error(), plain, name)
			require.Zero(t, sent, name)
		}
		// Reads that cannot be opened. Those of the first list are refused before, the others
		// when a row comes.
		for name, run := range map[string]func() error{
			"pluck":           func() error { return ignore(dbfleet.Pluck[dbfleet.Encrypted[string]](ctx, m.Query(), "ssn")) },
			"pluck of bytes":  func() error { return ignore(m.Query().Pluck(ctx, "ssn")) },
			"without its key": func() error { return ignore(m.Select("ssn").Get(ctx)) },
			"first of it":     func() error { return ignore(m.Select("ssn").First(ctx)) },
			"a delete's":      func() error { return ignore(dbfleet.DeleteReturning(ctx, m.Where("id", "=", "Ann").Select("ssn"))) },
			"a relation": func() error {
				return ignore(m.With(dbfleet.HasMany(m, m, dbfleet.On("ssn"), func(*patient) *[]patient { return nil })).Get(ctx))
			},
		} {
			mu.Lock()
			sent = 0
			mu.Unlock()
			err := run()
			if name != "a relation" {
				require.ErrorIs(t, err, dbfleet.ErrEncrypted, name)
			}
			require.ErrorContains(t, err, "ssn", name)
			require.Zero(t, sent, name)
		}
		for name, run := range map[string]func() error{
			"another struct": func() error { return ignore(dbfleet.Into[other](m.Select("ssn")).Get(ctx)) },
			"another table":  func() error { return ignore(dbfleet.Table[patient](fl.DB("main"), "patients").Get(ctx)) },
		} {
			require.ErrorIs(t, run(), dbfleet.ErrEncrypted, name)
		}
		mark := map[string]string{"sqlite": "?", "mysql": "?", "postgres": "$1"}[fl.Database.Dialect]
		_, err := fl.DB("main").ExecContext(ctx, "UPDATE patients SET name = "+mark, dbfleet.EncryptedOf(plain))
		require.Error(t, err)
		require.NotContains(t, err.Error(), plain)
		got, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, ann(), got, "nothing was written")
	})
}

func ptrTo[V any](v V) *V { return &v }
