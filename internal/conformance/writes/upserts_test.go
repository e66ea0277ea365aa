package writes

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

var errUnsendable = errors.New("this value cannot be sent")

// unsendable is a number whose Value fails if it is bad.
type unsendable struct{ bad bool }

func (u unsendable) Value() (driver.Value, error) {
	if u.bad {
		return nil, errUnsendable
	}
	return 1.0, nil
}

func (u *unsendable) Scan(any) error { return nil }

// member is upserted by its email.
type member struct {
	ID                   int64
	Email                string
	Name                 string
	Visits               int
	CreatedAt, UpdatedAt time.Time
}

func members(t *testing.T, fl conformance.Fleet) *dbfleet.Model[member] {
	t.Helper()
	fl.Create(t, `CREATE TABLE members (id {id}, email VARCHAR(50) NOT NULL UNIQUE, name {text} NOT NULL, visits {int} NOT NULL,
		created_at {time} NOT NULL, updated_at {time} NOT NULL)`)
	return conformance.Model[member](t, fl.Registry, dbfleet.ModelConfig{Table: "members", Timestamps: true})
}

var byEmail = dbfleet.Conflict{Key: []string{"email"}}

// hazard 105, hazard 108, promise 20: the record gets the id of the row, be it new,
// changed or unchanged; the row is updated in place.
func TestUpsert_GivesTheRowsID(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		fl.Create(t, `CREATE TABLE letters (id {id}, member_id {bigint} NOT NULL REFERENCES members (id) ON DELETE CASCADE)`)
		other := member{Email: "z", Name: "Z"}
		require.NoError(t, m.Create(ctx, &other))
		first := member{Email: "a", Name: "A", Visits: 1}
		require.NoError(t, m.Upsert(ctx, &first, byEmail))
		require.Greater(t, first.ID, other.ID)
		_, err := fl.DB("main").Table("letters").Insert(ctx, map[string]any{"member_id": first.ID})
		require.NoError(t, err)

		changed := member{Email: "a", Name: "AA", Visits: 0}
		require.NoError(t, m.Upsert(ctx, &changed, byEmail))
		require.Equal(t, first.ID, changed.ID)
		got, err := m.Find(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, "AA", got.Name)
		require.Zero(t, got.Visits, "zero values are written")
		require.Equal(t, first.CreatedAt, got.CreatedAt, "the row is older than this upsert")
		require.True(t, got.UpdatedAt.After(first.UpdatedAt))
		n, err := fl.DB("main").Table("letters").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the row was not deleted in between")

		same := got
		same.ID = 0
		require.NoError(t, m.Upsert(ctx, &same, byEmail), "nothing but updated_at changes")
		require.Equal(t, first.ID, same.ID)
		unchanged := member{Email: "a", Name: "ignored"}
		require.NoError(t, m.Upsert(ctx, &unchanged, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Equal(t, first.ID, unchanged.ID)
		fresh := member{Email: "b", Name: "B"}
		require.NoError(t, m.Upsert(ctx, &fresh, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Greater(t, fresh.ID, first.ID)

		own := member{ID: 900, Email: "a", Name: "own id"}
		require.NoError(t, m.Upsert(ctx, &own, byEmail))
		require.Equal(t, first.ID, own.ID, "the row keeps its id, the record takes it")
		own = member{ID: 901, Email: "own", Name: "own id"}
		require.NoError(t, m.Upsert(ctx, &own, byEmail))
		require.EqualValues(t, 901, own.ID)
		own.Name = "by id"
		require.NoError(t, m.Upsert(ctx, &own, dbfleet.Conflict{}), "by the primary key")
		got, err = m.Find(ctx, 901)
		require.NoError(t, err)
		require.Equal(t, "by id", got.Name)

		partly := member{Email: "a", Name: "not this", Visits: 9}
		require.NoError(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"visits"}}))
		got, err = m.Find(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, 9, got.Visits)
		require.Equal(t, "own id", got.Name)
		require.Equal(t, partly.UpdatedAt, got.UpdatedAt, "updated_at always is")

		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"mail"}}), &unknown)
		require.ErrorAs(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Update: []string{"mail"}}), &unknown)
		if fl.Database.Dialect != "mysql" { // hazard 107: which decides by whatever unique key there is
			require.Error(t, m.Upsert(ctx, &partly, dbfleet.Conflict{Key: []string{"name"}}), "there is no such unique key")
		}
	})
}

