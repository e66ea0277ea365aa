package values

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 401
func TestDates_InAStringFieldAreWhatIsStored(t *testing.T) {
	t.Parallel()
	type event struct {
		ID           int64
		Day, At      string
		Maybe        *string
		Bytes        []byte `db:"at2"`
		Null         sql.NullString
		Raw          string
		Short, Other string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			return // a date arrives as one, and its text with a zone is taken
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE events (id {id}, day {date}, at DATETIME(6), maybe DATETIME(3), at2 DATETIME, `+"`null` DATE, raw DATETIME, short DATETIME, other {time})",
			`INSERT INTO events VALUES (1, '2024-05-06', '2024-05-06 07:08:09.500000', '2024-05-06 07:08:09.125', '2024-05-06 07:08:09', '2024-05-06', '2024-05-06 00:00:00', '2024-05-06 07:08:09', '2024-05-06 07:08:09')`)
		if fl.Database.Dialect == "sqlite" { // where no text is equal to bytes
			fl.Create(t, "UPDATE events SET at2 = CAST(at2 AS BLOB)")
		}
		m := conformance.Model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events"})
		before, err := m.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, "2024-05-06", before.Day)
		require.Equal(t, "2024-05-06 07:08:09.500000", before.At)
		require.Equal(t, "2024-05-06 07:08:09.125", *before.Maybe)
		require.Equal(t, "2024-05-06 00:00:00", before.Raw)
		require.Equal(t, "2024-05-06", before.Null.String)
		for column, v := range map[string]any{"day": before.Day, "at": before.At, "maybe": before.Maybe, "null": before.Null, "raw": before.Raw} {
			n, err := m.Where(column, "=", v).Count(ctx)
			require.NoError(t, err, column)
			require.EqualValues(t, 1, n, column)
		}
		require.NoError(t, m.Save(ctx, &before))
		after, err := m.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

// truth 402
func TestWhere_ATextThatIsNoNumberFindsNoNumber(t *testing.T) {
	t.Parallel()
	type user struct {
		ID   string
		Name string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE users (id BIGINT PRIMARY KEY, name {text}, price DECIMAL(10,2), ratio {float}, day {date}, u {uuid})`,
			`INSERT INTO users VALUES (0, 'zero', 0, 0, '2024-05-06', '0192fe00-1020-7040-8050-6070ff610001'), (1, '1abc', 1.5, 1.5, '2024-05-06', NULL), (2, 'b', 2, 2, NULL, NULL), (2024, 'c', 2024, 2024, NULL, NULL)`)
		table := fl.DB("main").Table("users")
		m := conformance.Model[user](t, fl.Registry, dbfleet.ModelConfig{Table: "users"})
		for _, text := range []string{"1abc", "2; x", "", "abc", "1 ", "1.5kg", "2024-05-06", "0x1", "1e", "2 OR 1=1"} {
			if text == "1 " && fl.Database.Dialect != "mysql" {
				continue // PostgreSQL and SQLite read a number with blanks around it
			}
			_, err := table.Find(ctx, text)
			require.Error(t, err, text)
			for _, column := range []string{"id", "price", "ratio"} {
				for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
					"=": table.Where(column, "=", text), "in": table.WhereIn(column, []string{text, "nobody"}), "between": table.WhereBetween(column, text, text),
					"<": table.Where(column, "<", text).Where(column, ">=", "2; x"),
				} {
					rows, err := q.Get(ctx)
					require.Empty(t, rows, "%s %s %q", column, name, text)
					if fl.Database.Dialect != "postgres" {
						require.NoError(t, err, "%s %s %q", column, name, text)
					}
				}
			}
			_, err = m.Find(ctx, text)
			require.Error(t, err, text)
			_, err = m.Find(ctx, text) // the text that was kept
			require.Error(t, err, text)
			require.Error(t, m.Save(ctx, &user{ID: text, Name: "overwritten"}), text)
			n, _ := m.Where("id", "=", text).Delete(ctx)
			require.Zero(t, n, text)
			n, _ = table.Where("id", "=", text).Update(ctx, dbfleet.Row{"name": "overwritten"})
			require.Zero(t, n, text)
			n, _ = table.WhereIn("id", []string{text}).Delete(ctx)
			require.Zero(t, n, text)
		}
		all, err := table.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 4)
		require.Equal(t, "1abc", all[1]["name"])

		// What is a number finds it, and a text the text, as before.
		for column, v := range map[string]any{"id": "2", "price": "1.50", "ratio": "1.5", "name": "1abc", "day": "2024-05-06", "u": "0192fe00-1020-7040-8050-6070ff610001"} {
			rows, err := table.Where(column, "=", v).Get(ctx)
			require.NoError(t, err, column)
			require.NotEmpty(t, rows, column)
			rows, err = table.WhereIn(column, []any{v, "nobody"}).Get(ctx)
			if fl.Database.Dialect != "postgres" {
				require.NoError(t, err, column)
				require.NotEmpty(t, rows, column)
			}
		}
		if fl.Database.Dialect == "postgres" {
			return // which refuses the comparison
		}
		u, err := m.Find(ctx, "2")
		require.NoError(t, err)
		u.Name = "changed"
		require.NoError(t, m.Save(ctx, &u))
		n, err := table.Where("id", "<>", "1abc").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n, "all differ from what is no number")
		n, err = table.WhereNotIn("id", []string{"1abc", "2"}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = table.WhereNot(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.Where("id", "=", "1abc") }).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
	})
}

