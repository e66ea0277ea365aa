package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	dbfleetprometheus "github.com/dbfleet/dbfleet/prometheus"
)

// panel is what is read of a panel of Grafana's.
type panel struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Grid  struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	} `json:"gridPos"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
}

type board struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func read(t *testing.T) (b board) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &b))
	return b
}

// filled is an expression with Grafana's variables as it fills them in.
func filled(expr string) string {
	return strings.NewReplacer("$connection", ".*", "$__rate_interval", "1m").Replace(expr)
}

// scrapes are what a registry under load told Prometheus, every 15 seconds for five
// minutes, and the labels of each metric in it.
type scrapes struct {
	storage *history
	last    time.Time
	labels  map[string][]string
}

func scrape(t *testing.T) *scrapes {
	t.Helper()
	db := dbtest.New(t, "postgres")
	config := conformance.ConnectionTo(db)
	config.ReadHosts = []string{fmt.Sprintf("%s:%d", config.Host, config.Port)} // the server itself, by sessions that only read
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config, "shard": {Driver: dbfleet.SQLite, Database: ":memory:"}})
	type order struct{ ID, UserID int64 }
	ctx := t.Context()
	for _, name := range r.Names() {
		_, err := r.DB(name).ExecContext(ctx, "CREATE TABLE orders (id BIGINT PRIMARY KEY, user_id BIGINT)")
		require.NoError(t, err)
	}
	plain := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Connection: "main"})
	sharded := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", func(int64) string { return "shard" })})
	c := dbfleetprometheus.New(r)
	t.Cleanup(c.Close)
	registry := client.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))

	s := &scrapes{storage: &history{}, last: time.Unix(1_800_000_000, 0), labels: map[string][]string{}}
	for i := range int64(20) {
		for _, orders := range []*dbfleet.Model[order]{plain, sharded} {
			require.NoError(t, r.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				return orders.Create(ctx, &order{ID: i + 1, UserID: 7})
			}))
			require.ErrorIs(t, orders.Create(ctx, &order{ID: i + 1, UserID: 7}), dbfleet.ErrUnique)
			_, err := orders.Where("user_id", "=", 7).Get(ctx)
			require.NoError(t, err)
		}
		_, err := r.DB("main").ExecContext(ctx, "DELETE FROM nowhere")
		require.ErrorIs(t, err, dbfleet.ErrUndefined)
		s.last = s.last.Add(15 * time.Second)
		s.append(t, registry)
	}
	return s
}

func (s *scrapes) append(t *testing.T, from client.Gatherer) {
	t.Helper()
	families, err := from.Gather()
	require.NoError(t, err)
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(s.last.UnixNano())}, families...)
	require.NoError(t, err)
	for _, sample := range samples {
		var name string
		values := map[string]string{}
		for label, value := range sample.Metric {
			values[string(label)] = string(value)
			if label == model.MetricNameLabel {
				name = string(value)
			}
		}
		for label := range values {
			if !slices.Contains(s.labels[name], label) {
				s.labels[name] = append(s.labels[name], label)
			}
		}
		require.NoError(t, s.storage.append(labels.FromMap(values), s.last.UnixMilli(), float64(sample.Value)))
	}
}

// faults are what an expression names that the registry has not told; used are the
// metrics in it.
func (s *scrapes) faults(t *testing.T, expr string) (faults []string, used []string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(filled(expr))
	require.NoError(t, err, expr)
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			known, ok := s.labels[n.Name]
			if !ok {
				faults = append(faults, "no metric "+n.Name)
				return nil
			}
			used = append(used, n.Name)
			for _, m := range n.LabelMatchers {
				if !slices.Contains(known, m.Name) {
					faults = append(faults, n.Name+" has no label "+m.Name)
				}
			}
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				if !s.inside(n.Expr, label) {
					faults = append(faults, "nothing has the label "+label)
				}
			}
		}
		return nil
	})
	return faults, used
}

// inside says whether a metric of an expression has a label.
func (s *scrapes) inside(expr parser.Expr, label string) (has bool) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if n, ok := node.(*parser.VectorSelector); ok {
			has = has || slices.Contains(s.labels[n.Name], label)
		}
		return nil
	})
	return has
}

// run is what an expression gives at the time of the last scrape.
func (s *scrapes) run(t *testing.T, expr string) promql.Vector {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	query, err := engine.NewInstantQuery(t.Context(), s.storage, nil, filled(expr), s.last)
	require.NoError(t, err, expr)
	defer query.Close()
	result := query.Exec(t.Context())
	require.NoError(t, result.Err, expr)
	vector, err := result.Vector()
	require.NoError(t, err, expr)
	return slices.Clone(vector)
}

// lagSeconds has no value where no position is known, as on SQLite: the tests of the module
// prometheus show it.
const lagSeconds = "dbfleet_replica_lag_seconds"

// Every query of the dashboard names what there is, and shows something.
func TestDashboard_ShowsWhatARegistryTells(t *testing.T) {
	t.Parallel()
	s := scrape(t)
	shown := map[string]bool{}
	queries := 0
	for _, p := range read(t).Panels {
		for _, target := range p.Targets {
			queries++
			faults, used := s.faults(t, target.Expr)
			if strings.Contains(target.Expr, lagSeconds+"{") { // which only servers with positions have
				require.ElementsMatch(t, []string{"nothing has the label node", "no metric " + lagSeconds}, faults, target.Expr)
				continue
			}
			require.Empty(t, faults, "%s: %s", p.Title, target.Expr)
			for _, name := range used {
				shown[name] = true
			}
			result := s.run(t, target.Expr)
			require.NotEmpty(t, result, "%s: %s", p.Title, target.Expr)
			for _, sample := range result {
				require.False(t, math.IsNaN(sample.F), "%s: %s: %s", p.Title, target.Expr, sample)
				for label := range strings.FieldsFuncSeq(target.Legend, func(r rune) bool { return r == ' ' }) {
					if name, ok := strings.CutPrefix(label, "{{"); ok {
						require.True(t, sample.Metric.Has(strings.TrimSuffix(name, "}}")), "%s: the legend's %s", p.Title, label)
					}
				}
			}
		}
	}
	require.Greater(t, queries, 20)
	for name := range s.labels {
		require.True(t, shown[name], "%s is on no panel", name)
	}
	for _, v := range read(t).Templating.List {
		if inner, ok := strings.CutPrefix(v.Query, "label_values("); ok {
			metric, label, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ", ")
			require.Contains(t, s.labels[metric], label, "the variable %s", v.Name)
		}
	}
}

// No panel hides another, and each has a number of its own.
func TestDashboard_IsLaidOut(t *testing.T) {
	t.Parallel()
	panels := read(t).Panels
	for i, p := range panels {
		require.NotEmpty(t, p.Title)
		require.LessOrEqual(t, p.Grid.X+p.Grid.W, 24, p.Title)
		require.Positive(t, p.Grid.H, p.Title)
		for _, q := range panels[:i] {
			require.NotEqual(t, q.ID, p.ID)
			apart := p.Grid.X+p.Grid.W <= q.Grid.X || q.Grid.X+q.Grid.W <= p.Grid.X || p.Grid.Y+p.Grid.H <= q.Grid.Y || q.Grid.Y+q.Grid.H <= p.Grid.Y
			require.True(t, apart, "%s and %s", p.Title, q.Title)
		}
	}
}

// The check itself: one that lets everything through would prove nothing.
func TestDashboard_ChecksNames(t *testing.T) {
	t.Parallel()
	s := &scrapes{labels: map[string][]string{"a": {"__name__", "x"}}}
	for expr, want := range map[string][]string{
		`sum by (x) (rate(a{x="1"}[$__rate_interval]))`: nil,
		`sum(b)`:              {"no metric b"},
		`a{y=~"$connection"}`: {"a has no label y"},
		`sum by (z) (a)`:      {"nothing has the label z"},
	} {
		faults, _ := s.faults(t, expr)
		require.Equal(t, want, faults, expr)
	}
}
