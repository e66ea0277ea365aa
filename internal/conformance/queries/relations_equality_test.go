package queries

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A holder has a code; holdings refer to it by a column whose equality is the
// database's.
type holder struct {
	ID       int64
	Code     string
	Holdings []holding
	Latest   *holding
}

type holding struct {
	ID     int64
	Ref    string
	Note   *string
	Holder *holder
	Rivals []holder
}

// textColumns are columns that compare texts in other ways than Go does, and
// statements that they need.
var textColumns = map[string]map[string][]string{
	"sqlite": {
		"TEXT": nil, "TEXT COLLATE NOCASE": nil, "TEXT COLLATE RTRIM": nil, "VARCHAR(9) COLLATE NOCASE": nil,
	},
	"postgres": {
		"TEXT": nil, "CHAR(8)": nil, "VARCHAR(8)": nil,
		"CITEXT": {`CREATE EXTENSION citext`},
		`TEXT COLLATE "same"`: {
			`CREATE COLLATION same (provider = icu, deterministic = false, locale = 'und-u-ks-level1-ka-shifted-kn-true')`},
		`TEXT COLLATE "letters"`: {`CREATE COLLATION letters (provider = icu, deterministic = false, locale = 'hu-u-ks-level1')`},
	},
	"mysql": {
		"VARCHAR(20) COLLATE utf8mb4_bin": nil, "VARCHAR(20) COLLATE utf8mb4_nopad_bin": nil, "VARCHAR(20) COLLATE utf8mb4_general_ci": nil,
		"VARCHAR(20) COLLATE utf8mb4_unicode_520_ci": nil, "VARCHAR(20) COLLATE utf8mb4_lithuanian_ci": nil, "CHAR(20) COLLATE utf8mb4_bin": nil,
		"VARCHAR(20) CHARACTER SET latin1": nil, "VARBINARY(20)": nil,
	},
}

// binaryText is a column for texts that are equal only if all bytes are.
var binaryText = map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_nopad_bin"}

// sameAsFor demands that With gave each parent what For finds for it.
func sameAsFor(t *testing.T, parents []holder, many dbfleet.ToMany[holder, holding], one dbfleet.ToOne[holder, holding]) (found int) {
	t.Helper()
	for i := range parents {
		p := &parents[i]
		want, err := many.For(p).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, noRelations(want), noRelations(p.Holdings), "%q", p.Code)
		found += len(want)
		first, err := one.For(p).First(t.Context())
		if p.Latest == nil {
			require.ErrorIs(t, err, dbfleet.ErrNotFound, "%q", p.Code)
			continue
		}
		require.NoError(t, err, "%q", p.Code)
		require.Equal(t, first.ID, p.Latest.ID, "%q", p.Code)
	}
	return found
}

func noRelations(list []holding) []holding {
	list = slices.Clone(list)
	for i := range list {
		list[i].Holder, list[i].Rivals = nil, nil
	}
	return list
}

func scoped(f func(*dbfleet.Query[holding]) *dbfleet.Query[holding]) func(*dbfleet.Query[holding]) *dbfleet.Query[holding] {
	return f
}

func holdingsIn(parents *dbfleet.Model[holder], children *dbfleet.Model[holding]) (dbfleet.ToMany[holder, holding], dbfleet.ToOne[holder, holding], dbfleet.ToOne[holding, holder]) {
	return dbfleet.HasMany(parents, children, dbfleet.On("ref", "code"), func(h *holder) *[]holding { return &h.Holdings }).
			Scope(func(q *dbfleet.Query[holding]) *dbfleet.Query[holding] { return q.OrderBy("id", "asc") }),
		dbfleet.HasOne(parents, children, dbfleet.On("ref", "code"), func(h *holder) **holding { return &h.Latest }).
			Scope(func(q *dbfleet.Query[holding]) *dbfleet.Query[holding] { return q.OrderBy("id", "desc") }),
		dbfleet.BelongsTo(children, parents, dbfleet.On("ref", "code"), func(h *holding) **holder { return &h.Holder }).
			Scope(func(q *dbfleet.Query[holder]) *dbfleet.Query[holder] { return q.OrderBy("id", "asc") })
}

