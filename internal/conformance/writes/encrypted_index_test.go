package writes

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type insured struct {
	ID    string
	Name  string
	Email dbfleet.Encrypted[string]
	Pin   dbfleet.Encrypted[int64]
}

const membersTable = `CREATE TABLE members (id {text} PRIMARY KEY, name {text} NOT NULL, email {bytes}, pin {bytes}, email_index {bytes}, pin_index {bytes})`

func indexKey(id string) dbfleet.Secret {
	return dbfleet.Secret(bytes.Repeat([]byte("i"+id[:1]), 16))
}

func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func memberConfig(t *testing.T, keys ...string) dbfleet.ModelConfig {
	email := dbfleet.BlindIndex{Column: "email_index", Of: "email", Normalize: folded}
	for _, id := range keys {
		email.Keys = append(email.Keys, indexKey(id))
	}
	return dbfleet.ModelConfig{Table: "members", Encryption: dbfleet.Encryption{Cipher: aes(t, "a"), Indexes: []dbfleet.BlindIndex{
		email, {Column: "pin_index", Of: "pin", Keys: []dbfleet.Secret{indexKey("p")}},
	}}}
}

func insuredOf(t *testing.T, fl conformance.Fleet) *dbfleet.Model[insured] {
	t.Helper()
	fl.Create(t, membersTable)
	watched(t, fl)
	return conformance.Model[insured](t, fl.Registry, memberConfig(t, "a"))
}

func mail(s string) dbfleet.Encrypted[string] { return dbfleet.EncryptedOf(s) }

// idsOf are the keys of what a query finds, in order.
func idsOf(t *testing.T, q *dbfleet.Query[insured]) string {
	t.Helper()
	list, err := q.OrderBy("id", dbfleet.Asc).Get(t.Context())
	require.NoError(t, err)
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	return strings.Join(ids, " ")
}

func TestBlindIndex_FindsWhatEqualsAndNothingElse(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := insuredOf(t, fl)
		require.NoError(t, m.CreateMany(ctx, []insured{
			{ID: "a", Name: "a", Email: mail(" Ann@" + plain), Pin: dbfleet.EncryptedOf(int64(7))},
			{ID: "b", Name: "b", Email: mail("bob@" + plain), Pin: dbfleet.EncryptedOf(int64(-7))},
			{ID: "c", Name: "c", Email: mail("ANN@" + plain + "\n"), Pin: dbfleet.EncryptedOf(int64(7))},
			{ID: "d", Name: "d"},
			{ID: "e", Name: "e", Email: mail("")},
		}))
		ann, bob := "ann@"+plain, "BOB@"+plain
		email := dbfleet.Field(m, func(m *insured) *dbfleet.Encrypted[string] { return &m.Email })
		type text string
		for want, queries := range map[string][]*dbfleet.Query[insured]{
			"a c": {
				m.Where("email", "=", ann), m.Where("email", "=", mail(ann)), m.Where("members.email", "=", text(ann)), m.Where("email", "=", &ann),
				m.Query().As("x").Where("x.email", "=", ann), m.Filter(email.Eq(mail(ann))), m.WhereIn("email", []string{ann}),
				m.Where("pin", "=", 7), m.Where("pin", "=", uint8(7)), m.WhereIn("pin", []int64{7, 8}),
				m.Query().WhereNotNull("email").WhereNot(func(q *dbfleet.Query[insured]) *dbfleet.Query[insured] { return q.WhereIn("email", []string{bob, ""}) }),
			},
			"a b c":   {m.WhereIn("email", []dbfleet.Encrypted[string]{mail(ann), mail(bob)}), m.Where("email", "=", ann).OrWhere("email", "=", bob), m.Where("email", "<>", "")},
			"b e":     {m.Where("email", "<>", ann), m.Query().WhereNotIn("email", []string{ann}), m.Filter(email.NotEq(mail(ann)))},
			"d":       {m.Where("email", "=", nil), m.Where("email", "=", dbfleet.Encrypted[string]{}), m.Query().WhereNull("email")},
			"e":       {m.Where("email", "=", " "), m.Where("email", "=", "")},
			"d e":     {m.WhereIn("email", []any{"", nil})},
			"a b c e": {m.Query().WhereNotNull("email"), m.Where("email", "<>", nil)},
			"":        {m.Where("email", "=", "ann"), m.WhereIn("email", []string{}), m.Where("pin", "=", 8), m.Where("pin", "=", uint64(1<<63))},
		} {
			for i, q := range queries {
				require.Equal(t, want, idsOf(t, q), "%q, %d", want, i)
			}
		}
		n, err := m.Where("email", "=", ann).Update(ctx, dbfleet.Row{"name": "x"})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		count, err := m.Where("email", "=", ann).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, count)
		n, err = m.Where("email", "=", bob).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		row, err := fl.DB("main").Table("members").Where("id", "=", "a").First(ctx)
		require.NoError(t, err)
		require.Len(t, row["email_index"], 32)
		require.NotEqual(t, row["email_index"], row["pin_index"])
	})
}

