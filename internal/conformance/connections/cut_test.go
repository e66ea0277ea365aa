package connections_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type cutParent struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`

	Children []cutChild `db:"-"`
	Number   int64      `db:"-"`
	Has      bool       `db:"-"`
	Total    string     `db:"-"`
}

type cutChild struct {
	ID       int64  `db:"id"`
	ParentID int64  `db:"parent_id"`
	Name     string `db:"name"`
}

// cutRows is how many parents there are, each with as many children.
const cutRows = 4

// A path reads, or writes and reads back. It tells what it has read.
type path struct {
	name   string
	marker string // what its statement has
	step   int    // packets between two cuts; 1 is for the ways that are unlike all others
	run    func(ctx context.Context) (string, error)
}

// every is how many packets there are between two places of an answer that are cut.
func (p path) every() int {
	if torture {
		return 1
	}
	return p.step
}

// cuts are how an answer is cut at a place, by FIN and by RST: each time, or once.
func (p path) cuts(packets int) []dbtest.Fault {
	switch {
	case torture:
		return []dbtest.Fault{{}, {Reset: true}, {Times: 1}, {Reset: true, Times: 1}}
	case p.step == 1:
		return []dbtest.Fault{{}, {Reset: true}, {Reset: packets%2 == 1, Times: 1}}
	}
	return []dbtest.Fault{{Reset: packets%2 == 1, Times: packets / 2 % 2}}
}

// torture has every path cut at each packet in each way.
var torture = os.Getenv("DBFLEET_TORTURE") != ""

// rawText is the text of rows that are read by database/sql.
func rawText(rows *sql.Rows, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		names = append(names, name)
	}
	return strings.Join(names, ","), rows.Err()
}

func cutFleet(t *testing.T, fl conformance.Fleet) []path {
	t.Helper()
	fl.Create(t, `CREATE TABLE parents (id {id}, name {text})`, `CREATE TABLE children (id {id}, parent_id {bigint}, name {text})`, `CREATE TABLE made (id {id}, name {text})`)
	parents := conformance.Model[cutParent](t, fl.Registry, dbfleet.ModelConfig{Table: "parents"})
	children := conformance.Model[cutChild](t, fl.Registry, dbfleet.ModelConfig{Table: "children"})
	made := conformance.Model[cutParent](t, fl.Registry, dbfleet.ModelConfig{Table: "made"})
	for i := range cutRows {
		fl.Create(t, fmt.Sprintf(`INSERT INTO parents (name) VALUES ('p%d')`, i))
		for j := range cutRows {
			fl.Create(t, fmt.Sprintf(`INSERT INTO children (parent_id, name) VALUES (%d, 'c%d')`, i+1, j))
		}
	}
	fl.Create(t, `CREATE TABLE tagged (id {id}, name {text})`, `CREATE TABLE marks (id {id}, parent_id {bigint}, name {text})`)
	for i := range cutRows { // no keys that Go can tell apart, so that each is asked for
		fl.Create(t, fmt.Sprintf(`INSERT INTO tagged (name) VALUES ('é%d')`, i), fmt.Sprintf(`INSERT INTO marks (name) VALUES ('é%d')`, i), fmt.Sprintf(`INSERT INTO marks (name) VALUES ('é%d')`, i))
	}
	tagged := conformance.Model[cutParent](t, fl.Registry, dbfleet.ModelConfig{Table: "tagged"})
	marks := conformance.Model[cutChild](t, fl.Registry, dbfleet.ModelConfig{Table: "marks"})
	byName := dbfleet.HasMany(tagged, marks, dbfleet.On("name", "name"), func(p *cutParent) *[]cutChild { return &p.Children })
	has := dbfleet.HasMany(parents, children, dbfleet.On("parent_id"), func(p *cutParent) *[]cutChild { return &p.Children })
	db := fl.DB("main")
	const raw = "SELECT name FROM parents ORDER BY id"
	ordered := parents.OrderBy("id", dbfleet.Asc)
	tell := func(v any, err error) (string, error) { return fmt.Sprint(v), err }
	number := dbfleet.CountRelated(has, func(p *cutParent) *int64 { return &p.Number })
	few := has.Scope(func(q *dbfleet.Query[cutChild]) *dbfleet.Query[cutChild] {
		return q.OrderBy("id", dbfleet.Desc).Limit(2)
	})
	return []path{
		{"counts", "marks", 1, func(ctx context.Context) (string, error) {
			return tell(tagged.OrderBy("id", dbfleet.Asc).With(dbfleet.CountRelated(byName, func(p *cutParent) *int64 { return &p.Number })).Get(ctx))
		}},
		{"whether there are some", "marks", 1, func(ctx context.Context) (string, error) {
			return tell(tagged.OrderBy("id", dbfleet.Asc).With(dbfleet.ExistsRelated(byName, func(p *cutParent) *bool { return &p.Has })).Get(ctx))
		}},
		{"sums", "marks", 1, func(ctx context.Context) (string, error) {
			return tell(tagged.OrderBy("id", dbfleet.Asc).With(dbfleet.SumRelated(byName, "id", func(p *cutParent) *string { return &p.Total })).Get(ctx))
		}},
		{"count of each", "children", 3, func(ctx context.Context) (string, error) { return tell(ordered.With(number).Get(ctx)) }},
		{"few of each", "children", 3, func(ctx context.Context) (string, error) { return tell(ordered.With(few).Get(ctx)) }},
		{"parents that have", "children", 3, func(ctx context.Context) (string, error) { return tell(ordered.Filter(has.Has()).Get(ctx)) }},
		{"page", "parents", 3, func(ctx context.Context) (string, error) {
			page, err := dbfleet.CursorPage(ctx, ordered, dbfleet.Cursor{Size: 3})
			return fmt.Sprint(page.Items), err
		}},
		{"numbered page", "parents", 3, func(ctx context.Context) (string, error) { return tell(dbfleet.PageOf(ctx, ordered, 1, 3)) }},
		{"chunks", "parents", 3, func(ctx context.Context) (string, error) {
			all := ""
			err := dbfleet.Chunk(ctx, parents.Query(), 3, func(_ context.Context, list []cutParent) error {
				all += fmt.Sprint(list)
				return nil
			})
			return all, err
		}},
		{"refresh", "parents", 3, func(ctx context.Context) (string, error) {
			p := cutParent{ID: 2}
			err := parents.Refresh(ctx, &p)
			return fmt.Sprint(p), err
		}},
		{"first or create", "parents", 3, func(ctx context.Context) (string, error) {
			p := cutParent{ID: 2}
			created, err := parents.FirstOrCreate(ctx, &p)
			return fmt.Sprint(p, created), err
		}},
		{"find many", "parents", 3, func(ctx context.Context) (string, error) { return tell(parents.FindMany(ctx, 1, 2, 3)) }},
		{"select", "parents", 3, func(ctx context.Context) (string, error) { return tell(dbfleet.Select[string](ctx, db, raw)) }},
		{"insert returning", "made", 3, func(ctx context.Context) (string, error) {
			list, err := dbfleet.InsertReturning(ctx, db.Table("made"), dbfleet.Row{"name": "a"}, dbfleet.Row{"name": "b"})
			return fmt.Sprint(len(list)), err
		}},
		{"get", "parents", 1, func(ctx context.Context) (string, error) { return tell(ordered.Get(ctx)) }},
		{"maps", "parents", 3, func(ctx context.Context) (string, error) {
			return tell(db.Table("parents").OrderBy("id", dbfleet.Asc).Get(ctx))
		}},
		{"first", "parents", 1, func(ctx context.Context) (string, error) { return tell(ordered.First(ctx)) }},
		{"find", "parents", 1, func(ctx context.Context) (string, error) { return tell(parents.Find(ctx, 2)) }},
		{"iter", "parents", 1, func(ctx context.Context) (string, error) {
			var all []cutParent
			for p, err := range ordered.Iter(ctx) {
				if err != nil {
					return "", err
				}
				all = append(all, p)
			}
			return fmt.Sprint(all), nil
		}},
		{"count", "parents", 3, func(ctx context.Context) (string, error) { return tell(parents.Count(ctx)) }},
		{"exists", "parents", 3, func(ctx context.Context) (string, error) { return tell(ordered.Exists(ctx)) }},
		{"sum", "parents", 3, func(ctx context.Context) (string, error) { return tell(parents.Query().Sum(ctx, "id")) }},
		{"max", "parents", 3, func(ctx context.Context) (string, error) { return tell(parents.Query().Max(ctx, "id")) }},
		{"pluck", "parents", 3, func(ctx context.Context) (string, error) { return tell(ordered.Pluck(ctx, "name")) }},
		{"typed pluck", "parents", 3, func(ctx context.Context) (string, error) { return tell(dbfleet.Pluck[string](ctx, ordered, "name")) }},
		{"relation", "children", 1, func(ctx context.Context) (string, error) { return tell(ordered.With(has).Get(ctx)) }},
		{"raw", "parents", 3, func(ctx context.Context) (string, error) { return rawText(db.QueryContext(ctx, raw)) }},
		{"raw row", "parents", 3, func(ctx context.Context) (s string, err error) {
			err = db.QueryRowContext(ctx, "SELECT name FROM parents WHERE id = 3").Scan(&s)
			return s, err
		}},
		{"pool", "parents", 3, func(ctx context.Context) (string, error) { return rawText(db.Pool().QueryContext(ctx, raw)) }},
		{"pool row", "parents", 3, func(ctx context.Context) (s string, err error) {
			err = db.Pool().QueryRowContext(ctx, raw).Scan(&s)
			return s, err
		}},
		{"transaction", "parents", 3, func(ctx context.Context) (s string, err error) {
			err = db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				list, err := ordered.Get(ctx)
				if err != nil {
					return err
				}
				names, err := rawText(tx.QueryContext(ctx, raw))
				s = fmt.Sprint(list, names)
				return err
			})
			return s, err
		}},
		{"create", "made", 3, func(ctx context.Context) (string, error) {
			p := cutParent{Name: "new"}
			err := made.Create(ctx, &p)
			return fmt.Sprint(p.ID > 0), err
		}},
		{"create many", "made", 1, func(ctx context.Context) (string, error) {
			list := make([]cutParent, cutRows)
			err := made.CreateMany(ctx, list)
			return fmt.Sprint(slices.ContainsFunc(list, func(p cutParent) bool { return p.ID == 0 })), err
		}},
		{"load", "made", 3, func(ctx context.Context) (string, error) {
			return tell(made.Load(ctx, slices.Values(make([]cutParent, cutRows))))
		}},
	}
}

// truth 901, 906
// Whatever part of an answer arrives before the connection ends: it is an error, or
// the whole answer, asked for again.
func TestCut_AnAnswerIsNeverShort(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		ctx := t.Context()
		for _, p := range cutFleet(t, fl) {
			want, err := p.run(ctx)
			require.NoError(t, err, p.name)
			errs := 0
			for packets, over := 0, false; !over; packets += p.every() {
				for _, cut := range p.cuts(packets) {
					cut.Marker, cut.Action, cut.Packets, cut.Dialect = p.marker, dbtest.CutReply, packets, db.Dialect
					proxy.Cut() // statements are prepared anew, so that their texts pass
					proxy.On(cut)
					got, err := p.run(ctx)
					proxy.Heal()
					where := fmt.Sprintf("%s: after %d packets, %+v", p.name, packets, cut)
					if err == nil {
						require.Equal(t, want, got, where)
						over = over || cut.Times == 0 // every answer would have been cut
						continue
					}
					over = false
					errs++
					require.NotErrorIs(t, err, sql.ErrNoRows, where)
					if p.step == 1 || p.marker != "parents" { // database/sql's rows have the driver's errors
						require.ErrorIs(t, err, dbfleet.ErrConnection, where)
					}
				}
			}
			require.NotZero(t, errs, p.name)
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}
