package dbfleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// ExplainOptions say what Explain tells. The zero value asks for the plan alone.
type ExplainOptions struct {
	// Analyze runs the query, and has the database tell what it did: how long each step
	// took and how many rows it had. Only a plain read can be asked so; SQLite has no such
	// statement and refuses it.
	Analyze bool
}

// Plan is how a database would run a query, in its own words.
type Plan struct {
	// SQL is the statement that was explained, and Args are its arguments.
	SQL  string
	Args []any
	// Route is where it was explained, and why there.
	Route Route
	// Rows are the plan's rows as the database gives them.
	Rows []Row
	// Text is the plan for people: PostgreSQL's lines, SQLite's as a tree, of MySQL
	// and MariaDB a line for each row with the columns that are not empty.
	Text string
}

// String is Text.
func (p Plan) String() string { return p.Text }

// Explain asks the database how it would run a query, where Get would send it: the same
// node in turn, transaction, and hooks, which see the operation "explain". It is EXPLAIN
// on PostgreSQL, MySQL and MariaDB, and EXPLAIN QUERY PLAN on SQLite, which run nothing;
// with Analyze it is EXPLAIN ANALYZE, or ANALYZE of MariaDB. Relations of With are not
// explained. What the rows mean is the database's affair and changes with its version.
func Explain(ctx context.Context, q Queryable, options ...ExplainOptions) (Plan, error) {
	o, err := atMostOne(options)
	if err != nil {
		return Plan{}, told(errorf("Explain: %w", err))
	}
	base := baseOf(q)
	if err := base.usable(); err != nil {
		return Plan{}, told(err)
	}
	v := &explaining{selection: selection{trip: trip{q: base}}, analyze: o.Analyze}
	if _, err := v.run(ctx, v); err != nil {
		return Plan{}, err
	}
	v.plan.Route = v.place.toldRoute()
	return v.plan, nil
}

// explaining is the verb of Explain.
type explaining struct {
	selection
	analyze bool
	plan    Plan
}

func (v *explaining) render(p *place, s *statement) error {
	if err := v.selection.render(p, s); err != nil {
		return err
	}
	d := p.e.dialect
	switch {
	case v.analyze && s.write:
		return v.q.src.table.Fail("ExplainOptions.Analyze runs the query, which locks rows or is not known to be a plain read")
	case v.analyze && d.Analyze == "":
		return v.q.src.table.Fail("ExplainOptions.Analyze: %s has no statement that tells what a query did", d.Name)
	}
	v.plan.SQL, v.plan.Args = s.text, s.args
	s.op = "explain"
	if v.analyze {
		s.text = d.Analyze + s.text
	} else {
		s.text = d.Explain + s.text
	}
	return nil
}

// hedges says that no second node is asked: whose plan it is would not be told.
func (v *explaining) hedges() bool { return false }

func (v *explaining) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if !v.analyze || p.e.dialect != dialect.MySQL {
		return p.rows(ctx, nil, s, v)
	}
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	if c.Returns() { // MariaDB
		s.text = dialect.MariaDBAnalyze + v.plan.SQL
	}
	return p.rows(ctx, c, s, v)
}

func (v *explaining) read(rows driver.Rows) (int64, error) {
	columns := append([]string(nil), rows.Columns()...)
	list, err := rowmap.ReadRows(rows, v.place.e.dialect)
	if err != nil {
		return 0, err
	}
	v.plan.Rows = make([]Row, len(list))
	for i, row := range list {
		v.plan.Rows[i] = row
	}
	v.plan.Text = planText(v.plan.Rows, columns, v.place.e.dialect)
	return int64(len(list)), nil
}

func (v *explaining) finish(context.Context, *place, driver.Result) error { return nil }

// planText writes a plan for people.
func planText(rows []Row, columns []string, d *dialect.Dialect) string {
	var b strings.Builder
	depth := map[any]int{}
	for _, row := range rows {
		switch {
		case d == dialect.SQLite:
			at := 0
			if parent, ok := depth[row["parent"]]; ok {
				at = parent + 1
			}
			depth[row["id"]] = at
			fmt.Fprintf(&b, "%s%v", strings.Repeat("  ", at), row["detail"])
		case len(columns) == 1:
			fmt.Fprint(&b, row[columns[0]])
		default:
			sep := ""
			for _, c := range columns {
				if row[c] != nil && row[c] != "" {
					fmt.Fprintf(&b, "%s%s: %v", sep, c, row[c])
					sep = ", "
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