// hazard 68, hazard 106: the same key twice in a batch is refused on all databases,
// whatever the chunks; several new and old rows get their ids.
func TestUpsertMany_RefusesTheSameKeyTwice(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		many := []member{{Email: "a"}, {Email: "b"}, {Email: "c"}}
		require.NoError(t, m.UpsertMany(ctx, many, byEmail))
		again := []member{{Email: "new"}, {Email: "b", Name: "bb"}, {ID: 500, Email: "n2"}, {Email: "a", Name: "aa"}}
		require.NoError(t, m.UpsertMany(ctx, again, byEmail))
		require.Equal(t, many[1].ID, again[1].ID)
		require.Equal(t, many[0].ID, again[3].ID)
		for _, want := range again {
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want.Email, got.Email)
			require.Equal(t, want.Name, got.Name)
		}
		nothing := []member{{Email: "c"}, {Email: "x"}, {Email: "a"}}
		require.NoError(t, m.UpsertMany(ctx, nothing, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		require.Equal(t, many[2].ID, nothing[0].ID)
		require.Equal(t, many[0].ID, nothing[2].ID)
		require.Positive(t, nothing[1].ID)

		counts := conformance.Statements(t, fl.Registry)
		twice := make([]member, 2500)
		for i := range twice {
			twice[i].Email = string(rune('ā' + i))
		}
		twice[2400].Email = twice[3].Email
		err := m.UpsertMany(ctx, twice, byEmail)
		var refused *dbfleet.StatementError
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "records 3 and 2400 have the same key")
		require.Empty(t, counts())
		require.Zero(t, twice[0].CreatedAt, "an error leaves the records as they were")

		failing := []member{{Email: "q1"}, {ID: many[0].ID, Email: "q2"}} // the second meets another unique key
		if fl.Database.Dialect != "mysql" {
			require.ErrorIs(t, m.UpsertMany(ctx, failing, byEmail), dbfleet.ErrUnique)
			ok, err := m.Where("email", "=", "q1").Exists(ctx)
			require.NoError(t, err)
			require.False(t, ok, "all or none")
		}
	})
}