// truth 301
//
// Whatever the column's collation or type says: With gives each parent what For
// finds for it, for keys of which several parents share the equal ones too.
func TestRelation_WithGivesWhatForFinds(t *testing.T) {
	t.Parallel()
	codes := []string{"a", "A", "ada", "Ada ", "ada  ", "bob", "x-1", "x1", "X 01", "iy", "yi", "cs", "ccs", "cscs", "ch", "c", "lone", "é", "e", "É", "ä", "ss", "ß", "Straße", "strasse", "10", "1-0", "010", "юла", "ЮЛА", "🐘", "🦒"}
	refs := append(slices.Clone(codes), "A ", "aDA", "BOB", "bob ", "X1", "x-01", "CSCS", "orphan", "E", "ювa")
	pages := map[string]func(*dbfleet.Query[holder]) *dbfleet.Query[holder]{
		"all":          func(q *dbfleet.Query[holder]) *dbfleet.Query[holder] { return q },
		"one":          func(q *dbfleet.Query[holder]) *dbfleet.Query[holder] { return q.Where("id", "=", 1) },
		"without case": func(q *dbfleet.Query[holder]) *dbfleet.Query[holder] { return q.WhereIn("id", []int{1, 3, 6, 17}) },
		"accents":      func(q *dbfleet.Query[holder]) *dbfleet.Query[holder] { return q.WhereIn("id", []int{18, 19, 22, 23}) },
	}
	for _, dialect := range dbtest.Dialects {
		for column, needs := range textColumns[dialect] {
			t.Run(dialect+" "+column, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				db := dbtest.New(t, dialect)
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
				fl := conformance.Fleet{Registry: r, Database: db}
				fl.Create(t, needs...)
				fl.Create(t, "CREATE TABLE holders (id {id}, code "+binaryText[dialect]+")", "CREATE TABLE holdings (id {id}, ref "+column+", note {text})")
				holders := conformance.Model[holder](t, r, dbfleet.ModelConfig{Table: "holders"})
				holdings := conformance.Model[holding](t, r, dbfleet.ModelConfig{Table: "holdings"})
				codes, refs := codes, refs
				if strings.HasSuffix(column, "latin1") { // has no more letters, and refuses to be compared with others
					others := func(s string) bool { return strings.ContainsAny(s, "юЮ🐘🦒") }
					codes, refs = slices.DeleteFunc(slices.Clone(codes), others), slices.DeleteFunc(slices.Clone(refs), others)
				}
				for _, code := range codes {
					require.NoError(t, holders.Create(ctx, &holder{Code: code}))
				}
				for i, ref := range refs {
					require.NoError(t, holdings.Create(ctx, &holding{Ref: ref, Note: at(fmt.Sprint(i))}), ref)
				}
				many, one, holderOf := holdingsIn(holders, holdings)
				for name, page := range pages {
					list, err := page(holders.With(many.With(holderOf), one)).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err, name)
					require.NotZero(t, sameAsFor(t, list, many, one), name)
					for _, h := range list {
						for i := range h.Holdings { // nested, the other way round
							owner, err := holderOf.For(&h.Holdings[i]).First(ctx)
							if h.Holdings[i].Holder == nil {
								require.ErrorIs(t, err, dbfleet.ErrNotFound)
								continue
							}
							require.NoError(t, err)
							require.Equal(t, owner.ID, h.Holdings[i].Holder.ID)
						}
					}
					// Two of each parent, in a narrowed list without those that have none.
					two := many.Scope(scoped(func(q *dbfleet.Query[holding]) *dbfleet.Query[holding] { return q.Where("id", ">", 3).Limit(2) }))
					list, err = page(holders.With(two, one)).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err, name)
					sameAsFor(t, list, two, one)
				}
				// From the column with the equality to the bytes.
				found, err := holdings.With(holderOf).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				for i := range found {
					owner, err := holderOf.For(&found[i]).First(ctx)
					if found[i].Holder == nil {
						require.ErrorIs(t, err, dbfleet.ErrNotFound, found[i].Ref)
						continue
					}
					require.NoError(t, err)
					require.Equal(t, owner.ID, found[i].Holder.ID, found[i].Ref)
				}
			})
		}
	}
}

