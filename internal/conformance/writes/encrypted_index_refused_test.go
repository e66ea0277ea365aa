package writes

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestBlindIndex_WhatItCannotDoIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	type note struct {
		ID       string
		MemberID string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := insuredOf(t, fl)
		fl.Create(t, `CREATE TABLE notes (id {text} PRIMARY KEY, member_id {text} NOT NULL)`)
		noted := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		a := insured{ID: "a", Name: "a", Email: mail(plain)}
		require.NoError(t, m.Create(ctx, &a))
		email := dbfleet.Field(m, func(m *insured) *dbfleet.Encrypted[string] { return &m.Email })
		var mu sync.Mutex
		sent := 0
		fl.DB("main").OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			mu.Lock()
			defer mu.Unlock()
			sent++
			return ctx
		})
		ignore := func(_ any, err error) error { return err }
		row := func(column string, v any) dbfleet.Row { return dbfleet.Row{"id": "x", "name": "x", column: v} }
		for name, run := range map[string]func() error{
			"less":        func() error { return ignore(m.Where("email", "<", plain).Get(ctx)) },
			"like":        func() error { return ignore(m.Where("email", "LIKE", plain).Get(ctx)) },
			"is":          func() error { return ignore(m.Where("email", "IS", plain).Get(ctx)) },
			"between":     func() error { return ignore(m.Query().WhereBetween("email", "a", "b").Get(ctx)) },
			"starts with": func() error { return ignore(m.Filter(email.StartsWith("a")).Get(ctx)) },
			"columns":     func() error { return ignore(m.Query().WhereColumn("email", "=", "name").Get(ctx)) },
			"a subquery":  func() error { return ignore(m.Where("email", "IN", m.Select("name")).Get(ctx)) },
			"what a subquery selects": func() error {
				return ignore(m.Query().WhereIn("name", m.Select("email")).Get(ctx))
			},
			"what a union in a subquery selects": func() error {
				return ignore(m.Query().WhereIn("name", m.Select("name").Union(m.Select("email"))).Get(ctx))
			},
			"one value of a subquery": func() error {
				return ignore(m.Where("name", "=", m.Select("email").Limit(1)).Get(ctx))
			},
			"an expression": func() error { return ignore(m.Where("email", "=", dbfleet.Raw("name")).Get(ctx)) },
			"order":         func() error { return ignore(m.OrderBy("email", dbfleet.Asc).Get(ctx)) },
			"group":         func() error { return ignore(m.Select("email").GroupBy("email").Get(ctx)) },
			"having":        func() error { return ignore(m.Select("name").GroupBy("name").Having("email", "=", plain).Get(ctx)) },
			"a joined table's": func() error {
				return ignore(noted.Query().Join("members", "members.id", "=", "notes.member_id").Where("members.email", "=", plain).Get(ctx))
			},
			"the index":        func() error { return ignore(m.Where("email_index", "=", plain).Get(ctx)) },
			"the index, bytes": func() error { return ignore(m.WhereIn("email_index", [][]byte{[]byte(plain)}).Get(ctx)) },
			"save the index":   func() error { return m.SaveColumns(ctx, &a, "email_index") },
			"update the index": func() error { return ignore(m.Where("id", "=", "a").Update(ctx, dbfleet.Row{"email_index": nil})) },
			"update":           func() error { return ignore(m.Where("id", "=", "a").Update(ctx, dbfleet.Row{"email": plain})) },
			"insert":           func() error { return ignore(m.Query().Insert(ctx, row("email", plain))) },
			"insert the index": func() error { return ignore(m.Query().Insert(ctx, row("email_index", []byte(plain)))) },
			"the second row's": func() error {
				return ignore(m.Query().Insert(ctx, row("email", nil), dbfleet.Row{"id": "y", "name": "y", "email": nil, "email_index": []byte(plain)}))
			},
			"upsert of a row": func() error {
				return m.Query().Upsert(ctx, row("email", nil), dbfleet.Conflict{Key: []string{"email"}})
			},
			"insert of a query": func() error {
				return ignore(dbfleet.InsertFrom(ctx, m, []string{"id", "name", "email_index"}, m.Select("id", "name", "name")))
			},
			"a key not unique":    func() error { return m.Upsert(ctx, &a, dbfleet.Conflict{Key: []string{"email"}}) },
			"the index as a key":  func() error { return m.Upsert(ctx, &a, dbfleet.Conflict{Key: []string{"email_index"}}) },
			"the index is taken":  func() error { return m.Upsert(ctx, &a, dbfleet.Conflict{Update: []string{"email_index"}}) },
			"increment the index": func() error { return ignore(m.Where("id", "=", "a").Increment(ctx, "email_index", 1)) },
			"first by the index":  func() error { return ignore(m.FirstOrCreate(ctx, &a, "email_index")) },
			"update by the index": func() error { return ignore(m.UpdateOrCreate(ctx, &a, "email_index")) },
		} {
			mu.Lock()
			sent = 0
			mu.Unlock()
			err := run()
			require.ErrorIs(t, err, dbfleet.ErrEncrypted, name)
			require.NotContains(t, err.Error(), plain, name)
			require.Zero(t, sent, name)
		}
		for name, run := range map[string]func() error{
			"of another type": func() error { return ignore(m.Where("email", "=", 7).Get(ctx)) },
			"in a list":       func() error { return ignore(m.WhereIn("email", []any{"a", 7}).Get(ctx)) },
			"text for a pin":  func() error { return ignore(m.Where("pin", "=", "7").Get(ctx)) },
		} {
			require.ErrorIs(t, run(), dbfleet.ErrType, name)
		}
		for _, column := range []string{"email", "email_index"} {
			err := ignore(m.With(dbfleet.HasMany(m, m, dbfleet.On(column, column), func(*insured) *[]insured { return nil })).Get(ctx))
			require.ErrorContains(t, err, "blind index")
		}
		got, err := m.Find(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, a, got)
	})
}

