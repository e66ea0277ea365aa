package writes

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// ownUUID is a type as the libraries of UUIDs have it.
type ownUUID [16]byte

func (u ownUUID) Value() (driver.Value, error) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *ownUUID) Scan(v any) error {
	text, ok := v.(string)
	if b, bytes := v.([]byte); bytes {
		text, ok = string(b), true
	}
	if !ok {
		return fmt.Errorf("a %T", v)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	copy(u[:], b)
	return err
}

// The forms that databases give keys make no difference to what is bound to them.
func TestEncrypted_IsBoundToKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	type texts struct {
		ID  string
		SSN dbfleet.Encrypted[string] `db:"ssn"`
	}
	type bytes16 struct {
		ID  [16]byte
		SSN dbfleet.Encrypted[string] `db:"ssn"`
	}
	type own struct {
		ID  ownUUID
		SSN dbfleet.Encrypted[string] `db:"ssn"`
	}
	type pair struct {
		Shop int32
		Name string
		SSN  dbfleet.Encrypted[string] `db:"ssn"`
	}
	type unsigned struct {
		ID  uint64
		SSN dbfleet.Encrypted[string] `db:"ssn"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE texts (id {uuid} PRIMARY KEY, ssn {bytes})`, `CREATE TABLE bytes16 (id {uuid} PRIMARY KEY, ssn {bytes})`, `CREATE TABLE own (id {uuid} PRIMARY KEY, ssn {bytes})`,
			`CREATE TABLE chars (id CHAR(20) PRIMARY KEY, ssn {bytes})`, `CREATE TABLE pair (shop {int}, name {text}, ssn {bytes}, PRIMARY KEY (shop, name))`,
			`CREATE TABLE uints (id {bigint} PRIMARY KEY, ssn {bytes})`)
		config := func(table string) dbfleet.ModelConfig {
			return dbfleet.ModelConfig{Table: table, Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}}
		}
		id := [16]byte{0xab, 15: 1}
		kept(t, conformance.Model[texts](t, fl.Registry, config("texts")), texts{ID: "AB000000-0000-0000-0000-000000000001", SSN: dbfleet.EncryptedOf(plain)}, func(r *texts) *dbfleet.Encrypted[string] { return &r.SSN })
		kept(t, conformance.Model[bytes16](t, fl.Registry, config("bytes16")), bytes16{ID: id, SSN: dbfleet.EncryptedOf(plain)}, func(r *bytes16) *dbfleet.Encrypted[string] { return &r.SSN })
		kept(t, conformance.Model[own](t, fl.Registry, config("own")), own{ID: id, SSN: dbfleet.EncryptedOf(plain)}, func(r *own) *dbfleet.Encrypted[string] { return &r.SSN })
		kept(t, conformance.Model[texts](t, fl.Registry, config("chars")), texts{ID: "x", SSN: dbfleet.EncryptedOf(plain)}, func(r *texts) *dbfleet.Encrypted[string] { return &r.SSN })
		kept(t, conformance.Model[unsigned](t, fl.Registry, config("uints")), unsigned{ID: 7, SSN: dbfleet.EncryptedOf(plain)}, func(r *unsigned) *dbfleet.Encrypted[string] { return &r.SSN })
		pairs := config("pair")
		pairs.PrimaryKey = []string{"shop", "name"}
		m := conformance.Model[pair](t, fl.Registry, pairs)
		kept(t, m, pair{Shop: 1, Name: "1,x", SSN: dbfleet.EncryptedOf(plain)}, func(r *pair) *dbfleet.Encrypted[string] { return &r.SSN })
		// Where one value ends and the next begins is told.
		other := pair{Shop: 11, Name: ",x", SSN: dbfleet.EncryptedOf("other")}
		require.NoError(t, m.Create(ctx, &other))
		rows, err := fl.DB("main").Table("pair").OrderBy("shop", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		_, err = fl.DB("main").Table("pair").Where("shop", "=", 11).Update(ctx, dbfleet.Row{"ssn": rows[0]["ssn"]})
		require.NoError(t, err)
		_, err = m.Find(ctx, 11, ",x")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorContains(t, err, `shop "11", name ",x"`)
	})
}

// kept writes a record in each way by its key, and reads it.
func kept[T any](t *testing.T, m *dbfleet.Model[T], r T, of func(*T) *dbfleet.Encrypted[string]) {
	t.Helper()
	ctx := t.Context()
	check := func() {
		t.Helper()
		list, err := m.Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, of(&r).V, of(&list[0]).V)
	}
	require.NoError(t, m.Create(ctx, &r))
	check()
	of(&r).V += "1"
	require.NoError(t, m.Save(ctx, &r))
	check()
	of(&r).V += "2"
	require.NoError(t, m.SaveColumns(ctx, &r, "ssn"))
	check()
	of(&r).V += "3"
	require.NoError(t, m.SaveMany(ctx, []T{r}))
	check()
	of(&r).V += "4"
	if err := m.Upsert(ctx, &r); !errors.Is(err, dbfleet.ErrEncrypted) {
		require.NoError(t, err)
		check()
	}
}

