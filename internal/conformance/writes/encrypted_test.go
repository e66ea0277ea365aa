package writes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type patient struct {
	ID     string
	Name   string
	SSN    dbfleet.Encrypted[string] `db:"ssn"`
	Notes  dbfleet.Encrypted[notes]
	Visits int
}

type notes struct {
	Text string
	Tags []string
}

const patientsTable = `CREATE TABLE patients (id {text} PRIMARY KEY, name {text} NOT NULL, ssn {bytes}, notes {bytes}, visits {bigint} NOT NULL)`

// plain is what no statement, error or event may show.
const plain = "078-05-1120"

func cipherKey(id string) dbfleet.CipherKey {
	return dbfleet.CipherKey{ID: id, Key: dbfleet.Secret(bytes.Repeat([]byte(id[:1]), 32))}
}

func aes(t *testing.T, current string, older ...string) dbfleet.Cipher {
	t.Helper()
	var old []dbfleet.CipherKey
	for _, id := range older {
		old = append(old, cipherKey(id))
	}
	c, err := dbfleet.NewAESCipher(cipherKey(current), old...)
	require.NoError(t, err)
	return c
}

// watched fails the test when a statement or error of the connection shows the plaintext.
func watched(t *testing.T, fl conformance.Fleet) *dbfleet.DB {
	t.Helper()
	db := fl.DB("main")
	db.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		shown := fmt.Sprintf("%v %+v %s %v", e, e, e.SQL, e.Err)
		for _, a := range e.Args {
			switch a := a.(type) {
			case []byte:
				shown += string(a)
			default:
				shown += fmt.Sprint(a)
			}
		}
		if strings.Contains(shown, plain) {
			t.Errorf("the plaintext is shown by %s", e.SQL)
		}
	})
	return db
}

func patients(t *testing.T, fl conformance.Fleet) *dbfleet.Model[patient] {
	t.Helper()
	fl.Create(t, patientsTable)
	watched(t, fl)
	return conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{
		Table: "patients", Fillable: []string{"id", "name", "ssn"}, Encryption: dbfleet.Encryption{Cipher: aes(t, "a")},
	})
}

func ann() patient {
	return patient{ID: "Ann", Name: "Ann", SSN: dbfleet.EncryptedOf(plain), Notes: dbfleet.EncryptedOf(notes{"ill " + plain, []string{"a"}})}
}

// raw is what a row really has in a column.
func raw(t *testing.T, fl conformance.Fleet, id, column string) []byte {
	t.Helper()
	row, err := fl.DB("main").Table("patients").Where("id", "=", id).First(t.Context())
	require.NoError(t, err)
	if row[column] == nil {
		return nil
	}
	return row[column].([]byte)
}

