package table

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Saving is the update of one record with its arguments: the columns, the key, and the
// version that the row must have. cut is that of ArgPlan.Args.
func (t *Table) Saving(record any, c Change, d *dialect.Dialect) (text string, args []any, cut bool, err error) {
	fields, keys, plan := t.sent, t.Identity(record), t.savedArgs
	all := c.Only == nil && c.Deleted == sqlgen.NoDeleted && len(keys) == len(t.located)
	if c.Only != nil {
		if err = t.CheckRebound(c.Only); err != nil {
			return "", nil, false, err
		}
		fields = t.resealed(t.updateFields(c.Only), keys)
	}
	if t.twofold[d.Index] || c.Env != nil {
		return t.savingRendered(record, c, fields, keys, cmp.Or(c.Env, t.Env(d, "")))
	}
	if !all {
		plan = t.Plan.ArgPlan(slices.Concat(fields, keys)...)
	}
	if args, cut, err = plan.ArgsAnd(record, d, 2*len(keys)+1); err != nil {
		return "", nil, false, err
	}
	found := args[len(fields):]
	if care, keep := t.careOfRow(keys, found, d); all && keep {
		text, err = t.keptUpdate(&t.saves[care][d.Index], c, fields, keys, found, d)
	} else {
		text, err = t.updateText(c, fields, keys, found, d)
	}
	if d == dialect.MySQL {
		args = sqlgen.SpreadLocated(args, func(at int, arg any) sqlgen.Form { return t.form(keys[at], arg, d) }, len(keys))
	}
	if t.version >= 0 {
		args = append(args, c.Version)
	}
	return text, args, cut, err
}

// keptUpdate is updateText for a text that is made once.
func (t *Table) keptUpdate(kept *atomic.Pointer[string], c Change, fields, keys []int, args []any, d *dialect.Dialect) (string, error) {
	if known := kept.Load(); known != nil {
		return *known, nil
	}
	fresh, err := t.updateText(c, fields, keys, args, d)
	if err == nil {
		kept.Store(&fresh)
	}
	return fresh, err
}

// savingRendered is Saving for conditions that have arguments of their own: those of a key
// that may stand in two forms, and implicit ones.
func (t *Table) savingRendered(record any, c Change, fields, keys []int, env *sqlgen.Env) (text string, args []any, cut bool, err error) {
	if args, cut, err = t.Plan.ArgPlan(fields...).Args(record, env.Dialect); err != nil {
		return "", nil, false, err
	}
	q := sqlgen.From(t.Name).WithImplicit(c.Within...)
	for _, i := range keys {
		q = q.WithCond(sqlgen.Compare(t.Column(i), sqlgen.Eq, t.Plan.Value(i, record)))
	}
	if t.version >= 0 {
		q = q.WithCond(sqlgen.Compare(t.Column(t.version), sqlgen.Eq, c.Version))
	}
	if t.mark >= 0 {
		q = q.TakingDeleted(c.Deleted)
	}
	sets := t.readySets(fields)
	for i := range sets {
		sets[i].Value = args[i]
	}
	text, args, err = sqlgen.Update(&q, sets, env)
	return text, args, cut, err
}

// State is what the columns that Save writes hold in a record.
func (t *Table) State(record any) rowmap.State { return t.savedArgs.State(record) }

// IdentityState is what a record holds in the columns by which its row is found.
func (t *Table) IdentityState(record any) rowmap.State { return t.locatedArgs.State(record) }

// WithChanged adds to columns those that Save would write and that are no more what
// they were.
func (t *Table) WithChanged(columns []string, before rowmap.State, record any) []string {
	out := slices.Clone(columns)
	for _, i := range before.Changed(t.State(record)) {
		if i >= len(t.saved) { // the key
			continue
		}
		if column := t.Column(t.saved[i]); !slices.Contains(out, column) {
			out = append(out, column)
		}
	}
	return out
}

// updateFields are the fields that an update of a record writes.
func (t *Table) updateFields(only []string) []int {
	var out []int
	for i, column := range t.Plan.Columns() {
		switch {
		case only != nil:
			if !slices.Contains(only, column) && i != t.updated && i != t.version {
				continue
			}
		case t.generated[i], slices.Contains(t.key, i), i == t.created, i == t.shard, i == t.tenant, i == t.mark:
			continue
		}
		out = append(out, i)
	}
	return out
}

// updateText is the update of some fields of one record, found by keys that have
// these arguments, and by its version and mark. The caller gives all arguments.
func (t *Table) updateText(c Change, fields, keys []int, args []any, d *dialect.Dialect) (string, error) {
	q := sqlgen.From(t.Name)
	for at, i := range keys {
		q = q.WithCond(sqlgen.Located(t.Column(i), t.form(i, args[at], d), args[at]))
	}
	if t.version >= 0 {
		q = q.WithCond(sqlgen.Located(t.Column(t.version), sqlgen.FormPlain, 0))
	}
	switch {
	case t.mark < 0:
	case c.Deleted == sqlgen.NoDeleted:
		q = q.WithCond(sqlgen.Marked(t.Column(t.mark), true))
	case c.Deleted == sqlgen.OnlyDeleted:
		q = q.WithCond(sqlgen.Marked(t.Column(t.mark), false))
	}
	text, _, err := sqlgen.Update(&q, t.readySets(fields), &sqlgen.Env{Dialect: d, Values: values{}})
	return text, err
}

// readySets are assignments whose arguments the caller gives.
func (t *Table) readySets(fields []int) []sqlgen.Set {
	sets := make([]sqlgen.Set, len(fields))
	for at, i := range fields {
		sets[at] = sqlgen.Set{Column: t.Column(i), Ready: true}
	}
	return sets
}

// SavingEach describes the update of several records by one statement, and the arguments
// of their rows but for the version. ok is false for a table of which a record is found
// in more than one way.
func (t *Table) SavingEach(d *dialect.Dialect) (u sqlgen.EachUpdate, args *rowmap.ArgPlan, ok bool) {
	sets := slices.DeleteFunc(slices.Clone(t.sent), func(i int) bool { return i == t.version })
	u = sqlgen.EachUpdate{Table: t.Name, Keys: t.ColumnsOf(t.located), Sets: t.ColumnsOf(sets), Version: t.VersionColumn(), Mark: t.DeletedMark()}
	if d == dialect.MySQL {
		u.Form = func(key int, arg any) sqlgen.Form { return t.form(t.located[key], arg, d) }
	}
	return u, t.Plan.ArgPlan(slices.Concat(sets, t.located)...), !t.twofold[d.Index] && u.Args() > len(t.located)
}

// Located says whether a record is found by all columns by which records of the table
// can be, and by an exact comparison on the database.
func (t *Table) Located(record any, keys []any, d *dialect.Dialect) bool {
	care, ok := t.care(t.located, keys, d)
	return ok && care == 0 && len(t.Identity(record)) == len(t.located)
}
