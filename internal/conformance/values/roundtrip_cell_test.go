package values

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A goType is a type of fields, with values of it.
type goType struct {
	name string
	// try stores and finds values of the type in a column.
	try func(b *bench) cellResult
}

// field is a record with one column of a V, which is the key of the table of keys. It is
// the only record type: the compiler makes all of a model, and its queries, for each type
// of records, which takes minutes for three of each V.
type field[V any] struct {
	ID int64
	V  V `db:"v"`
}

func typeOf[V any](name string, values ...V) goType {
	return goType{name, func(b *bench) cellResult {
		c := &trial[V]{bench: b}
		c.run(values)
		return c.cellResult
	}}
}

// bench is where a column is tried.
type bench struct {
	fl     conformance.Fleet
	ctx    context.Context
	column column
	table  string
	keys   string // the table whose key is the column, "" without
	lastID int64
	// stored is what the literals are as text, by the row's id, alike which rows the
	// database holds for equal.
	stored map[int64]string
	alike  map[int64][]int64
}

// cellResult is what became of a type of fields on a type of columns.
type cellResult struct {
	right, refused int
	failures       []string
	shapeless      []string // refusals that do not say what and where
}

type trial[V any] struct {
	*bench
	cellResult
	m  *dbfleet.Model[field[V]]
	k  *dbfleet.Model[field[V]]           // by the key v, nil without
	of dbfleet.ToMany[field[V], field[V]] // the rows that have the same value
	// values are those of the literals, of a type whose equality Go knows: they may
	// stand in two forms, which the database does not hold for equal.
	values map[int64]V
}

// twofold says whether a value may stand in two forms.
func twofold(v any) bool {
	switch v.(type) {
	case [16]byte, uid, *[16]byte, guid, sql.Null[[16]byte], time.Time, moment, *time.Time, sql.NullTime, dbfleet.Date:
		return true
	}
	return false
}

func (c *trial[V]) failf(format string, args ...any) {
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

// refuse counts an error, which must say where and why.
func (c *trial[V]) refuse(where string, err error) {
	c.refused++
	var qe *dbfleet.QueryError
	if strings.HasSuffix(where, "Exec") || strings.HasSuffix(where, " raw") || strings.HasSuffix(where, "squirrel") {
		return // SQL that the caller wrote
	}
	if errors.As(err, &qe) && !errors.Is(err, dbfleet.ErrInvalidValue) {
		return // as the database words it
	}
	if text := err.Error(); !strings.Contains(text, c.table) && !strings.Contains(text, "field[") && (c.keys == "" || !strings.Contains(text, c.keys)) {
		c.shapeless = append(c.shapeless, where+": "+text)
	}
}

func (c *trial[V]) run(values []V) {
	m, err := dbfleet.NewModel[field[V]](c.fl.Registry, dbfleet.ModelConfig{Table: c.table, Fillable: []string{"id", "v"}})
	if err != nil {
		c.failf("model: %v", err)
		return
	}
	c.m = m
	// Nobody keeps the related rows: only For asks for them.
	c.of = dbfleet.HasMany(m, m, dbfleet.On("v", "v"), func(*field[V]) *[]field[V] { return new([]field[V]) })
	if c.keys != "" {
		c.k, _ = dbfleet.NewModel[field[V]](c.fl.Registry, dbfleet.ModelConfig{Table: c.keys, PrimaryKey: []string{"v"}})
	}
	c.values = map[int64]V{}
	for _, id := range sortedKeys(c.stored) {
		if r, err := c.m.Find(c.ctx, id); err == nil {
			if twofold(r.V) {
				c.values[id] = r.V
			}
			continue
		}
		// A UUID that is refused is found by = and IN all the same.
		if all, err := dbfleet.Pluck[V](c.ctx, c.m.Where("id", "=", id), "v"); err == nil && len(all) == 1 && twofold(all[0]) {
			if literal := c.show(id); literal == uuidBytes || literal == uuidText {
				c.values[id] = all[0]
			}
		}
	}
	for _, id := range sortedKeys(c.stored) {
		got, ok := c.read(id)
		if !ok {
			continue
		}
		c.find(fmt.Sprintf("stored %s", c.show(id)), got, c.alike[id])
		c.rewrite(id, got)
	}
	for _, v := range values {
		c.write(v)
	}
}

func sortedKeys[V any](m map[int64]V) []int64 {
	var out []int64
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (c *trial[V]) show(id int64) string { return c.column.literals[id-1] }

// read reads a row in every way; all must tell the same.
func (c *trial[V]) read(id int64) (v V, ok bool) {
	one := c.m.Where("id", "=", id)
	got, err := c.m.Find(c.ctx, id)
	if err != nil {
		c.refuse("read", err)
		return v, false
	}
	for name, read := range map[string]func() (V, error){
		"first": func() (V, error) { r, err := one.First(c.ctx); return r.V, err },
		"get":   func() (V, error) { return only(one.Get(c.ctx)) },
		"table": func() (V, error) {
			r, err := dbfleet.Table[field[V]](c.fl.DB("main"), c.table).Find(c.ctx, id)
			return r.V, err
		},
		"pluck": func() (V, error) { all, err := dbfleet.Pluck[V](c.ctx, one, "v"); return first(all, err) },
		"iterate": func() (v V, err error) {
			for r, err := range one.Iter(c.ctx) {
				return r.V, err
			}
			return v, errors.New("no row")
		},
	} {
		if again, err := read(); err != nil || !same(any(got.V), any(again)) {
			c.failf("stored %s: Find reads %#v, %s %#v, %v", c.show(id), got.V, name, again, err)
		}
	}
	c.right++
	return got.V, true
}

func only[V any](rows []field[V], err error) (v V, _ error) {
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%d rows", len(rows))
	}
	if err != nil {
		return v, err
	}
	return rows[0].V, nil
}

func first[V any](all []V, err error) (v V, _ error) {
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d values", len(all))
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}

func idsOf[R any](rows []R, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	ids := []int64{}
	for _, r := range rows {
		ids = append(ids, reflect.ValueOf(r).Field(0).Int())
	}
	slices.Sort(ids)
	return ids, nil
}

func rowIDs(rows []dbfleet.Row, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	ids := []int64{}
	for _, r := range rows {
		ids = append(ids, r["id"].(int64))
	}
	slices.Sort(ids)
	return ids, nil
}

// isNull says whether a value is NULL to a database.
func isNull(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Slice:
		return rv.IsNil()
	}
	if valid := reflect.Indirect(rv); valid.Kind() == reflect.Struct {
		if f := valid.FieldByName("Valid"); f.IsValid() {
			return !f.Bool()
		}
	}
	if d, ok := v.(dbfleet.Date); ok {
		return d.IsZero()
	}
	return false
}