// Every way to write a record, and what it leaves to be found.
func TestBlindIndex_IsWrittenByWhateverWritesTheValue(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := insuredOf(t, fl)
		finds := func(email, ids string) {
			t.Helper()
			require.Equal(t, ids, idsOf(t, m.Where("email", "=", email)))
		}
		a := insured{ID: "a", Name: "a", Email: mail("1")}
		require.NoError(t, m.Create(ctx, &a))
		finds("1", "a")
		a.Email = mail("2")
		require.NoError(t, m.Save(ctx, &a))
		finds("1", "")
		finds("2", "a")
		a.Email = mail("3")
		require.NoError(t, m.SaveColumns(ctx, &a, "email"))
		finds("3", "a")
		a.Email = mail("4")
		require.NoError(t, m.SaveColumns(ctx, &a, "name"))
		finds("3", "a")
		finds("4", "")
		require.NoError(t, m.SaveMany(ctx, []insured{a}))
		finds("4", "a")
		_, err := m.Where("id", "=", "a").Update(ctx, dbfleet.Row{"email": nil})
		require.NoError(t, err)
		finds("4", "")
		found, err := m.Find(ctx, "a")
		require.NoError(t, err)
		require.False(t, found.Email.Valid)
		_, err = m.Query().Insert(ctx, dbfleet.Row{"id": "b", "name": "b", "email": nil})
		require.NoError(t, err)
		b := insured{ID: "b", Name: "b", Email: mail("5")}
		created, err := m.UpdateOrCreate(ctx, &b, "id")
		require.NoError(t, err)
		require.False(t, created)
		finds("5", "b")
		require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"id": "b", "name": "b", "email": nil}))
		finds("5", "")
		require.Equal(t, "a b", idsOf(t, m.Query().WhereNull("email")))
		b.Email = mail("6")
		require.NoError(t, m.Save(ctx, &b))
		require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"id": "b", "name": "b", "email": nil}, dbfleet.Conflict{Update: []string{"email"}}))
		require.Equal(t, "a b", idsOf(t, m.Query().WhereNull("email")))
		c := insured{ID: "c", Name: "c", Email: mail("7")}
		_, err = dbfleet.CreateIgnore(ctx, m, &c)
		require.NoError(t, err)
		finds("7", "c")
		require.NoError(t, m.UpsertMany(ctx, []insured{c}, dbfleet.Conflict{DoNothing: true}))
		c.Email = mail("8")
		if fl.Database.Dialect != "mysql" { // where an upsert of the column is refused
			require.NoError(t, m.Upsert(ctx, &c, dbfleet.Conflict{Update: []string{"email"}}))
			finds("7", "")
			finds("8", "c")
		}
		n, err := m.Load(ctx, func(yield func(insured) bool) {
			for i := range 3 {
				if !yield(insured{ID: fmt.Sprint("l", i), Name: "l", Email: mail("l")}) {
					return
				}
			}
		})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		finds("L", "l0 l1 l2")
		part, err := m.Select("id", "email").Where("id", "=", "l0").First(ctx)
		require.NoError(t, err)
		part.Email = mail("9")
		require.NoError(t, m.SaveColumns(ctx, &part, "email"))
		finds("9", "l0")
		part, err = m.Select("id", "name").Where("id", "=", "l0").First(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, m.Save(ctx, &part), dbfleet.ErrUnread)
		finds("9", "l0")
		require.NoError(t, m.Refresh(ctx, &part))
		require.Equal(t, "9", part.Email.V)
	})
}

func TestBlindIndex_OfARecordThatRemembersItsRow(t *testing.T) {
	t.Parallel()
	type remembered struct {
		dbfleet.Snapshot
		ID    string
		Name  string
		Email dbfleet.Encrypted[string]
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, membersTable)
		config := memberConfig(t, "a")
		config.Encryption.Indexes = config.Encryption.Indexes[:1]
		m := conformance.Model[remembered](t, fl.Registry, config)
		require.NoError(t, m.Create(ctx, &remembered{ID: "a", Name: "a", Email: mail("1")}))
		r, err := m.Where("email", "=", "1").First(ctx)
		require.NoError(t, err)
		changed, err := dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Empty(t, changed)
		r.Email = mail("2")
		changed, err = dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Equal(t, []string{"email"}, changed)
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &r))
		r, err = m.Where("email", "=", "2").Select("id", "email", "name").First(ctx)
		require.NoError(t, err)
		r.Name = "b"
		require.NoError(t, m.Save(ctx, &r), "the index needs not be read")
		there, err := m.Where("email", "=", "2").Exists(ctx)
		require.NoError(t, err)
		require.True(t, there)
	})
}

