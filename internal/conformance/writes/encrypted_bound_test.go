package writes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type client struct {
	ID    int64
	UID   [16]byte `db:"uid"`
	Email string
	Card  dbfleet.Encrypted[string]
}

const clientsTable = `CREATE TABLE clients (id {id}, uid {uuid} NOT NULL UNIQUE, email {text} NOT NULL UNIQUE, card {bytes})`

func TestEncrypted_AKeyThatTheDatabaseMakesIsNothingToBeBoundTo(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, clientsTable)
		watched(t, fl)
		byKey := conformance.Model[client](t, fl.Registry, dbfleet.ModelConfig{Table: "clients", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		c := client{UID: [16]byte{1}, Email: "a", Card: dbfleet.EncryptedOf(plain)}
		err := byKey.Create(ctx, &c)
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		require.ErrorContains(t, err, "BoundTo")
		require.NotContains(t, err.Error(), plain)
		require.ErrorIs(t, byKey.CreateMany(ctx, []client{c}), dbfleet.ErrEncrypted)
		require.ErrorIs(t, byKey.Upsert(ctx, &c), dbfleet.ErrEncrypted)
		n, err := byKey.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "nothing was written")
		require.NoError(t, byKey.Create(ctx, &client{UID: [16]byte{9}, Email: "null"}), "NULL needs no key")
		c.ID = 77
		require.NoError(t, byKey.Create(ctx, &c), "a key of the program's")
		got, err := byKey.Find(ctx, 77)
		require.NoError(t, err)
		require.Equal(t, plain, got.Card.V)
	})
}

func TestEncrypted_BoundToAColumnBesideTheKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, clientsTable)
		watched(t, fl)
		m := conformance.Model[client](t, fl.Registry, dbfleet.ModelConfig{
			Table: "clients", Encryption: dbfleet.Encryption{Cipher: aes(t, "a"), BoundTo: []string{"uid"}},
		})
		c := client{UID: [16]byte{1}, Email: "a", Card: dbfleet.EncryptedOf(plain)}
		require.NoError(t, m.Create(ctx, &c))
		require.NotZero(t, c.ID)
		reads := func() {
			t.Helper()
			got, err := m.Find(ctx, c.ID)
			require.NoError(t, err)
			require.Equal(t, c.Card, got.Card)
			require.Equal(t, c.UID, got.UID)
		}
		reads()
		// Whatever writes the value writes what it is bound to, and the other way round.
		c.UID, c.Card.V = [16]byte{2}, plain+"2"
		require.NoError(t, m.SaveColumns(ctx, &c, "card"))
		reads()
		c.UID = [16]byte{3}
		err := m.SaveColumns(ctx, &c, "uid")
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		require.ErrorContains(t, err, "card")
		require.NoError(t, m.SaveColumns(ctx, &c, "uid", "card"))
		reads()
		c.UID = [16]byte{4}
		require.NoError(t, m.Save(ctx, &c))
		reads()
		_, err = m.Where("id", "=", c.ID).Update(ctx, dbfleet.Row{"uid": [16]byte{5}})
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		reads()
		// An upsert by another column writes both.
		again := client{UID: [16]byte{6}, Email: "a", Card: dbfleet.EncryptedOf(plain + "6")}
		require.NoError(t, m.Upsert(ctx, &again, dbfleet.Conflict{Key: []string{"email"}}))
		require.Equal(t, c.ID, again.ID)
		c = again
		reads()
		err = m.Upsert(ctx, &again, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"card"}})
		require.ErrorIs(t, err, dbfleet.ErrEncrypted, "the row would keep its uid")
		reads()
		again.Card.V = plain + "7"
		err = m.Upsert(ctx, &again, dbfleet.Conflict{Key: []string{"uid"}})
		if fl.Database.Dialect == "mysql" { // which may find the row by its email
			require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		} else {
			require.NoError(t, err)
			c = again
		}
		reads()
		// A part of the record that did not read it does not erase it.
		part, err := m.Select("id", "uid", "email").Where("id", "=", c.ID).First(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, m.Save(ctx, &part), dbfleet.ErrUnread)
		reads()
		part, err = m.Select("id", "email", "card").Where("id", "=", c.ID).First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
	})
}

// A text that is equal to the database, and not to Go.
func TestEncrypted_ATextByWhichTheRowIsFoundIsTheRowsAfterwards(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		a.ID, a.SSN.V = "ANN", plain+"2"
		err := m.Save(ctx, &a)
		if fl.Database.Dialect == "mysql" {
			require.NoError(t, err)
			a.ID = "aNN"
			require.NoError(t, m.SaveColumns(ctx, &a, "ssn"))
			a.ID = "anN"
			require.NoError(t, m.SaveMany(ctx, []patient{a}))
		} else {
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
		}
		list, err := m.Query().Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
	})
}

func TestEncrypted_AnUpsertThatFindsByTheKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		a.SSN.V = plain + "2"
		err := m.UpsertMany(ctx, []patient{a})
		if fl.Database.Dialect == "mysql" {
			require.ErrorIs(t, err, dbfleet.ErrEncrypted)
			require.ErrorContains(t, err, "UpdateOrCreate")
			require.NoError(t, m.UpsertMany(ctx, []patient{a}, dbfleet.Conflict{Update: []string{"name"}}))
			require.NoError(t, m.UpsertMany(ctx, []patient{a}, dbfleet.Conflict{DoNothing: true}))
			a.SSN.V = plain
		} else {
			require.NoError(t, err)
		}
		got, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
	})
}