var errUndo = errors.New("undo")

// find finds the rows of a value in every way.
func (c *trial[V]) find(what string, v V, want []int64) {
	db := c.fl.DB("main")
	table := func() *dbfleet.Query[dbfleet.Row] { return db.Table(c.table) }
	null := isNull(v)
	ranges := slices.Clone(want)
	for id, other := range c.values {
		if same(any(v), any(other)) && !slices.Contains(want, id) {
			want = append(slices.Clone(want), id)
			if _, err := c.m.Find(c.ctx, id); err == nil {
				ranges = append(ranges, id)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(ranges)
	for name, find := range map[string]func() ([]int64, error){
		"where":   func() ([]int64, error) { return idsOf(c.m.Where("v", "=", v).Get(c.ctx)) },
		"pointer": func() ([]int64, error) { return idsOf(c.m.Where("v", "=", &v).Get(c.ctx)) },
		"col":     func() ([]int64, error) { return idsOf(c.m.Filter(dbfleet.Col[V]("v").Eq(v)).Get(c.ctx)) },
		"in":      func() ([]int64, error) { return idsOf(c.m.WhereIn("v", []V{v}).Get(c.ctx)) },
		"in many": func() ([]int64, error) { return idsOf(c.m.WhereIn("v", []V{v, v, v}).Get(c.ctx)) },
		"between": func() ([]int64, error) { return idsOf(c.m.Query().WhereBetween("v", v, v).Get(c.ctx)) },
		"bounds":  func() ([]int64, error) { return idsOf(c.m.Where("v", "<=", v).Where("v", ">=", v).Get(c.ctx)) },
		"not": func() ([]int64, error) {
			others, err := idsOf(c.m.Where("v", "<>", v).Get(c.ctx))
			return slices.DeleteFunc(sortedKeys(c.stored), func(id int64) bool { return slices.Contains(others, id) }), err
		},
		"not in": func() ([]int64, error) {
			others, err := idsOf(c.m.Query().WhereNotIn("v", []V{v}).Get(c.ctx))
			return slices.DeleteFunc(sortedKeys(c.stored), func(id int64) bool { return slices.Contains(others, id) }), err
		},
		"raw":           func() ([]int64, error) { return idsOf(c.m.Query().WhereRaw("v = ?", v).Get(c.ctx)) },
		"squirrel":      func() ([]int64, error) { return idsOf(c.m.Filter(dbfleet.Expr(squirrel.Expr("v = ?", v))).Get(c.ctx)) },
		"table":         func() ([]int64, error) { return rowIDs(table().Select("id").Where("v", "=", v).Get(c.ctx)) },
		"table in":      func() ([]int64, error) { return rowIDs(table().Select("id").WhereIn("v", []V{v}).Get(c.ctx)) },
		"table between": func() ([]int64, error) { return rowIDs(table().Select("id").WhereBetween("v", v, v).Get(c.ctx)) },
		"table struct": func() ([]int64, error) {
			return idsOf(dbfleet.Table[field[V]](db, c.table).Where("v", "=", v).Get(c.ctx))
		},
		"relation": func() ([]int64, error) { return idsOf(c.of.For(&field[V]{ID: 1, V: v}).Get(c.ctx)) },
		"delete": func() (ids []int64, err error) {
			err = c.fl.Transaction(c.ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				if _, err := c.m.Where("v", "=", v).Delete(ctx); err != nil {
					return err
				}
				left, err := idsOf(c.m.Select("id").Get(ctx))
				if err != nil {
					return err
				}
				ids = slices.DeleteFunc(sortedKeys(c.stored), func(id int64) bool { return slices.Contains(left, id) })
				return errUndo
			})
			if errors.Is(err, errUndo) {
				err = nil
			}
			return ids, err
		},
	} {
		if oneForm[name] && twofold(any(v)) {
			continue // SQL of the caller's compares with one of the forms
		}
		if null && (name != "where" && name != "pointer" && name != "table" && name != "col" && name != "in" && name != "in many") {
			continue // no value
		}
		got, err := find()
		want := want
		if name == "between" || name == "bounds" || name == "table between" {
			want = ranges // of the form that is written
		}
		switch {
		case err != nil:
			c.refuse("find by "+name, err)
		case !slices.Equal(got, want) && want != nil:
			c.failf("%s: %s %#v finds rows %v, the database %v", what, name, v, c.showAll(got), c.showAll(want))
		default:
			c.right++
		}
	}
}

func (c *trial[V]) showAll(ids []int64) []string {
	out := []string{}
	for _, id := range ids {
		if int(id) <= len(c.column.literals) {
			out = append(out, c.show(id))
		} else {
			out = append(out, "#"+strconv.FormatInt(id, 10))
		}
	}
	return out
}

// writes are the ways to write a value into a row of that number.
func (c *trial[V]) writes() map[string]func(ctx context.Context, id int64, v V) error {
	db := c.fl.DB("main")
	placeholders := "?, ?"
	if c.fl.Database.Dialect == "postgres" {
		placeholders = "$1, $2"
	}
	present := func(ctx context.Context, id int64) error {
		_, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, %s)", c.table, id, c.column.literals[0]))
		return err
	}
	return map[string]func(ctx context.Context, id int64, v V) error{
		"Create":     func(ctx context.Context, id int64, v V) error { return c.m.Create(ctx, &field[V]{id, v}) },
		"CreateMany": func(ctx context.Context, id int64, v V) error { return c.m.CreateMany(ctx, []field[V]{{id, v}}) },
		"Save": func(ctx context.Context, id int64, v V) error {
			if err := present(ctx, id); err != nil {
				return err
			}
			return c.m.Save(ctx, &field[V]{id, v})
		},
		"SaveColumns": func(ctx context.Context, id int64, v V) error {
			if err := present(ctx, id); err != nil {
				return err
			}
			return c.m.SaveColumns(ctx, &field[V]{id, v}, "v")
		},
		"Update": func(ctx context.Context, id int64, v V) error {
			if err := present(ctx, id); err != nil {
				return err
			}
			_, err := c.m.Where("id", "=", id).Update(ctx, dbfleet.Row{"v": v})
			return err
		},
		"table's Update": func(ctx context.Context, id int64, v V) error {
			if err := present(ctx, id); err != nil {
				return err
			}
			_, err := db.Table(c.table).Where("id", "=", id).Update(ctx, dbfleet.Row{"v": v})
			return err
		},
		"Upsert": func(ctx context.Context, id int64, v V) error {
			return c.m.Upsert(ctx, &field[V]{id, v}, dbfleet.Conflict{})
		},
		"UpsertMany": func(ctx context.Context, id int64, v V) error {
			return c.m.UpsertMany(ctx, []field[V]{{id, v}}, dbfleet.Conflict{})
		},
		"row's Upsert": func(ctx context.Context, id int64, v V) error {
			return c.m.Query().Upsert(ctx, dbfleet.Row{"id": id, "v": v}, dbfleet.Conflict{Key: []string{"id"}})
		},
		"Load": func(ctx context.Context, id int64, v V) error {
			_, err := c.m.Load(ctx, slices.Values([]field[V]{{id, v}}))
			return err
		},
		"Insert": func(ctx context.Context, id int64, v V) error {
			_, err := c.m.Query().Insert(ctx, dbfleet.Row{"id": id, "v": v})
			return err
		},
		"table's Insert": func(ctx context.Context, id int64, v V) error {
			_, err := db.Table(c.table).Insert(ctx, dbfleet.Row{"id": id, "v": v})
			return err
		},
		"Exec": func(ctx context.Context, id int64, v V) error {
			_, err := db.ExecContext(ctx, "INSERT INTO "+c.table+" (id, v) VALUES ("+placeholders+")", id, v)
			return err
		},
		"CreateFrom": func(ctx context.Context, id int64, v V) error {
			_, err := c.m.CreateFrom(ctx, dbfleet.Row{"id": id, "v": v})
			return err
		},
	}
}

// put writes a value in one way into a fresh row, and tells what is stored; or the
// way's refusal, after which there must be nothing.
func (c *trial[V]) put(way string, write func(ctx context.Context, id int64, v V) error, v V) (id int64, stored string, err error) {
	c.lastID++
	id = c.lastID
	err = write(c.ctx, id, v)
	stored, absent := c.text(id)
	switch {
	case err != nil && absent == nil && stored != c.stored[1] && !strings.Contains("Save SaveColumns Update table's Update", way):
		c.failf("%s of %#v failed and wrote: %v", way, v, err)
	case err == nil && absent != nil:
		c.failf("%s of %#v wrote nothing: %v", way, v, absent)
	}
	return id, stored, err
}

func (c *trial[V]) drop() {
	if _, err := c.fl.DB("main").ExecContext(c.ctx, fmt.Sprintf("DELETE FROM %s WHERE id > %d", c.table, len(c.column.literals))); err != nil {
		c.failf("cleaning up: %v", err)
	}
}

func (b *bench) text(id int64) (text string, err error) {
	var p *string
	err = b.fl.DB("main").QueryRowContext(b.ctx, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", storedText(b.fl.Database.Dialect, b.column), b.table, id)).Scan(&p)
	if p == nil {
		return "NULL", err
	}
	return *p, err
}

// rewrite writes what was read of a row: it must be stored as it was.
func (c *trial[V]) rewrite(id int64, v V) {
	record := field[V]{id, v}
	if err := c.m.Save(c.ctx, &record); err != nil {
		c.refuse("Save unchanged", err)
	}
	if after, err := c.text(id); err != nil || after != c.stored[id] {
		if err != nil || !c.unchanged(after, c.stored[id]) {
			c.failf("stored %s: Save of the unchanged record (%#v) made %s of %s, %v", c.show(id), v, after, c.stored[id], err)
		}
		_, err := c.fl.DB("main").ExecContext(c.ctx, lax(c.fl)+fmt.Sprintf("UPDATE %s SET v = %s WHERE id = %d", c.table, c.show(id), id))
		if err != nil {
			c.failf("%v", err)
		}
	}
	for way, write := range c.writes() {
		_, stored, err := c.put(way, write, v)
		switch {
		case err != nil:
			c.refuse(way, err)
		case !c.unchanged(stored, c.stored[id]):
			c.failf("stored %s: %s of what was read (%#v) stored %s, not %s", c.show(id), way, v, stored, c.stored[id])
		default:
			c.right++
		}
	}
	c.drop()
	c.byKey(fmt.Sprintf("stored %s", c.show(id)), lax(c.fl)+fmt.Sprintf("INSERT INTO %s (v, id) VALUES (%s, 1)", c.keys, c.show(id)), nil)
}

// byKey finds, saves and deletes a record by its key, which stands in the table
// after insert or create.
func (c *trial[V]) byKey(what, insert string, create *V) {
	if c.k == nil {
		return
	}
	err := c.fl.Transaction(c.ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
		if create != nil {
			if isNull(*create) {
				return errUndo
			}
			if err := c.k.Create(ctx, &field[V]{1, *create}); err != nil {
				return err
			}
		} else if _, err := tx.ExecContext(ctx, insert); err != nil {
			return nil //nolint:nilerr // another literal is this one's equal
		}
		r, err := c.k.First(ctx)
		if err != nil {
			return err
		}
		if reflect.ValueOf(&r.V).Elem().IsZero() {
			return errUndo // a zero key is no key
		}
		found, err := c.k.Find(ctx, r.V)
		if err != nil || found.ID != 1 {
			if errors.Is(err, dbfleet.ErrNotFound) {
				c.failf("%s: Find by the key %#v: no such row", what, r.V)
				return errUndo
			}
			return err
		}
		found.ID = 2
		if err := c.k.Save(ctx, &found); err != nil {
			if errors.Is(err, dbfleet.ErrNotFound) {
				c.failf("%s: Save by the key %#v: no such row", what, r.V)
				return errUndo
			}
			return err
		}
		if n, err := c.k.Count(ctx); err != nil || n != 1 {
			c.failf("%s: Save by the key %#v: %d rows, %v", what, r.V, n, err)
		}
		if err := c.k.Delete(ctx, &found); err != nil {
			if errors.Is(err, dbfleet.ErrNotFound) {
				c.failf("%s: Delete by the key %#v: no such row", what, r.V)
				return errUndo
			}
			return err
		}
		c.right++
		return errUndo
	})
	if err != nil && !errors.Is(err, errUndo) {
		c.refuse("key", err)
	}
}

// write writes a value of Go in every way, reads it, finds it and writes it again.
func (c *trial[V]) write(v V) {
	kept := ""
	for _, way := range sortedNames(c.writes()) {
		id, stored, err := c.put(way, c.writes()[way], v)
		if err != nil {
			c.refuse(way, err)
			continue
		}
		if way == "Exec" {
			if _, special := any(v).([16]byte); special {
				continue
			}
		}
		if t := reflect.TypeOf(v); way == "Exec" && t != nil && t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
			continue // the driver writes lists as it does
		}
		got, err := c.m.Find(c.ctx, id)
		if err != nil {
			c.refuse("read what "+way+" wrote", err)
			continue
		}
		if kept == "" {
			kept = stored
		}
		if stored != kept {
			c.failf("wrote %#v: %s stored %s, another way %s", v, way, stored, kept)
			continue
		}
		if c.exact(v) && !same(any(v), any(got.V)) {
			c.failf("wrote %#v by %s: read %#v", v, way, got.V)
			continue
		}
		c.right++
		if way == "Create" {
			c.drop()
			c.lastID++
			if err := c.m.Create(c.ctx, &field[V]{c.lastID, v}); err == nil {
				c.found(c.lastID, got.V, fmt.Sprintf("wrote %#v", v))
			}
		}
	}
	c.drop()
	c.byKey(fmt.Sprintf("wrote %#v", v), "", &v)
}