func TestBlindIndex_DecidesWhatIsThere(t *testing.T) {
	t.Parallel()
	type person struct {
		ID    int64
		UID   [16]byte `db:"uid"`
		Name  string
		Email dbfleet.Encrypted[string]
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		watched(t, fl)
		config := dbfleet.ModelConfig{Table: "people", Encryption: dbfleet.Encryption{
			Cipher: aes(t, "a"), BoundTo: []string{"uid"},
			Indexes: []dbfleet.BlindIndex{{Column: "email_index", Of: "email", Keys: []dbfleet.Secret{indexKey("a")}, Normalize: folded, Unique: true}},
		}}
		m := conformance.Model[person](t, fl.Registry, config)
		require.NoError(t, dbfleet.CreateTable(ctx, m))
		p := person{UID: [16]byte{1}, Name: "Ann", Email: mail("Ann")}
		created, err := m.FirstOrCreate(ctx, &p, "email")
		require.NoError(t, err)
		require.True(t, created)
		again := person{UID: [16]byte{2}, Name: "other", Email: mail("ANN ")}
		created, err = m.FirstOrCreate(ctx, &again, "email")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, p, again)
		require.ErrorIs(t, m.Create(ctx, &person{UID: [16]byte{3}, Email: mail("ann")}), dbfleet.ErrUnique)
		_, err = m.FirstOrCreate(ctx, &person{UID: [16]byte{4}}, "email")
		require.ErrorContains(t, err, "NULL")

		next := person{UID: [16]byte{5}, Name: "next", Email: mail("aNN")}
		created, err = m.UpdateOrCreate(ctx, &next, "email")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, p.ID, next.ID)
		found, err := m.Where("email", "=", "ann").First(ctx)
		require.NoError(t, err)
		require.Equal(t, next, found)

		upserted := []person{{UID: [16]byte{6}, Name: "six", Email: mail("ann\t")}, {UID: [16]byte{7}, Name: "seven", Email: mail("bob")}}
		require.NoError(t, m.UpsertMany(ctx, upserted, dbfleet.Conflict{Key: []string{"email"}}))
		require.Equal(t, p.ID, upserted[0].ID)
		list, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, upserted, list)
		outcomes, err := dbfleet.UpsertOutcomes(ctx, m, []person{{UID: [16]byte{8}, Name: "x", Email: mail("BOB")}, {UID: [16]byte{9}, Name: "y", Email: mail("cem")}}, dbfleet.Conflict{Key: []string{"email"}})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Updated, dbfleet.Inserted}, outcomes)
		err = m.UpsertMany(ctx, []person{{UID: [16]byte{1}, Email: mail("dan")}, {UID: [16]byte{2}, Email: mail("DAN")}}, dbfleet.Conflict{Key: []string{"email"}})
		require.Error(t, err, "two records of one value")
		require.NotContains(t, strings.ToLower(err.Error()), "dan")

		var wait sync.WaitGroup
		made := make([]person, 4)
		errs := make([]error, len(made))
		for i := range made {
			made[i] = person{UID: [16]byte{20, byte(i)}, Name: "one", Email: mail("same")}
			wait.Go(func() { _, errs[i] = m.FirstOrCreate(ctx, &made[i], "email") })
		}
		wait.Wait()
		for i := range made {
			require.NoError(t, errs[i])
			require.Equal(t, made[0].ID, made[i].ID)
		}
		// What the library keeps together, others cannot part.
		_, err = fl.DB("main").Table("people").Where("id", "=", p.ID).Update(ctx, dbfleet.Row{"email_index": nil})
		require.ErrorIs(t, err, dbfleet.ErrCheck)
		findings, err := fl.Registry.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, findings)
	})
}