func TestEncrypted_EveryWriteOfRecordsSealsAndEveryReadOfThemOpens(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		reads := func(want patient) {
			t.Helper()
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
			for _, column := range []string{"ssn", "notes"} {
				require.NotContains(t, string(raw(t, fl, want.ID, column)), plain)
			}
		}
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		reads(a)
		require.NotEmpty(t, raw(t, fl, "Ann", "ssn"))
		first := raw(t, fl, "Ann", "ssn")

		a.SSN = dbfleet.EncryptedOf(plain + "b")
		require.NoError(t, m.Save(ctx, &a))
		reads(a)
		a.SSN = dbfleet.Encrypted[string]{}
		require.NoError(t, m.SaveColumns(ctx, &a, "ssn"))
		reads(a)
		require.Nil(t, raw(t, fl, "Ann", "ssn"), "NULL stays NULL")
		a.SSN = dbfleet.EncryptedOf("")
		require.NoError(t, m.SaveColumns(ctx, &a, "ssn"))
		reads(a)
		a.SSN = dbfleet.EncryptedOf("\xff\x00 no text")
		require.NoError(t, m.SaveMany(ctx, []patient{a}))
		reads(a)

		many := make([]patient, 70)
		for i := range many {
			many[i] = ann()
			many[i].ID = fmt.Sprintf("many %d", i)
		}
		require.NoError(t, m.CreateMany(ctx, many))
		for i := range many {
			many[i].SSN = dbfleet.EncryptedOf(fmt.Sprint(plain, " ", i))
		}
		require.NoError(t, m.SaveMany(ctx, many))
		list, err := m.Where("id", "LIKE", "many%").Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 70)
		for _, p := range list {
			require.Equal(t, strings.TrimPrefix(p.ID, "many "), strings.TrimPrefix(p.SSN.V, plain+" "))
		}
		n := 0
		for p, err := range m.Where("id", "LIKE", "many%").Iter(ctx) {
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(p.SSN.V, plain))
			n++
		}
		require.Equal(t, 70, n)

		b := ann()
		b.ID = "Bob"
		created, err := m.UpdateOrCreate(ctx, &b, "id")
		require.NoError(t, err)
		require.True(t, created)
		b.SSN.V += "!"
		created, err = m.UpdateOrCreate(ctx, &b, "id")
		require.NoError(t, err)
		require.False(t, created)
		reads(b)
		c := patient{ID: "Cem", Name: "Cem", SSN: b.SSN} // a value of another record is sealed anew
		created, err = dbfleet.CreateIgnore(ctx, m, &c)
		require.NoError(t, err)
		require.True(t, created)
		reads(c)
		d := patient{ID: "Cem"}
		_, err = m.FirstOrCreate(ctx, &d, "id")
		require.NoError(t, err)
		require.Equal(t, b.SSN, d.SSN)
		require.NoError(t, m.Refresh(ctx, &d))
		require.Equal(t, c, d)
		loaded, err := m.Load(ctx, func(yield func(patient) bool) {
			p := ann()
			p.ID = "Load"
			yield(p)
		})
		require.NoError(t, err)
		require.EqualValues(t, 1, loaded)
		e := ann()
		e.ID = "Load"
		reads(e)
		var f patient
		require.NoError(t, m.Fill(&f, map[string]any{"id": "Fay", "ssn": plain}))
		require.NoError(t, m.Create(ctx, &f))
		reads(f)

		one, err := m.Select("id", "ssn").Where("id", "=", "Bob").First(ctx)
		require.NoError(t, err)
		require.Equal(t, b.SSN, one.SSN)
		null, err := m.Query().WhereNull("ssn").Count(ctx)
		require.NoError(t, err)
		require.Zero(t, null)
		cleared, err := m.Where("id", "=", "Bob").Update(ctx, dbfleet.Row{"ssn": nil})
		require.NoError(t, err)
		require.EqualValues(t, 1, cleared)
		null, err = m.Filter(dbfleet.Field(m, func(p *patient) *dbfleet.Encrypted[string] { return &p.SSN }).IsNull()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, null)
		require.NotEqual(t, first, raw(t, fl, "Cem", "ssn"))
	})
}

func TestEncrypted_ACiphertextOpensInItsOwnRowAndColumnOnly(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a, b := ann(), ann()
		b.ID = "Bob"
		require.NoError(t, m.CreateMany(ctx, []patient{a, b}))
		own := fl.DB("main").Table("patients")
		set := func(id, column string, v any) {
			t.Helper()
			_, err := own.Where("id", "=", id).Update(ctx, dbfleet.Row{column: v})
			require.NoError(t, err)
		}
		mine, other := raw(t, fl, "Ann", "ssn"), raw(t, fl, "Bob", "ssn")
		cut := mine[:len(mine)-1]
		bit := bytes.Clone(mine)
		bit[len(bit)-1] ^= 1
		key := bytes.Clone(mine)
		key[2] = 'z'
		_, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		for name, forged := range map[string][]byte{
			"another row's": other, "another column's": raw(t, fl, "Ann", "notes"), "cut": cut, "changed": bit, "of an unknown key": key,
			"no ciphertext": []byte("078-05-9999"), "empty": {}, "only a header": mine[:3],
		} {
			set("Ann", "ssn", forged)
			_, err := m.Find(ctx, "Ann")
			require.ErrorIs(t, err, dbfleet.ErrSealed, name)
			require.NotContains(t, err.Error(), "078", name)
			for _, said := range []string{"patient", `"ssn"`, `id "Ann"`} {
				require.Contains(t, err.Error(), said, name)
			}
			_, err = m.Query().Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrSealed, name)
			for _, err := range m.Query().Iter(ctx) {
				if err != nil {
					require.ErrorIs(t, err, dbfleet.ErrSealed, name)
				}
			}
		}
		set("Ann", "ssn", mine)
		got, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
		set("Ann", "id", "Eve")
		_, err = m.Find(ctx, "Eve")
		require.ErrorIs(t, err, dbfleet.ErrSealed, "the key was changed behind the model's back")
	})
}