// truth 402, 407
func TestWhere_ATextOnMySQLIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE people (id {id}, email VARCHAR(100) UNIQUE, code CHAR(36) CHARACTER SET ascii UNIQUE, raw BINARY(16) UNIQUE)`,
			`INSERT INTO people (email, code) SELECT CONCAT('u', seq, '@x'), UUID() FROM seq_1_to_500`)
		type person struct {
			ID    int64
			Email string
			Code  [16]byte
			Raw   *[16]byte
		}
		m := conformance.Model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "people"})
		one, err := m.Where("email", "=", "u7@x").First(ctx)
		require.NoError(t, err)
		for column, v := range map[string]any{"email": "u7@x", "code": one.Code, "raw": one.Code} {
			text, args, err := m.Where(column, "=", v).SQL(ctx)
			require.NoError(t, err)
			var rows int
			plan := fl.Database.SQL(t).QueryRowContext(ctx, "EXPLAIN FORMAT=JSON "+text, args...)
			var told string
			require.NoError(t, plan.Scan(&told))
			var e struct {
				Block struct {
					Table struct {
						Access string  `json:"access_type"`
						Rows   float64 `json:"rows"`
					}
					Loop []struct {
						Table struct {
							Access string  `json:"access_type"`
							Rows   float64 `json:"rows"`
						}
					} `json:"nested_loop"`
				} `json:"query_block"`
			}
			require.NoError(t, json.Unmarshal([]byte(told), &e))
			rows = int(e.Block.Table.Rows)
			if len(e.Block.Loop) > 0 {
				rows = int(e.Block.Loop[0].Table.Rows)
			}
			require.Less(t, rows, 4, "%s: %s", column, told)
		}
	})
}

// truth 403
func TestDates_ThatDoNotExistAreToldAndKept(t *testing.T) {
	t.Parallel()
	type texts struct {
		ID  int64
		Day string
		At  string
	}
	type times struct {
		ID  int64
		Day time.Time
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return // no such dates
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE old (id {id}, day DATE, at DATETIME)`)
		days := []string{"0000-00-00", "2024-00-00", "2024-05-00", "0001-01-01"}
		for _, day := range days {
			fl.Create(t, fmt.Sprintf("SET STATEMENT sql_mode = '' FOR INSERT INTO old (day, at) VALUES ('%s', '%s 01:02:03')", day, day))
		}
		m := conformance.Model[texts](t, fl.Registry, dbfleet.ModelConfig{Table: "old"})
		all, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		asTimes := conformance.Model[times](t, fl.Registry, dbfleet.ModelConfig{Table: "old"})
		for i, day := range days {
			require.Equal(t, day, all[i].Day)
			got, err := asTimes.Find(ctx, i+1)
			row, rowErr := fl.DB("main").Table("old").Select("day").Find(ctx, i+1)
			if day == "0001-01-01" {
				require.ErrorIs(t, err, dbfleet.ErrRange, "Go's zero time, which Save would write as NULL")
				require.Zero(t, got.Day)
				require.NoError(t, rowErr)
				require.Equal(t, got.Day, row["day"])
				continue
			}
			for _, err := range []error{err, rowErr} {
				require.ErrorIs(t, err, dbfleet.ErrRange, day)
				require.ErrorContains(t, err, "no such date")
				require.ErrorContains(t, err, `"day"`)
			}
		}
	})
}

