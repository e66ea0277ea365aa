package relations

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type country struct {
	ID        int64
	Name      string
	Citizens  []citizen
	Essays    []writing
	FirstOne  *writing
	Sentences []sentence
}

type citizen struct {
	ID        int64
	CountryID *int64
	Name      string
	Essays    []writing
}

type writing struct {
	ID        int64
	CitizenID *int64
	Title     string
	Sentences []sentence
	Author    *citizen
}

type sentence struct {
	ID      int64
	EssayID int64
	Text    string
}

// world is a country whose citizens write essays, each table on a connection of its own.
type world struct {
	*dbfleet.Registry
	countries *dbfleet.Model[country]
	citizens  *dbfleet.Model[citizen]
	essays    *dbfleet.Model[writing]
	sentences *dbfleet.Model[sentence]
}

// newWorld makes tables on the connections of these dialects: those of one name are one.
func newWorld(t *testing.T, dialects [4]string, apart bool) world {
	t.Helper()
	ctx := t.Context()
	connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, dialects[0]))}
	var on [4]string
	for i, d := range dialects {
		if on[i] = "main"; apart && i > 0 {
			on[i] = fmt.Sprint("level", i)
			connections[on[i]] = conformance.ConnectionTo(dbtest.New(t, d))
		}
	}
	r := conformance.Open(t, connections)
	for i, ddl := range []string{
		`CREATE TABLE countries (id {id}, name {text} NOT NULL)`,
		`CREATE TABLE citizens (id {id}, country_id {bigint}, name {text} NOT NULL)`,
		`CREATE TABLE essays (id {id}, citizen_id {bigint}, title {text} NOT NULL)`,
		`CREATE TABLE sentences (id {id}, essay_id {bigint} NOT NULL, text {text} NOT NULL)`,
	} {
		_, err := r.DB(on[i]).ExecContext(ctx, conformance.DDL(dialects[i], ddl))
		require.NoError(t, err)
	}
	w := world{
		r,
		conformance.Model[country](t, r, dbfleet.ModelConfig{Table: "countries", Connection: on[0]}),
		conformance.Model[citizen](t, r, dbfleet.ModelConfig{Table: "citizens", Connection: on[1]}),
		conformance.Model[writing](t, r, dbfleet.ModelConfig{Table: "essays", Connection: on[2]}),
		conformance.Model[sentence](t, r, dbfleet.ModelConfig{Table: "sentences", Connection: on[3]}),
	}
	id := func(n int64) *int64 { return &n }
	require.NoError(t, w.countries.CreateMany(ctx, []country{{ID: 1, Name: "norway"}, {ID: 2, Name: "chad"}, {ID: 3, Name: "peru"}}))
	require.NoError(t, w.citizens.CreateMany(ctx, []citizen{
		{ID: 1, CountryID: id(1), Name: "ada"}, {ID: 2, CountryID: id(2), Name: "bob"}, {ID: 3, CountryID: id(1), Name: "cid"}, {ID: 4, Name: "dan"},
	}))
	require.NoError(t, w.essays.CreateMany(ctx, []writing{
		{ID: 1, CitizenID: id(3), Title: "fish"}, {ID: 2, CitizenID: id(1), Title: "art"}, {ID: 3, CitizenID: id(2), Title: "dust"},
		{ID: 4, CitizenID: id(1), Title: "gold"}, {ID: 5, CitizenID: id(4), Title: "none"}, {ID: 6, Title: "nobody"},
	}))
	for e := range int64(6) {
		for s := range int64(2) {
			require.NoError(t, w.sentences.Create(ctx, &sentence{EssayID: e + 1, Text: fmt.Sprint(e+1, ".", s+1)}))
		}
	}
	return w
}

func (w world) citizensOf() dbfleet.ToMany[country, citizen] {
	return dbfleet.HasMany(w.countries, w.citizens, dbfleet.On("country_id"), func(c *country) *[]citizen { return &c.Citizens })
}

func (w world) essaysOf() dbfleet.ToMany[citizen, writing] {
	return dbfleet.HasMany(w.citizens, w.essays, dbfleet.On("citizen_id"), func(c *citizen) *[]writing { return &c.Essays })
}