func TestEncrypted_OldKeysOpenAndTheCurrentOneSeals(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		old := patients(t, fl)
		a := ann()
		require.NoError(t, old.Create(ctx, &a))
		with := func(c dbfleet.Cipher) *dbfleet.Model[patient] {
			return conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: dbfleet.Encryption{Cipher: c}})
		}
		both, only := with(aes(t, "b", "a")), with(aes(t, "b"))
		_, err := only.Find(ctx, "Ann")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, `no key has the ID "a"`)
		got, err := both.Find(ctx, "Ann")
		require.NoError(t, err)
		require.NoError(t, both.Save(ctx, &got))
		got, err = only.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
		_, err = old.Find(ctx, "Ann")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		wrong, err := dbfleet.NewAESCipher(dbfleet.CipherKey{ID: "b", Key: dbfleet.Secret(strings.Repeat("x", 32))})
		require.NoError(t, err)
		_, err = with(wrong).Find(ctx, "Ann")
		require.ErrorIs(t, err, dbfleet.ErrSealed, "another key of the same ID")
	})
}

func TestEncrypted_ARenamedTableOpensByItsOldName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		fl.Create(t, "ALTER TABLE patients RENAME TO people")
		config := dbfleet.ModelConfig{Table: "people", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}}
		_, err := conformance.Model[patient](t, fl.Registry, config).Find(ctx, "Ann")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		config.Encryption.Table = "patients"
		got, err := conformance.Model[patient](t, fl.Registry, config).Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, a, got)
	})
}

func TestEncrypted_ASnapshotComparesPlaintexts(t *testing.T) {
	t.Parallel()
	type remembered struct {
		dbfleet.Snapshot
		ID   string
		Name string
		SSN  dbfleet.Encrypted[[]byte] `db:"ssn"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE remembered (id {text} PRIMARY KEY, name {text} NOT NULL, ssn {bytes})`)
		watched(t, fl)
		m := conformance.Model[remembered](t, fl.Registry, dbfleet.ModelConfig{Table: "remembered", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		require.NoError(t, m.Create(ctx, &remembered{ID: "x", SSN: dbfleet.EncryptedOf([]byte(plain))}))
		r, err := m.Find(ctx, "x")
		require.NoError(t, err)
		changed, err := dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Empty(t, changed, "though each ciphertext is another")
		r.SSN.V[0] = '1'
		changed, err = dbfleet.Changed(m, &r)
		require.NoError(t, err)
		require.Equal(t, []string{"ssn"}, changed)
		require.NoError(t, dbfleet.SaveChanges(ctx, m, &r))
		got, err := m.Find(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, "178-05-1120", string(got.SSN.V))
		require.NotContains(t, fmt.Sprintf("%v %+v", got, got), "178-05")
	})
}