// truth 404
func TestTimes_TheZeroTimeIsNullAtEveryDoor(t *testing.T) {
	t.Parallel()
	type visit struct {
		ID int64
		At *time.Time
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE visits (id {id}, at {time})`)
		m := conformance.Model[visit](t, fl.Registry, dbfleet.ModelConfig{Table: "visits"})
		table := fl.DB("main").Table("visits")
		now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
		require.NoError(t, m.CreateMany(ctx, []visit{{At: &time.Time{}}, {At: &now}}))
		_, err := table.Insert(ctx, dbfleet.Row{"at": time.Time{}})
		require.NoError(t, err)
		mark := map[string]string{"postgres": "$1"}[fl.Database.Dialect]
		if mark == "" {
			mark = "?"
		}
		for _, zero := range []any{time.Time{}, &time.Time{}, sql.NullTime{Valid: true}} {
			_, err = fl.DB("main").ExecContext(ctx, "INSERT INTO visits (at) VALUES ("+mark+")", zero)
			require.NoError(t, err)
		}
		n, err := m.Query().WhereNull("at").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
		for name, q := range map[string]*dbfleet.Query[visit]{
			"where": m.Where("at", "=", time.Time{}), "col": m.Filter(dbfleet.Col[time.Time]("at").Eq(time.Time{})),
			"list": m.WhereIn("at", []time.Time{{}}), "is": m.Where("at", "IS", time.Time{}),
		} {
			n, err := q.Count(ctx)
			require.NoError(t, err, name)
			require.EqualValues(t, 5, n, name)
		}
		n, err = table.Where("at", "<>", time.Time{}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		for name, q := range map[string]*dbfleet.Query[visit]{
			"raw": m.Query().WhereRaw("at = ?", time.Time{}), "squirrel": m.Filter(dbfleet.Expr(squirrel.Expr("at > ?", time.Time{}))),
		} {
			n, err := q.Count(ctx)
			require.NoError(t, err, name)
			require.Zero(t, n, "%s: nothing is equal to NULL", name)
		}
		_, err = m.Where("at", ">", time.Time{}).Count(ctx)
		require.ErrorContains(t, err, "zero time.Time")
		require.ErrorContains(t, err, `"at"`)
	})
}

// truth 405
func TestFill_ANumberKeepsItsDigitsAsText(t *testing.T) {
	t.Parallel()
	type contact struct {
		ID    int64
		Phone string
		Note  []byte
		Maybe sql.NullString
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE contacts (id {id}, phone {text}, note {bytes}, maybe {text})`)
		m := conformance.Model[contact](t, fl.Registry, dbfleet.ModelConfig{Table: "contacts", Fillable: []string{"phone", "note", "maybe"}})
		var body map[string]any
		require.NoError(t, json.Unmarshal([]byte(`{"phone": 4915123456789, "maybe": 0.1}`), &body))
		c, err := m.CreateFrom(ctx, body)
		require.NoError(t, err)
		require.Equal(t, "4915123456789", c.Phone)
		require.Equal(t, "0.1", c.Maybe.String)
		got, err := m.Where("phone", "=", body["phone"]).First(ctx)
		require.NoError(t, err)
		require.Equal(t, c, got)
		require.NoError(t, m.Fill(&c, dbfleet.Row{"phone": json.Number("12345678901234567890"), "note": 1e15}))
		require.Equal(t, "12345678901234567890", c.Phone)
		require.Equal(t, "1000000000000000", string(c.Note))
		for _, lost := range []float64{1 << 60, 9007199254740994, 1e22} {
			require.ErrorIs(t, m.Fill(&c, dbfleet.Row{"phone": lost}), dbfleet.ErrRange, "%g may have lost digits", lost)
			_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{"phone": lost})
			require.ErrorIs(t, err, dbfleet.ErrRange)
		}
	})
}