func TestBlindIndex_FaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	type odd struct {
		ID    string
		Name  string
		Float dbfleet.Encrypted[float64]
		Pin   dbfleet.Encrypted[int]
		Text  dbfleet.Encrypted[string]
	}
	key := []dbfleet.Secret{indexKey("a")}
	fold := func(s string) string { return s }
	for said, index := range map[string]dbfleet.BlindIndex{
		"needs a Column":          {Of: "text", Keys: key},
		"no column":               {Column: "i", Of: "none", Keys: key},
		"is not encrypted":        {Column: "i", Of: "name", Keys: key},
		"is a field":              {Column: "name", Of: "text", Keys: key},
		"only texts":              {Column: "i", Of: "float", Keys: key},
		"a Normalize":             {Column: "i", Of: "pin", Keys: key, Normalize: fold},
		"has no key":              {Column: "i", Of: "text"},
		"rotate by a second":      {Column: "i", Of: "text", Keys: []dbfleet.Secret{indexKey("a"), indexKey("b")}, Unique: true},
		"not of 32 bytes":         {Column: "i", Of: "text", Keys: []dbfleet.Secret{"short"}},
		"is zero":                 {Column: "i", Of: "text", Keys: []dbfleet.Secret{dbfleet.Secret(make([]byte, 32))}},
		"has a key twice":         {Column: "i", Of: "text", Keys: []dbfleet.Secret{indexKey("a"), indexKey("a")}},
		"has a key of the cipher": {Column: "i", Of: "text", Keys: []dbfleet.Secret{cipherKey("a").Key}},
	} {
		_, err := dbfleet.NewModel[odd](fl.Registry, dbfleet.ModelConfig{Table: "odd", Encryption: dbfleet.Encryption{Cipher: aes(t, "a"), Indexes: []dbfleet.BlindIndex{index}}})
		require.ErrorContains(t, err, said)
		require.NotContains(t, err.Error(), "short")
	}
	good := dbfleet.BlindIndex{Column: "i", Of: "text", Keys: key}
	_, err := dbfleet.NewModel[odd](fl.Registry, dbfleet.ModelConfig{Table: "odd", Encryption: dbfleet.Encryption{Cipher: aes(t, "a"), Indexes: []dbfleet.BlindIndex{good, good}}})
	require.ErrorContains(t, err, "twice")
	panics := good
	panics.Normalize = func(s string) string { panic(s) }
	m, err := dbfleet.NewModel[odd](fl.Registry, dbfleet.ModelConfig{Table: "odd", Encryption: dbfleet.Encryption{Cipher: aes(t, "a"), Indexes: []dbfleet.BlindIndex{panics}}})
	require.NoError(t, err)
	for _, err := range []error{func() error { _, err := m.Where("text", "=", plain).Get(t.Context()); return err }(), m.Create(t.Context(), &odd{ID: "a", Text: mail(plain)})} {
		require.ErrorContains(t, err, "Normalize panicked")
		require.NotContains(t, err.Error(), plain)
	}
}

// A column's own cipher seals it, and the model's the others.
func TestEncrypted_AColumnMayHaveACipherOfItsOwn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, patientsTable)
		model := func(e dbfleet.Encryption) *dbfleet.Model[patient] {
			return conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: e})
		}
		own := map[string]dbfleet.Cipher{"notes": aes(t, "b")}
		m := model(dbfleet.Encryption{Cipher: aes(t, "a"), Ciphers: own})
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		got, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
		_, err = model(dbfleet.Encryption{Cipher: aes(t, "a")}).Find(ctx, "Ann")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, "notes")
		both := model(dbfleet.Encryption{Ciphers: map[string]dbfleet.Cipher{"notes": aes(t, "b"), "ssn": aes(t, "a")}})
		got, err = both.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
		for _, e := range []dbfleet.Encryption{
			{Ciphers: own}, {Cipher: aes(t, "a"), Ciphers: map[string]dbfleet.Cipher{"name": aes(t, "b")}}, {Cipher: aes(t, "a"), Ciphers: map[string]dbfleet.Cipher{"ssn": nil}},
		} {
			_, err := dbfleet.NewModel[patient](fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: e})
			require.ErrorContains(t, err, "ipher")
		}
	})
}

func TestBlindIndex_CheckTellsWhatTheTableLacks(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		pin := map[string]string{"mysql": ", pin_index BINARY(64)"}[fl.Database.Dialect] // which would be padded
		fl.Create(t, `CREATE TABLE members (id {text} PRIMARY KEY, name {text} NOT NULL, email {bytes}, pin {bytes}, email_index {bytes}`+pin+`)`)
		config := memberConfig(t, "a")
		config.Encryption.Indexes[0].Unique = true
		conformance.Model[insured](t, fl.Registry, config)
		findings, err := fl.Registry.Check(ctx)
		require.NoError(t, err)
		told := ""
		for _, f := range findings {
			told += f.String() + "\n"
		}
		require.Contains(t, told, "no unique index is on \"email_index\" alone, which is the Unique blind index")
		if pin == "" {
			require.Contains(t, told, "no such column for the blind index")
		} else {
			require.Contains(t, told, "a blind index has 32 bytes")
		}
	})
}