func (w world) sentencesOf() dbfleet.ToMany[writing, sentence] {
	return dbfleet.HasMany(w.essays, w.sentences, dbfleet.On("essay_id"), func(e *writing) *[]sentence { return &e.Sentences })
}

func (w world) essaysIn() dbfleet.ToManyThrough[country, writing] {
	return dbfleet.HasManyThrough(w.citizensOf(), w.essaysOf(), func(c *country) *[]writing { return &c.Essays }).
		Scope(func(q *dbfleet.Query[writing]) *dbfleet.Query[writing] { return q.OrderBy("title", "asc") })
}

// counted tells how many statements a registry has sent.
func counted(r *dbfleet.Registry) func() int {
	var n atomic.Int64
	r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		if e.Op != "begin" && e.Op != "commit" {
			n.Add(1)
		}
	})
	return func() int { return int(n.Load()) }
}

func essayTitles(list []writing) []string {
	out := []string{}
	for _, e := range list {
		out = append(out, e.Title)
	}
	return out
}

// onWorlds runs a test with all tables on one connection of each kind, and with each table
// on a database of another.
func onWorlds(t *testing.T, f func(t *testing.T, w world, apart bool)) {
	t.Helper()
	for _, d := range dbtest.Dialects {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, [4]string{d, d, d, d}, false), false)
		})
	}
	t.Run("all apart", func(t *testing.T) {
		t.Parallel()
		f(t, newWorld(t, [4]string{"postgres", "sqlite", "mysql", "postgres"}, true), true)
	})
}

func TestThrough_LoadsWhatOthersHave(t *testing.T) {
	t.Parallel()
	onWorlds(t, func(t *testing.T, w world, apart bool) {
		ctx := t.Context()
		firstIn := dbfleet.HasOneThrough(w.citizensOf(), w.essaysOf(), func(c *country) **writing { return &c.FirstOne }).
			Scope(func(q *dbfleet.Query[writing]) *dbfleet.Query[writing] { return q.OrderBy("title", "desc") })
		all := dbfleet.HasManyThrough(w.essaysIn(), w.sentencesOf(), func(c *country) *[]sentence { return &c.Sentences }).
			Scope(func(q *dbfleet.Query[sentence]) *dbfleet.Query[sentence] { return q.OrderBy("id", "asc") })
		sent := counted(w.Registry)
		list, err := w.countries.With(w.essaysIn()).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 3, sent(), "one for each level")
		require.Equal(t, []string{"art", "fish", "gold"}, essayTitles(list[0].Essays))
		require.Equal(t, []string{"dust"}, essayTitles(list[1].Essays))
		require.NotNil(t, list[2].Essays, "none is an empty slice")
		require.Empty(t, list[2].Essays)
		require.Nil(t, list[0].Citizens, "those between are not kept")

		list, err = w.countries.With(firstIn, all, w.essaysIn().With(w.sentencesOf())).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "gold", list[0].FirstOne.Title)
		require.Equal(t, "dust", list[1].FirstOne.Title)
		require.Nil(t, list[2].FirstOne)
		require.Len(t, list[0].Sentences, 6, "three steps")
		require.Equal(t, "1.1", list[0].Sentences[0].Text)
		require.Len(t, list[0].Essays[2].Sentences, 2, "nested")

		// Some for each parent.
		some := w.essaysIn().Scope(func(q *dbfleet.Query[writing]) *dbfleet.Query[writing] { return q.Limit(2).Offset(1) })
		list, err = w.countries.With(some).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"fish", "gold"}, essayTitles(list[0].Essays))
		require.Empty(t, list[1].Essays)

		// One parent's, as a query to go on with.
		for i := range list {
			lazy, err := w.essaysIn().For(&list[i]).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, [][]string{{"art", "fish", "gold"}, {"dust"}, {}}[i], essayTitles(lazy))
		}
		before := sent()
		n, err := w.essaysIn().For(&list[0]).Where("title", "!=", "art").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, map[bool]int{false: 1, true: 2}[apart], sent()-before, "a subquery, or the keys first")
		sentences, err := all.For(&list[1]).Get(ctx)
		require.NoError(t, err)
		require.Len(t, sentences, 2)

		// Parents by what they have through others.
		title := dbfleet.Col[string]("title")
		rich, err := w.countries.Filter(w.essaysIn().Has(title.Eq("gold"))).Get(ctx)
		require.NoError(t, err)
		require.Len(t, rich, 1)
		require.Equal(t, "norway", rich[0].Name)
		idle, err := w.countries.Filter(w.essaysIn().HasNone()).Get(ctx)
		require.NoError(t, err)
		require.Len(t, idle, 1)
		require.Equal(t, "peru", idle[0].Name)

		// Backwards: of those that records belong to.
		authorOf := dbfleet.BelongsTo(w.essays, w.citizens, dbfleet.On("citizen_id"), func(e *writing) **citizen { return &e.Author })
		siblings := dbfleet.HasManyThrough(authorOf, w.essaysOf(), func(*writing) *[]writing { return new([]writing) })
		art := writing{ID: 2, CitizenID: func() *int64 { n := int64(1); return &n }()}
		others, err := siblings.For(&art).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"art", "gold"}, essayTitles(others))
	})
}