// truth 406
func TestDecimals_OfSQLiteKeepTheirDigitsAsText(t *testing.T) {
	t.Parallel()
	type price struct {
		ID  int64
		Sum string
	}
	fl := conformance.OnSQLite(t)
	ctx := t.Context()
	fl.Create(t, `CREATE TABLE prices (id {id}, sum DECIMAL(20,2))`, `INSERT INTO prices (sum) VALUES (1234567.89), (9007199254740993), (123456789012.5), ('0.10')`)
	m := conformance.Model[price](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
	all, err := dbfleet.Pluck[string](ctx, m.OrderBy("id", dbfleet.Asc), "sum")
	require.NoError(t, err)
	require.Equal(t, []string{"1234567.89", "9007199254740993", "123456789012.5", "0.1"}, all)
	for _, sum := range all {
		n, err := m.Where("sum", "=", sum).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, sum)
	}
}

type uuidThing[V any] struct {
	ID   V
	Name string
}

type uuidPart[V any] struct {
	ID    int64
	Thing V
}

type uuidOwner[V any] struct {
	ID    V
	Name  string
	Parts []uuidPart[V] `db:"-"`
}

// truth 407
func TestUUIDs_InBinaryColumnsAreFoundAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		id := uid{0xff, 0x92, 0xfe, 0, 0x10, 0x20, 0x70, 0x40, 0x80, 0x50, 0x60, 0x70, 0xff, 0x61, 0, 1}
		kinds := map[string][]string{
			"sqlite": {"BLOB", "TEXT", "BINARY(16)"}, "postgres": {"UUID"},
			"mysql": {"BINARY(16)", "VARBINARY(16)", "CHAR(36)", "CHAR(36) CHARACTER SET ascii", "UUID"},
		}[fl.Database.Dialect]
		for i, kind := range kinds {
			things, parts := fmt.Sprintf("things%d", i), fmt.Sprintf("parts%d", i)
			literal := "X'FF92FE0010207040805060" + "70FF610001'"
			if kind == "TEXT" || kind == "UUID" || kind[0] == 'C' {
				literal = "'ff92fe00-1020-7040-8050-6070ff610001'"
			}
			fl.Create(t, fmt.Sprintf("CREATE TABLE %s (id %s PRIMARY KEY, name {text})", things, kind), fmt.Sprintf("CREATE TABLE %s (id {id}, thing %s)", parts, kind),
				fmt.Sprintf("INSERT INTO %s VALUES (%s, 'a')", things, literal), fmt.Sprintf("INSERT INTO %s (thing) VALUES (%s)", parts, literal))
			if literal[0] == 'X' {
				_, err := conformance.Model[uuidThing[[16]byte]](t, fl.Registry, dbfleet.ModelConfig{Table: things}).First(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange, kind)
				require.ErrorContains(t, err, "dbfleet.BinaryUUID", kind)
				_, err = conformance.Model[uuidThing[guid]](t, fl.Registry, dbfleet.ModelConfig{Table: things}).First(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange, kind)
				findUUIDs(t, fl, kind, things, parts, dbfleet.BinaryUUID(id))
				continue
			}
			findUUIDs(t, fl, kind, things, parts, id)
		}
	})
}

// findUUIDs finds a record by its key, and what belongs to it, in every way.
func findUUIDs[V uid | dbfleet.BinaryUUID](t *testing.T, fl conformance.Fleet, kind, things, parts string, id V) {
	t.Helper()
	ctx := t.Context()
	m := conformance.Model[uuidThing[V]](t, fl.Registry, dbfleet.ModelConfig{Table: things})
	x, err := m.First(ctx)
	require.NoError(t, err, kind)
	require.Equal(t, id, x.ID, kind)
	for range 2 {
		x, err = m.Find(ctx, x.ID)
		require.NoError(t, err, kind)
	}
	x.Name = "b"
	require.NoError(t, m.Save(ctx, &x), kind)
	table := fl.DB("main").Table(things)
	for name, q := range map[string]*dbfleet.Query[uuidThing[V]]{
		"=": m.Where("id", "=", id), "in": m.WhereIn("id", []V{id, {}}), "col": m.Filter(dbfleet.Col[V]("id").In(id)),
		"type": m.Where("id", "=", guid(id)), "pointer": m.Where("id", "=", &id), "text": m.Where("id", "=", "ff92fe00-1020-7040-8050-6070ff610001"),
		"bytes": m.Where("id", "=", id[:]), "from": m.Where("id", ">=", id), "between": m.Query().WhereBetween("id", guid(id), guid(id)),
	} {
		n, err := q.Count(ctx)
		require.NoError(t, err, "%s %s", kind, name)
		require.EqualValues(t, 1, n, "%s %s", kind, name)
	}
	n, err := table.Where("id", "=", id).Count(ctx)
	require.NoError(t, err, kind)
	require.EqualValues(t, 1, n, kind)
	n, err = table.Where("id", "<>", id).Count(ctx)
	require.NoError(t, err, kind)
	require.Zero(t, n, kind)
	n, err = table.WhereNotIn("id", []V{id}).Count(ctx)
	require.NoError(t, err, kind)
	require.Zero(t, n, kind)

	owners := conformance.Model[uuidOwner[V]](t, fl.Registry, dbfleet.ModelConfig{Table: things})
	children := conformance.Model[uuidPart[V]](t, fl.Registry, dbfleet.ModelConfig{Table: parts})
	relation := dbfleet.HasMany(owners, children, dbfleet.On("thing"), func(o *uuidOwner[V]) *[]uuidPart[V] { return &o.Parts })
	o, err := owners.With(relation).First(ctx)
	require.NoError(t, err, kind)
	require.Len(t, o.Parts, 1, kind)
	require.NoError(t, m.Delete(ctx, &x), kind)
	n, err = m.Count(ctx)
	require.NoError(t, err, kind)
	require.Zero(t, n, kind)
}

