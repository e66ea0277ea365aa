package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/table"
)

// Severity says what becomes of a Finding.
type Severity string

// The severities.
const (
	// SeverityError is what fails: reads or writes of the model.
	SeverityError Severity = "error"
	// SeverityWarning is what fails, or loses something, for some values only.
	SeverityWarning Severity = "warning"
	// SeverityNotice is what works and may not be meant.
	SeverityNotice Severity = "notice"
)

// Finding is one thing in which a model and its table differ.
type Finding struct {
	Severity   Severity
	Connection string // "" for a sharded model whose table is nowhere
	Model      string // the Go type
	Table      string
	Column     string // "" for the table itself
	Problem    string // in words, with what to do
}

// String is one line: severity, connection, model, table, column and problem.
func (f Finding) String() string {
	where := "table " + quoted(f.Table)
	if f.Column != "" {
		where += ", column " + quoted(f.Column)
	}
	return fmt.Sprintf("%s: connection %q, model %s, %s: %s", f.Severity, f.Connection, f.Model, where, f.Problem)
}

// Check compares the models of the registry, which are those that Describe lists, with the
// live tables, on the primary of each model's connection, by a statement for each table, and
// another for one whose indexes matter, on PostgreSQL and SQLite for each; those of a sharded model on every connection that has
// the table. It changes nothing, and in a transaction it sees what that has made. The findings are in order of connection, model and column,
// and empty if there are none; the error tells of connections that could not be asked,
// beside what the others said.
//
//	findings, err := registry.Check(ctx)
//	for _, f := range findings {
//		log.Print(f)
//	}
//
// It finds a table that is not there; fields without a column, and columns without a
// field that an insert must fill in; another primary key; a key that nobody makes, and no
// BelongsTo says whose it is; columns that may be NULL, whose fields cannot; fields that do not hold, or columns that do not
// keep, every value of the other side, as far as the types tell; generated columns that
// ModelConfig.Generated does not name; and defaults of the database that never apply
// because ModelConfig.Defaults does not name them.
//
// Of indexes it finds those that are missing: on the columns by which relations find
// their rows, also in the table between of ManyToMany, which needs a unique one for its
// links, and no DEFERRABLE constraint beside it; and on shard keys. It knows the relations
// that were made by now, so make them before. An index does if it begins with all of the
// columns, in any order; one of some rows only does not. Where deleted rows stay
// (SoftDelete) it finds unique indexes that hold them, too, and such as include the mark
// and therefore keep nothing apart. On PostgreSQL it finds DEFERRABLE unique constraints, by
// which Upsert, CreateIgnore and FirstOrCreate do not find the row that is there.
//
// Where each tenant has a schema or a database, it looks at those of the context's tenant:
// findings name the table with its schema ("shop_acme.invoices"), or the connection with the
// tenant ("shops/acme"). Without a tenant in the context the error tells of such models, by
// ErrNoTenant, beside the findings of all others. The rows of one table are nobody's to look
// at here: a model with TenantByColumn needs no tenant.
//
// It does not look at foreign keys and other constraints, at tables that no model has, and
// at fields of types of their own. SQLite's types say little.
func (r *Registry) Check(ctx context.Context) ([]Finding, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	if ctx == nil {
		return nil, errorf("Check: the context is nil")
	}
	findings, errs := []Finding{}, []error(nil)
	c := &inspection{reg: r, tables: map[tablePlace]*liveTable{}, asked: map[relationKey]bool{}}
	add := func(found []Finding, err error) {
		for _, f := range found {
			findings = append(findings, c.told(ctx, f))
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, s := range r.models.sources() {
		add(s.check(ctx, c))
	}
	for _, s := range r.models.sources() {
		for _, w := range s.seeks() {
			add(c.checkSought(ctx, w))
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Column, b.Column))
	})
	return findings, errors.Join(errs...)
}

// check compares the model with its table, on each connection that has it if the model
// is sharded.
func (s *source) check(ctx context.Context, c *inspection) (found []Finding, _ error) {
	names := []string{s.reg.nameOr(s.connection)}
	if s.shard != nil {
		names = s.reg.Names()
	}
	there, errs := false, []error(nil)
	for _, name := range names {
		live, err := c.table(ctx, name, s.table.Name)
		if err != nil {
			errs = append(errs, errorf("Check of table %q: %w", s.table.Name, err))
			continue
		}
		if len(live.columns) == 0 {
			continue
		}
		there = true
		found = append(found, s.compare(name, live)...)
		marked, err := c.checkMark(ctx, s, name)
		if err != nil {
			errs = append(errs, errorf("Check of the indexes of table %q: %w", s.table.Name, err))
		}
		found = append(found, marked...)
		late, err := c.checkDeferrable(ctx, s, name)
		if err != nil {
			errs = append(errs, errorf("Check of the indexes of table %q: %w", s.table.Name, err))
		}
		found = append(found, late...)
		replacing, err := c.checkReplacing(ctx, s, name)
		if err != nil {
			errs = append(errs, errorf("Check of the constraints of table %q: %w", s.table.Name, err))
		}
		found = append(found, replacing...)
	}
	if !there && len(errs) == 0 {
		name := names[0]
		if s.shard != nil {
			name = ""
		}
		found = []Finding{s.finding(name, table.Fails, "", "is not there, or this account may not see it")}
	}
	return found, errors.Join(errs...)
}

// compare compares the model with the columns of its table on one connection.
func (s *source) compare(connection string, live *liveTable) (found []Finding) {
	var refers []string
	for _, r := range s.relations.all() {
		if r.Kind == kindBelongsTo {
			refers = append(refers, r.Columns...)
		}
	}
	s.table.Compare(live.columns, refers, live.dialect, func(severity, column, problem string) {
		found = append(found, s.finding(connection, severity, column, problem))
	})
	return found
}

func (s *source) finding(connection, severity, column, problem string) Finding {
	return Finding{Severity(severity), connection, s.table.Model, s.table.Name, column, problem}
}
