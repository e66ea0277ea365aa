package dashboard_test

import (
	"context"
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// history is what was scraped, in memory, for the engine of Prometheus to query. Prometheus's
// own storage would bring the clients of three clouds into each build.
type history struct {
	series map[string]*promql.Series // by their labels, as a text
}

// append keeps a sample. A series must have none of that time or of a later one.
func (h *history) append(metric labels.Labels, at int64, value float64) error {
	s := h.series[metric.String()]
	if s == nil {
		if h.series == nil {
			h.series = map[string]*promql.Series{}
		}
		s = &promql.Series{Metric: metric}
		h.series[metric.String()] = s
	}
	if n := len(s.Floats); n > 0 && s.Floats[n-1].T >= at {
		return errors.New("a series is there twice: " + metric.String())
	}
	s.Floats = append(s.Floats, promql.FPoint{T: at, F: value})
	return nil
}

// Querier gives what lies from mint to maxt, in milliseconds.
func (h *history) Querier(mint, maxt int64) (storage.Querier, error) {
	return &span{history: h, mint: mint, maxt: maxt}, nil
}

type span struct {
	*history
	mint, maxt int64
}

func (s *span) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []promql.Series
	for _, all := range s.series {
		misses := func(m *labels.Matcher) bool { return !m.Matches(all.Metric.Get(m.Name)) }
		outside := func(p promql.FPoint) bool { return p.T < s.mint || p.T > s.maxt }
		if slices.ContainsFunc(matchers, misses) {
			continue
		}
		if inside := slices.DeleteFunc(slices.Clone(all.Floats), outside); len(inside) > 0 {
			found = append(found, promql.Series{Metric: all.Metric, Floats: inside})
		}
	}
	slices.SortFunc(found, func(a, b promql.Series) int { return labels.Compare(a.Metric, b.Metric) })
	return &selection{rest: found}
}

var errNotAsked = errors.New("queries ask for series only")

func (*span) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNotAsked
}

func (*span) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNotAsked
}

func (*span) Close() error { return nil }

// selection is what a query selected, one after another.
type selection struct {
	now  promql.Series
	rest []promql.Series
}

func (s *selection) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.now, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *selection) At() storage.Series              { return promql.NewStorageSeries(s.now) }
func (*selection) Err() error                        { return nil }
func (*selection) Warnings() annotations.Annotations { return nil }