// truth 408
func TestDates_ThatOthersWroteAreFoundByATime(t *testing.T) {
	t.Parallel()
	type entry struct {
		Day  time.Time
		Note string
	}
	fl := conformance.OnSQLite(t)
	ctx := t.Context()
	fl.Create(t, `CREATE TABLE diary (day DATE PRIMARY KEY, note {text})`,
		`INSERT INTO diary VALUES ('2024-05-05', 'a'), ('2024-05-06', 'b'), ('2024-05-07 00:00:00', 'c'), ('2024-05-07 10:00:00', 'd')`)
	m := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "diary", PrimaryKey: []string{"day"}})
	six, seven := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 7, 0, 0, 0, 0, time.UTC)
	for want, q := range map[string]*dbfleet.Query[entry]{
		"b":   m.Where("day", "=", six),
		"c":   m.Where("day", "=", seven),
		"acd": m.Where("day", "<>", six),
		"a":   m.Where("day", "<", six),
		"ab":  m.Where("day", "<=", six),
		"bcd": m.Where("day", ">=", six),
		"cd":  m.Where("day", ">", six),
		"bc":  m.Query().WhereBetween("day", six, seven),
		"ad":  m.Filter(dbfleet.Col[time.Time]("day").NotBetween(six, seven)),
	} {
		got, err := dbfleet.Pluck[string](ctx, q.OrderBy("note", dbfleet.Asc), "note")
		require.NoError(t, err)
		require.Equal(t, want, fmt.Sprint(join(got)))
	}
	e, err := m.Find(ctx, six)
	require.NoError(t, err)
	e.Note = "B"
	require.NoError(t, m.Save(ctx, &e))
	rows, err := fl.DB("main").Table("diary").WhereIn("day", []time.Time{six, seven}).OrderBy("note", dbfleet.Asc).Get(ctx)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.NoError(t, m.Delete(ctx, &e))
}

// truth 411, 1006
func TestErrors_OfAValueNameTableColumnAndKind(t *testing.T) {
	t.Parallel()
	type gauge struct {
		ID int64
		N  float64
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE gauges (id {id}, n `+map[string]string{"sqlite": "REAL", "postgres": "INTEGER", "mysql": "DOUBLE"}[fl.Database.Dialect]+`)`)
		m := conformance.Model[gauge](t, fl.Registry, dbfleet.ModelConfig{Table: "gauges"})
		bad := 1.5
		if fl.Database.Dialect != "postgres" {
			bad = math.NaN()
		}
		for name, err := range map[string]error{
			"create": m.Create(ctx, &gauge{N: bad}),
			"update": func() error { _, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"n": bad}); return err }(),
			"where":  func() error { _, err := m.Where("n", "=", bad).Get(ctx); return err }(),
			"insert": func() error {
				_, err := fl.DB("main").Table("gauges").Insert(ctx, dbfleet.Row{"n": bad})
				return err
			}(),
		} {
			require.Error(t, err, name)
			require.NotContains(t, err.Error(), "argument 1", name)
			require.ErrorContains(t, err, "gauge", name)
			require.ErrorContains(t, err, `"n"`, name)
		}
	})
}

func join(parts []string) (all string) {
	for _, p := range parts {
		all += p
	}
	return all
}