// truth 302
//
// 5,100 parents are more than one statement asks for; 'K1' of the second has the
// rows of 'k1' in the first.
func TestRelation_EqualKeysInDifferentStatements(t *testing.T) {
	t.Parallel()
	column := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, "CREATE EXTENSION citext")
		}
		fl.Create(t, "CREATE TABLE holders (id {id}, code "+binaryText[fl.Database.Dialect]+")", "CREATE TABLE holdings (id {id}, ref "+column[fl.Database.Dialect]+", note {text})",
			"CREATE INDEX holdings_ref ON holdings (ref)")
		holders := conformance.Model[holder](t, fl.Registry, dbfleet.ModelConfig{Table: "holders"})
		holdings := conformance.Model[holding](t, fl.Registry, dbfleet.ModelConfig{Table: "holdings"})
		list := make([]holder, 5100)
		for i := range list {
			list[i] = holder{ID: int64(i + 1), Code: fmt.Sprint("k", i+1)}
		}
		list[5049].Code = "K1"
		require.NoError(t, holders.CreateMany(ctx, list))
		require.NoError(t, holdings.CreateMany(ctx, []holding{{Ref: "k1"}, {Ref: "K1"}, {Ref: "k5051"}}))
		many, one, _ := holdingsIn(holders, holdings)
		found, err := holders.With(many, one).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Len(t, found[0].Holdings, 2)
		require.Equal(t, noRelations(found[0].Holdings), noRelations(found[5049].Holdings))
		require.Len(t, found[5050].Holdings, 1)
		require.EqualValues(t, 2, found[5049].Latest.ID)
	})
}

// truth 303
//
// Texts, decimals, numbers and times that the database holds for equal though they
// are written in several ways.
func TestRelation_KeysThatAreWrittenInSeveralWays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		column string
		on     []string
		codes  []string
		refs   []string
	}{
		"decimals":              {"DECIMAL(10,2)", dbtest.Dialects, []string{"1", "1.0", "1.00", "10", "2.5", "2.50"}, []string{"1.00", "10.00", "2.50"}},
		"integers":              {"BIGINT", []string{"sqlite", "mysql"}, []string{"7", "07", "8"}, []string{"7", "8"}},
		"floats":                {"DOUBLE PRECISION", dbtest.Dialects, []string{"0.5", "0.50", "5e-1", "2"}, []string{"0.5", "2"}},
		"uuids":                 {"UUID", []string{"postgres", "mysql"}, []string{"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
		"addresses of 16 bytes": {"INET6", []string{"mysql"}, []string{"::1", "0:0:0:0:0:0:0:1", "::ffff:10.0.0.1", "::FFFF:a00:1"}, []string{"::1", "::ffff:10.0.0.1"}},
		"addresses":             {"INET", []string{"postgres"}, []string{"10.0.0.1", "10.0.0.1/32", "10.0.0.2"}, []string{"10.0.0.1", "10.0.0.2"}},
	} {
		for _, dialect := range tc.on {
			t.Run(name+" "+dialect, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				db := dbtest.New(t, dialect)
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
				code := map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "VARCHAR(50) COLLATE utf8mb4_nopad_bin"}[dialect]
				conformance.Fleet{Registry: r, Database: db}.Create(t, "CREATE TABLE holders (id {id}, code "+code+")", "CREATE TABLE holdings (id {id}, ref "+tc.column+", note {text})")
				holders := conformance.Model[holder](t, r, dbfleet.ModelConfig{Table: "holders"})
				holdings := conformance.Model[holding](t, r, dbfleet.ModelConfig{Table: "holdings"})
				for _, c := range tc.codes {
					require.NoError(t, holders.Create(ctx, &holder{Code: c}))
				}
				for _, c := range tc.refs {
					require.NoError(t, holdings.Create(ctx, &holding{Ref: c}))
				}
				many, one, _ := holdingsIn(holders, holdings)
				list, err := holders.With(many, one).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				require.Greater(t, sameAsFor(t, list, many, one), 1)
			})
		}
	}
}