// In the parents' transaction, before anybody else sees them.
func TestThrough_LoadsInTheTransaction(t *testing.T) {
	t.Parallel()
	onWorlds(t, func(t *testing.T, w world, apart bool) {
		if apart {
			return // a transaction is one connection's
		}
		require.NoError(t, w.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			one := int64(1)
			require.NoError(t, w.essays.Create(ctx, &writing{ID: 50, CitizenID: &one, Title: "aaa"}))
			c, err := w.countries.With(w.essaysIn()).Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, []string{"aaa", "art", "fish", "gold"}, essayTitles(c.Essays))
			c, err = w.countries.Query().Using(tx).With(w.essaysIn()).Find(t.Context(), 1)
			require.NoError(t, err)
			require.Len(t, c.Essays, 4)
			list, err := w.essaysIn().For(&c).Using(tx).Get(t.Context())
			require.NoError(t, err)
			require.Len(t, list, 4)
			return nil
		}))
	})
}

func TestThrough_FaultsAreToldWhenUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, [4]string{"sqlite", "sqlite", "sqlite", "sqlite"}, false)
	ctx := t.Context()
	sent := counted(w.Registry)
	field := func(c *country) *[]writing { return &c.Essays }
	wrong := dbfleet.HasMany(w.citizens, w.essays, dbfleet.On("nope"), func(c *citizen) *[]writing { return &c.Essays })
	few := w.essaysOf().Scope(func(q *dbfleet.Query[writing]) *dbfleet.Query[writing] { return q.Limit(1) })
	one := w.citizensOf().Scope(func(q *dbfleet.Query[citizen]) *dbfleet.Query[citizen] { return q.Select("country_id").Distinct() })
	for says, r := range map[string]dbfleet.ToManyThrough[country, writing]{
		"nope":            dbfleet.HasManyThrough(w.citizensOf(), wrong, field),
		"has a limit":     dbfleet.HasManyThrough(w.citizensOf(), few, field),
		"merges rows":     dbfleet.HasManyThrough(one, w.essaysOf(), field),
		"step is nil":     dbfleet.HasManyThrough(nil, w.essaysOf(), field),
		"the function":    dbfleet.HasManyThrough(w.citizensOf(), w.essaysOf(), nil),
		"zero value":      {},
		"a number above":  w.essaysIn().MaxKeys(0),
		"Scope: the func": w.essaysIn().Scope(nil),
		"HasMany, HasOne": dbfleet.HasManyThrough(dbfleet.ToMany[country, citizen]{}, w.essaysOf(), field),
	} {
		_, err := w.countries.With(r).Get(ctx)
		require.ErrorContains(t, err, says)
		c := country{ID: 1}
		_, err = r.For(&c).Get(ctx)
		require.ErrorContains(t, err, says)
		_, err = w.countries.Filter(r.Has()).Get(ctx)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, r.LoadInto(ctx, []country{{ID: 1}}), says)
	}
	_, err := w.essaysIn().For(nil).Get(ctx)
	require.ErrorContains(t, err, "the parent is a nil pointer")
	require.Zero(t, sent(), "nothing was sent")
}