// found finds a row that is there beside those of the literals.
func (c *trial[V]) found(id int64, v V, what string) {
	want := []int64{id}
	if !isNull(v) {
		var err error
		if want, err = c.equals(id); err != nil {
			return // the database does not compare them
		}
	}
	c.stored[id] = ""
	c.find(what, v, want)
	delete(c.stored, id)
}

// equals are the rows that the database holds for equal to one.
func (b *bench) equals(id int64) (ids []int64, err error) {
	rows, err := b.fl.DB("main").QueryContext(b.ctx, fmt.Sprintf("SELECT id FROM %s WHERE v = (SELECT x.v FROM %s x WHERE x.id = %d) ORDER BY id", b.table, b.table, id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// exact says whether the column keeps v as it is.
func (c *trial[V]) exact(v V) bool {
	if c.column.rounds {
		return false
	}
	if reflect.TypeFor[V]().Kind() == reflect.Interface {
		return false // it is read as what the column is
	}
	typ := strings.ToUpper(c.column.typ)
	for _, text := range []string{"TEXT", "CHAR", "BLOB", "BYTEA", "CLOB", "BINARY"} {
		if strings.Contains(typ, text) {
			return true
		}
	}
	switch v := any(v).(type) {
	case string, label, []byte, blob, textual, *string, dbfleet.JSON[doc], guid, rawID:
		return false // the type writes it as it does
	case any:
		switch reflect.ValueOf(v).Kind() {
		case reflect.String, reflect.Slice:
			return false
		case reflect.Struct:
			return reflect.TypeOf(v) == reflect.TypeFor[V]() && reflect.TypeOf(v).PkgPath() != "database/sql"
		}
	}
	return reflect.TypeFor[V]().Kind() != reflect.Interface
}

func sortedNames[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