// A key that is no generated number.
func TestUpsert_OfOtherKeys(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE tags (id VARCHAR(20) PRIMARY KEY, slug VARCHAR(20) NOT NULL UNIQUE, n {int})`,
			`CREATE TABLE links (a {int}, b {int}, PRIMARY KEY (a, b))`)
		type tag struct {
			ID   string
			Slug string
			N    int
		}
		tags := conformance.Model[tag](t, fl.Registry, dbfleet.ModelConfig{Table: "tags"})
		require.NoError(t, tags.Create(ctx, &tag{"first", "go", 1}))
		for _, conflict := range []dbfleet.Conflict{{Key: []string{"slug"}}, {Key: []string{"slug"}, DoNothing: true}} {
			many := []tag{{"second", "go", 2}, {"third" + map[bool]string{true: "!"}[conflict.DoNothing], "sql" + map[bool]string{true: "!"}[conflict.DoNothing], 3}}
			require.NoError(t, tags.UpsertMany(ctx, many, conflict))
			require.Equal(t, "first", many[0].ID, "the record has the key of the row that is there")
			got, err := tags.Find(ctx, many[1].ID)
			require.NoError(t, err)
			require.Equal(t, many[1], got)
		}
		type link struct{ A, B int }
		links := conformance.Model[link](t, fl.Registry, dbfleet.ModelConfig{Table: "links", PrimaryKey: []string{"a", "b"}})
		for range 2 {
			require.NoError(t, links.UpsertMany(ctx, []link{{1, 1}, {1, 2}}, dbfleet.Conflict{}), "there is nothing to update")
		}
		n, err := links.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

// sameness are tables {t} whose column slug is unique as the database compares it,
// and two values that it holds for equal.
var sameness = map[string]map[string][3]string{
	"sqlite": {
		"case":     {`CREATE TABLE {t} (id INTEGER PRIMARY KEY, slug TEXT COLLATE NOCASE NOT NULL UNIQUE, n INT)`, "a@x", "A@X"},
		"trailing": {`CREATE TABLE {t} (id INTEGER PRIMARY KEY, slug TEXT COLLATE RTRIM NOT NULL UNIQUE, n INT)`, "a", "a  "},
		"number":   {`CREATE TABLE {t} (id INTEGER PRIMARY KEY, slug NUMERIC NOT NULL UNIQUE, n INT)`, "1.5", "1.50"},
	},
	"postgres": {
		"citext":  {`CREATE TABLE {t} (id BIGSERIAL PRIMARY KEY, slug CITEXT NOT NULL UNIQUE, n INT)`, "a@x", "A@X"},
		"char":    {`CREATE TABLE {t} (id BIGSERIAL PRIMARY KEY, slug CHAR(8) NOT NULL UNIQUE, n INT)`, "a", "a  "},
		"number":  {`CREATE TABLE {t} (id BIGSERIAL PRIMARY KEY, slug NUMERIC NOT NULL UNIQUE, n INT)`, "1.5", "1.50"},
		"accents": {`CREATE TABLE {t} (id BIGSERIAL PRIMARY KEY, slug TEXT COLLATE loose NOT NULL UNIQUE, n INT)`, "strasse", "STRASSE"},
	},
	"mysql": {
		"case":     {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, slug VARCHAR(20) NOT NULL UNIQUE, n INT)`, "a@x", "A@X"},
		"accents":  {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, slug VARCHAR(20) COLLATE utf8mb4_unicode_ci NOT NULL UNIQUE, n INT)`, "é", "e"},
		"trailing": {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, slug VARCHAR(20) COLLATE utf8mb4_bin NOT NULL UNIQUE, n INT)`, "a", "a  "},
		"number":   {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, slug DECIMAL(10,4) NOT NULL UNIQUE, n INT)`, "1.5", "1.50"},
	},
}

type slugged struct {
	ID   int64
	Slug string
	N    int
}

// truth 319
//
// They are refused, with their numbers, and nothing is written: by the database's
// equality, for new rows and old, in a transaction and outside.
func TestUpsertMany_RefusesTwoRecordsOfOneRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, `CREATE EXTENSION IF NOT EXISTS citext`, `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
		}
		for name, same := range sameness[fl.Database.Dialect] {
			t.Run(name, func(t *testing.T) {
				table := "same_" + name
				fl.Create(t, strings.ReplaceAll(same[0], "{t}", table))
				m := conformance.Model[slugged](t, fl.Registry, dbfleet.ModelConfig{Table: table})
				refused := func(ctx context.Context, conflict dbfleet.Conflict) {
					t.Helper()
					before := count(t, m)
					list := []slugged{{Slug: "0"}, {Slug: same[1], N: 1}, {Slug: "7"}, {Slug: same[2], N: 2}}
					err := m.UpsertMany(ctx, list, conflict)
					var twins *dbfleet.SameRowError
					require.ErrorAs(t, err, &twins)
					require.Equal(t, dbfleet.SameRowError{First: 1, Second: 3}, *twins)
					require.NotErrorIs(t, err, dbfleet.ErrWritten)
					require.Equal(t, []slugged{{Slug: "0"}, {Slug: same[1], N: 1}, {Slug: "7"}, {Slug: same[2], N: 2}}, list)
					require.Equal(t, before, count(t, m))
				}
				for range 2 {
					for _, conflict := range []dbfleet.Conflict{{Key: []string{"slug"}}, {Key: []string{"slug"}, DoNothing: true}} {
						refused(ctx, conflict)
						require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
							list := []slugged{{Slug: same[1]}, {Slug: same[2]}}
							var twins *dbfleet.SameRowError
							require.ErrorAs(t, m.UpsertMany(ctx, list, conflict), &twins)
							return m.UpsertMany(ctx, []slugged{{Slug: "3", N: 3}, {Slug: "4", N: 4}}, conflict) // the transaction goes on
						}))
					}
					require.NoError(t, m.Upsert(ctx, &slugged{Slug: same[1]}, dbfleet.Conflict{Key: []string{"slug"}}))
				}
				one := slugged{Slug: same[2], N: 9}
				require.NoError(t, m.Upsert(ctx, &one, dbfleet.Conflict{Key: []string{"slug"}}))
				got, err := m.Find(ctx, one.ID)
				require.NoError(t, err)
				require.Equal(t, 9, got.N)
				require.Equal(t, 3, count(t, m))
			})
		}
	})
}

// truth 320
//
// The record has the key as the row has it.
func TestUpsertMany_TellsTheKeyAsTheRowHasIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		kind := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20)"}[fl.Database.Dialect]
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, `CREATE EXTENSION IF NOT EXISTS citext`)
		}
		fl.Create(t, `CREATE TABLE labels (id `+kind+` NOT NULL PRIMARY KEY, n {int})`)
		type label struct {
			ID string
			N  int
		}
		m := conformance.Model[label](t, fl.Registry, dbfleet.ModelConfig{Table: "labels"})
		require.NoError(t, m.CreateMany(ctx, []label{{"Go", 1}, {"SQL", 2}}))
		for _, conflict := range []dbfleet.Conflict{{}, {DoNothing: true}} {
			list := []label{{"sql", 3}, {"new", 4}, {"GO", 5}}
			require.NoError(t, m.UpsertMany(ctx, list, conflict))
			require.Equal(t, []string{"SQL", "new", "Go"}, []string{list[0].ID, list[1].ID, list[2].ID})
			one := label{"gO", 6}
			require.NoError(t, m.Upsert(ctx, &one, conflict))
			require.Equal(t, "Go", one.ID)
			var twins *dbfleet.SameRowError
			require.ErrorAs(t, m.UpsertMany(ctx, []label{{"x", 1}, {"X", 1}}, conflict), &twins)
		}
		require.Equal(t, 3, count(t, m))
	})
}