type visitor struct {
	ID   int64
	At   time.Time
	Rank float64
	Days []day
	Near []day
}

type day struct {
	ID   int64
	Day  time.Time
	Rank float64
}

// truth 304
//
// A day is equal to what the database cuts to it; a single-precision number to what
// it rounds to it.
func TestRelation_KeysOfOtherPrecision(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		single := map[string]string{"sqlite": "REAL", "postgres": "REAL", "mysql": "FLOAT"}[fl.Database.Dialect]
		fl.Create(t, "CREATE TABLE visitors (id {id}, at {time}, rank {float})", "CREATE TABLE days (id {id}, day {date}, rank "+single+")")
		visitors := conformance.Model[visitor](t, fl.Registry, dbfleet.ModelConfig{Table: "visitors"})
		days := conformance.Model[day](t, fl.Registry, dbfleet.ModelConfig{Table: "days"})
		midnight := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, visitors.CreateMany(ctx, []visitor{{At: midnight, Rank: 0.1}, {At: midnight.Add(10 * time.Hour), Rank: float64(float32(0.1))},
			{At: midnight.Add(48 * time.Hour), Rank: 0.5}, {At: midnight.Add(49 * time.Hour), Rank: 2}}))
		require.NoError(t, days.CreateMany(ctx, []day{{Day: midnight, Rank: 0.1}, {Day: midnight.Add(48 * time.Hour), Rank: 0.5}}))
		daysOf := dbfleet.HasMany(visitors, days, dbfleet.On("day", "at"), func(v *visitor) *[]day { return &v.Days })
		near := dbfleet.HasMany(visitors, days, dbfleet.On("rank", "rank"), func(v *visitor) *[]day { return &v.Near })
		for _, ids := range [][]int{{1, 2, 3, 4}, {2, 3}, {1, 3}, {1}, {2}} {
			list, err := visitors.With(daysOf, near).Where("id", "IN", ids).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			for i := range list {
				want, err := daysOf.For(&list[i]).Get(ctx)
				require.NoError(t, err)
				require.Equal(t, want, list[i].Days, "day %d", list[i].ID)
				want, err = near.For(&list[i]).Get(ctx)
				require.NoError(t, err)
				require.Equal(t, want, list[i].Near, "rank %d", list[i].ID)
			}
		}
	})
}

// truth 308
func TestRelation_KeyIsTheColumnAndNotAnAliasOfItsName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		alias := postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
			return q.Select("id", "title").SelectRaw("1 AS person_id")
		})
		list, err := l.people.With(alias).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two"}, titles(list[0].Posts))
		require.Equal(t, []string{"three"}, titles(list[1].Posts))
		require.Equal(t, []string{"four", "one"}, titles(list[4].Posts))
	})
}

// truth 306
func TestRelation_KeysOfOtherGoTypes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE nodes (id {bigint} PRIMARY KEY, up {bigint})")
		type small struct {
			ID int32
			Up *int32
		}
		type node struct {
			ID    uint64
			Up    *uint64
			Kids  []small `db:"-"`
			Above *small  `db:"-"`
		}
		nodes := conformance.Model[node](t, fl.Registry, dbfleet.ModelConfig{Table: "nodes"})
		smalls := conformance.Model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "nodes"})
		require.NoError(t, nodes.CreateMany(ctx, []node{{ID: 1}, {ID: 2, Up: at[uint64](1)}, {ID: 3, Up: at[uint64](1)}, {ID: 4, Up: at[uint64](9)}}))
		kids := dbfleet.HasMany(nodes, smalls, dbfleet.On("up"), func(n *node) *[]small { return &n.Kids })
		above := dbfleet.BelongsTo(nodes, smalls, dbfleet.On("up"), func(n *node) **small { return &n.Above })
		list, err := nodes.With(kids, above).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Len(t, list[0].Kids, 2)
		require.Nil(t, list[0].Above, "NULL refers to nothing")
		require.EqualValues(t, 1, list[1].Above.ID)
		require.EqualValues(t, 1, list[2].Above.ID)
		require.NotSame(t, list[1].Above, list[2].Above)
		require.Nil(t, list[3].Above, "what is not there is no error")
	})
}