func TestBlindIndex_FindsUnderEachOfItsKeys(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		old := insuredOf(t, fl)
		both := conformance.Model[insured](t, fl.Registry, memberConfig(t, "b", "a"))
		only := conformance.Model[insured](t, fl.Registry, memberConfig(t, "b"))
		require.NoError(t, old.Create(ctx, &insured{ID: "a", Name: "a", Email: mail("x")}))
		require.NoError(t, both.Create(ctx, &insured{ID: "b", Name: "b", Email: mail("X")}))
		require.NoError(t, both.Create(ctx, &insured{ID: "c", Name: "c", Email: mail("y")}))
		require.NoError(t, both.Create(ctx, &insured{ID: "d", Name: "d"}))
		require.Equal(t, "a b", idsOf(t, both.Where("email", "=", "x")))
		require.Equal(t, "c", idsOf(t, both.Where("email", "<>", "x")))
		require.Equal(t, "a b c", idsOf(t, both.WhereIn("email", []string{"x", "y"})))
		require.Equal(t, "d", idsOf(t, both.Where("email", "=", nil)))
		r := insured{ID: "none", Name: "none", Email: mail("x")}
		created, err := both.FirstOrCreate(ctx, &r, "email")
		require.NoError(t, err)
		require.False(t, created, "it is there under the old key")
		// A row of a key that is not known is not read as if it could be found.
		_, err = only.Find(ctx, "a")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, "email_index")
		list, err := both.Get(ctx)
		require.NoError(t, err)
		require.NoError(t, both.SaveMany(ctx, list))
		require.Equal(t, "a b", idsOf(t, only.Where("email", "=", "x")))
	})
}

func TestBlindIndex_IsFilledBeforeItIsSearched(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, membersTable)
		model := func(change func(e *dbfleet.Encryption)) *dbfleet.Model[insured] {
			config := memberConfig(t, "a")
			change(&config.Encryption)
			return conformance.Model[insured](t, fl.Registry, config)
		}
		before := model(func(e *dbfleet.Encryption) { e.Indexes = nil })
		require.NoError(t, before.Create(ctx, &insured{ID: "a", Name: "a", Email: mail("x")}))
		searching := model(func(*dbfleet.Encryption) {})
		_, err := searching.Find(ctx, "a")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, "WriteOnly")
		filling := model(func(e *dbfleet.Encryption) { e.Indexes[0].WriteOnly, e.Indexes[1].WriteOnly = true, true })
		_, err = filling.Where("email", "=", "x").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		require.ErrorContains(t, err, "WriteOnly")
		_, err = filling.FirstOrCreate(ctx, &insured{ID: "b", Email: mail("x")}, "email")
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		list, err := filling.Get(ctx)
		require.NoError(t, err)
		require.NoError(t, filling.SaveMany(ctx, list))
		require.Equal(t, "a", idsOf(t, searching.Where("email", "=", "x")))

		// A second index takes the place of the first, as rotation of a unique one needs it.
		fl.Create(t, "ALTER TABLE members ADD email_index2 {bytes}")
		second := dbfleet.BlindIndex{Column: "email_index2", Of: "email", Keys: []dbfleet.Secret{indexKey("b")}, Normalize: folded, Unique: true, WriteOnly: true}
		with := func(firstOnly, secondOnly bool) *dbfleet.Model[insured] {
			return model(func(e *dbfleet.Encryption) {
				e.Indexes[0].WriteOnly, second.WriteOnly = firstOnly, secondOnly
				e.Indexes = append(e.Indexes, second)
			})
		}
		first, last := with(false, true), with(true, false)
		list, err = first.Where("email", "=", "x").Get(ctx)
		require.NoError(t, err)
		require.NoError(t, first.SaveMany(ctx, list))
		require.Equal(t, "a", idsOf(t, last.Where("email", "=", "x")))
		require.NoError(t, last.Create(ctx, &insured{ID: "c", Name: "c", Email: mail("z")}))
		require.Equal(t, "c", idsOf(t, first.Where("email", "=", "z")))
	})
}

// An index that was copied to another row finds a row, whose value tells that it is not the one.
func TestBlindIndex_ThatIsNotTheValuesIsTold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := insuredOf(t, fl)
		require.NoError(t, m.CreateMany(ctx, []insured{{ID: "a", Name: "a", Email: mail(plain)}, {ID: "b", Name: "b", Email: mail("bob")}, {ID: "c", Name: "c"}}))
		own := fl.DB("main").Table("members")
		row, err := own.Where("id", "=", "a").First(ctx)
		require.NoError(t, err)
		for _, id := range []string{"b", "c"} {
			_, err = own.Where("id", "=", id).Update(ctx, dbfleet.Row{"email_index": row["email_index"]})
			require.NoError(t, err)
			_, err = m.Where("email", "=", plain).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrSealed)
			require.NotContains(t, err.Error(), plain)
			for _, said := range []string{"insured", `"email_index"`} {
				require.ErrorContains(t, err, said)
			}
			_, err = own.Where("id", "=", id).Delete(ctx)
			require.NoError(t, err)
		}
		_, err = own.Where("id", "=", "a").Update(ctx, dbfleet.Row{"email_index": nil})
		require.NoError(t, err)
		_, err = m.Find(ctx, "a")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, "NULL")
	})
}