// truth 321
//
// MySQL decides by any unique key: the record has the id of the row that it met, and
// two records that met in one are refused.
func TestUpsert_TellsTheRowThatAnotherKeyFound(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		a := member{ID: 5, Email: "a"}
		require.NoError(t, m.Create(ctx, &a))
		other := member{ID: 6, Email: "a", Name: "other"}
		err := m.Upsert(ctx, &other, dbfleet.Conflict{})
		if fl.Database.Dialect != "mysql" {
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			return
		}
		require.NoError(t, err)
		require.EqualValues(t, 5, other.ID)
		var twins *dbfleet.SameRowError
		require.ErrorAs(t, m.UpsertMany(ctx, []member{{ID: 7, Email: "b"}, {ID: 8, Email: "B"}}, dbfleet.Conflict{}), &twins)
		require.Equal(t, 1, count(t, m))
	})
}

// truth 323
//
// One statement for a chunk, one more where rows that stay as they are do not tell
// their keys, and a transaction only for several or where only the keys of the rows
// show that two records are one.
func TestUpsertMany_SendsAStatementForAChunk(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), members(t, fl)
		counts := conformance.Statements(t, fl.Registry)
		list := func(n int) []member {
			list := make([]member, n)
			for i := range list {
				list[i] = member{Email: fmt.Sprint("m", i), Name: fmt.Sprint(i)}
			}
			return list
		}
		own := func(list []member, n int) {
			t.Helper()
			for _, i := range []int{0, 1, n / 2, n - 1} {
				got, err := m.Find(ctx, list[i].ID)
				require.NoError(t, err)
				require.Equal(t, list[i].Email, got.Email)
			}
			counts()
		}
		for _, n := range []int{120, 200} {
			many := list(n)
			require.NoError(t, m.UpsertMany(ctx, many, byEmail))
			sent := counts()
			require.Equal(t, 1, sent["upsert"])
			require.Zero(t, sent["select"])
			if fl.Database.Dialect == "postgres" {
				require.Equal(t, map[string]int{"upsert": 1}, sent)
			}
			own(many, n)
			many = list(n + 40)
			require.NoError(t, m.UpsertMany(ctx, many, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
			sent = counts()
			require.Equal(t, 1, sent["upsert"])
			require.LessOrEqual(t, sent["select"], 1)
			own(many, n+40)
			for i := range many {
				many[i].Name += "!"
			}
			require.NoError(t, m.UpsertMany(ctx, many, dbfleet.Conflict{}))
			sent = counts()
			require.Equal(t, 1, sent["upsert"])
			if fl.Database.Dialect != "mysql" { // whose other unique keys may decide
				require.Equal(t, map[string]int{"upsert": 1}, sent)
			}
			own(many, n)
		}
		large := list(1000)
		require.NoError(t, m.UpsertMany(ctx, large, dbfleet.Conflict{Key: []string{"email"}, DoNothing: true}))
		sent := counts()
		require.LessOrEqual(t, sent["upsert"], 1)
		require.LessOrEqual(t, sent["select"], 4)
		own(large, 1000)
		many := []member{{Email: "x1"}, {Email: "x2"}}
		require.NoError(t, m.CreateMany(ctx, many))
		require.Equal(t, map[string]int{"insert": 1}, counts(), "hooks change nothing")
	})
}

// truth 322
//
// Rows that stay as they are tell their ids to their records, in whatever order.
func TestUpsertMany_FindsRowsByAKeyOfSeveralColumns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE places (id {id}, town VARCHAR(20) NOT NULL, no {int} NOT NULL, at {time} NOT NULL, UNIQUE (town, no, at))`)
		type placed struct {
			ID   int64
			Town string
			No   int
			At   time.Time
		}
		m := conformance.Model[placed](t, fl.Registry, dbfleet.ModelConfig{Table: "places"})
		at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
		old := []placed{{Town: "a", No: 1, At: at}, {Town: "a", No: 2, At: at}, {Town: "b", No: 1, At: at}}
		require.NoError(t, m.CreateMany(ctx, old))
		list := []placed{{Town: "b", No: 1, At: at}, {Town: "b", No: 2, At: at}, {Town: "a", No: 2, At: at}, {Town: "a", No: 1, At: at.In(time.FixedZone("", 3600))}}
		require.NoError(t, m.UpsertMany(ctx, list, dbfleet.Conflict{Key: []string{"town", "no", "at"}, DoNothing: true}))
		require.Equal(t, []int64{old[2].ID, old[1].ID, old[0].ID}, []int64{list[0].ID, list[2].ID, list[3].ID})
		got, err := m.Find(ctx, list[1].ID)
		require.NoError(t, err)
		require.Equal(t, list[1], got)
		require.Equal(t, 4, count(t, m))
	})
}