func TestEncrypted_RelationsAndCallbacksHaveThePlaintext(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE wards (id {text} PRIMARY KEY)`,
			`CREATE TABLE inmates (id {text} PRIMARY KEY, ward_id {text} NOT NULL, ssn {bytes})`)
		watched(t, fl)
		wards := conformance.Model[ward](t, fl.Registry, dbfleet.ModelConfig{Table: "wards"})
		inmates := conformance.Model[inmate](t, fl.Registry, dbfleet.ModelConfig{Table: "inmates", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		require.NoError(t, wards.Create(ctx, &ward{ID: "w"}))
		i := inmate{ID: "i", WardID: "w", SSN: dbfleet.EncryptedOf(" " + plain)}
		require.NoError(t, inmates.Create(ctx, &i))
		require.Equal(t, plain, i.SSN.V, "as BeforeSave made it")
		of := dbfleet.HasMany(wards, inmates, dbfleet.On("ward_id"), func(w *ward) *[]inmate { return &w.Inmates })
		list, err := wards.With(of).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, plain, list[0].Inmates[0].SSN.V)
		require.Equal(t, plain, list[0].Inmates[0].seen)
		_, err = wards.Query().Join("inmates", "inmates.ward_id", "=", "wards.id").Where("inmates.ssn", "=", plain).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
		_, err = wards.Query().Join("inmates", "inmates.ward_id", "=", "wards.id").Where("ssn", "=", plain).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrEncrypted)
	})
}

type ward struct {
	ID      string
	Inmates []inmate
}

type inmate struct {
	ID, WardID string
	SSN        dbfleet.Encrypted[string] `db:"ssn"`
	seen       string
}

func (i *inmate) BeforeSave(context.Context) error {
	i.SSN.V = strings.TrimSpace(i.SSN.V)
	return nil
}

func (i *inmate) AfterFind(context.Context) error {
	i.seen = i.SSN.V
	return nil
}

func TestEncrypted_FaultsOfAModelAreToldAtOnce(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	type keyed struct {
		ID   dbfleet.Encrypted[string]
		At   time.Time
		Gone int
	}
	_, err := dbfleet.NewModel[keyed](fl.Registry, dbfleet.ModelConfig{Table: "x", Encryption: dbfleet.Encryption{BoundTo: []string{"at", "none"}}})
	for _, said := range []string{"cannot be a key", "no Cipher", `"none"`} {
		require.ErrorContains(t, err, said)
	}
	_, err = dbfleet.NewModel[patient](fl.Registry, dbfleet.ModelConfig{Table: "x"})
	require.ErrorContains(t, err, "no Cipher")
	_, err = dbfleet.NewModel[conformance.Account](fl.Registry, dbfleet.ModelConfig{Table: "x", Encryption: dbfleet.Encryption{BoundTo: []string{"id"}}})
	require.ErrorContains(t, err, "no field is an Encrypted")
	type pointed struct {
		ID  int64
		SSN *dbfleet.Encrypted[string]
	}
	_, err = dbfleet.NewModel[pointed](fl.Registry, dbfleet.ModelConfig{Table: "x"})
	require.ErrorContains(t, err, "no pointer")
	for _, k := range []dbfleet.CipherKey{{}, {ID: "a"}, {ID: "a", Key: "short"}, {ID: "a", Key: dbfleet.Secret(make([]byte, 32))}, {ID: strings.Repeat("a", 256), Key: cipherKey("a").Key}} {
		_, err := dbfleet.NewAESCipher(k)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "short")
	}
	_, err = dbfleet.NewAESCipher(cipherKey("a"), cipherKey("a"))
	require.ErrorContains(t, err, "two of this ID")
}

func TestEncrypted_NothingPrintsAValue(t *testing.T) {
	t.Parallel()
	p := ann()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(p), fmt.Sprintf("%+v %#v %s %q %x %d", p, p, p.SSN, p.SSN, p.SSN, p.SSN), string(text), fmt.Sprint(&p.SSN, p.SSN.LogValue())} {
		require.NotContains(t, shown, "078-05")
		require.NotContains(t, shown, fmt.Sprintf("%x", plain))
	}
	require.Contains(t, string(text), `"SSN":"[redacted]"`)
	var back patient
	require.Error(t, json.Unmarshal(text, &back), "what was printed is not the value")
	require.NoError(t, json.Unmarshal([]byte(`{"SSN": "078-05-1120", "Notes": null}`), &back))
	require.Equal(t, dbfleet.EncryptedOf(plain), back.SSN)
	err = json.Unmarshal([]byte(`{"Notes": "078-05-1120"}`), &back)
	require.Error(t, err)
	require.NotContains(t, err.Error(), plain)
	_, err = p.SSN.Value()
	require.ErrorIs(t, err, dbfleet.ErrEncrypted)
}

// brokenCipher fails, or gives nothing.
type brokenCipher struct{ err error }

func (c brokenCipher) Seal([]byte, []byte) ([]byte, error) { return nil, c.err }
func (c brokenCipher) Open([]byte, []byte) ([]byte, error) { return nil, c.err }

func TestEncrypted_ACipherThatFailsWritesNothing(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, patientsTable)
	away := errors.New("the vault is away")
	for _, err := range []error{away, nil} {
		m := conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: dbfleet.Encryption{Cipher: brokenCipher{err}}})
		a := ann()
		failed := m.Create(t.Context(), &a)
		require.ErrorIs(t, failed, dbfleet.ErrEncrypted)
		if err != nil {
			require.ErrorIs(t, failed, away)
		}
		n, err := m.Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	}
}