// A ciphertext is no text: a column of texts takes it as it is, or not at all.
func TestEncrypted_AColumnOfTextsLosesNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, strings.ReplaceAll(patientsTable, "{bytes}", "{long}"))
		m := conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		for i := range 20 {
			a := ann()
			a.ID = fmt.Sprint(i)
			if m.Create(ctx, &a) == nil {
				got, err := m.Find(ctx, a.ID)
				require.NoError(t, err)
				require.Equal(t, a, got)
			}
		}
		findings, err := fl.Check(ctx)
		require.NoError(t, err)
		if fl.Database.Dialect != "sqlite" {
			require.Contains(t, fmt.Sprint(findings), "it does not hold the bytes of a ciphertext")
		}
	})
}

func TestEncrypted_CreateTableMakesAColumnForIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := conformance.Model[patient](t, fl.Registry, dbfleet.ModelConfig{Table: "patients", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		require.NoError(t, dbfleet.CreateTable(ctx, m))
		for _, p := range []patient{ann(), {ID: "null"}} {
			require.NoError(t, m.Create(ctx, &p))
			got, err := m.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, got)
		}
		findings, err := fl.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, findings)
	})
}

func TestEncrypted_AnUndoneWriteLeavesTheRecordAsItWas(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		a := ann()
		require.NoError(t, m.Create(ctx, &a))
		undone := errors.New("undone")
		err := fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			a.SSN.V = "changed"
			require.NoError(t, m.Save(ctx, &a))
			inside, err := m.Find(ctx, "Ann")
			require.NoError(t, err)
			require.Equal(t, "changed", inside.SSN.V)
			return undone
		})
		require.ErrorIs(t, err, undone)
		got, err := m.Find(ctx, "Ann")
		require.NoError(t, err)
		require.Equal(t, ann(), got)
	})
}

func TestEncrypted_ManyAtOnceSealAndOpen(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := patients(t, fl)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 10 {
					a := ann()
					a.ID = fmt.Sprint(w, " ", i)
					a.SSN.V += a.ID
					if err := m.Create(ctx, &a); err != nil {
						t.Error(err)
						return
					}
					got, err := m.Find(ctx, a.ID)
					if err != nil || got.SSN != a.SSN {
						t.Error(err, a.ID)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestEncrypted_OfEveryTypeOfValue(t *testing.T) {
	t.Parallel()
	type every struct {
		ID     string
		Text   dbfleet.Encrypted[string]
		Bytes  dbfleet.Encrypted[[]byte]
		Whole  dbfleet.Encrypted[int64]
		Float  dbfleet.Encrypted[float64]
		Truth  dbfleet.Encrypted[bool]
		At     dbfleet.Encrypted[time.Time]
		Maybe  dbfleet.Encrypted[*int]
		Things dbfleet.Encrypted[map[string][]int]
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := conformance.Model[every](t, fl.Registry, dbfleet.ModelConfig{Table: "every", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		require.NoError(t, dbfleet.CreateTable(ctx, m))
		e := every{
			ID: "x", Text: dbfleet.EncryptedOf("\x00\xff"), Bytes: dbfleet.EncryptedOf([]byte{}), Whole: dbfleet.EncryptedOf[int64](1<<63 - 1), Float: dbfleet.EncryptedOf(0.1),
			Truth: dbfleet.EncryptedOf(false), At: dbfleet.EncryptedOf(time.Date(2024, 2, 3, 4, 5, 6, 7, time.UTC)), Maybe: dbfleet.EncryptedOf[*int](nil), Things: dbfleet.EncryptedOf(map[string][]int{"a": {1}}),
		}
		require.NoError(t, m.Create(ctx, &e))
		got, err := m.Find(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, e, got)
		// Of another type it does not open, and is not shown.
		type texts struct {
			ID    string
			Whole dbfleet.Encrypted[string]
			Text  dbfleet.Encrypted[int]
		}
		other := conformance.Model[texts](t, fl.Registry, dbfleet.ModelConfig{Table: "every", Encryption: dbfleet.Encryption{Cipher: aes(t, "a")}})
		_, err = other.Find(ctx, "x")
		require.ErrorIs(t, err, dbfleet.ErrSealed)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.NotContains(t, err.Error(), "9223372036854775807")
		bad := every{ID: "y", Float: dbfleet.EncryptedOf(1 / zero())}
		require.ErrorIs(t, m.Create(ctx, &bad), dbfleet.ErrType, "JSON has no infinity")
	})
}

func zero() float64 { return 0 }
