// Package dashboard holds dashboard.json, a dashboard for Grafana of what the module
// prometheus tells of a registry. Import it in Grafana and choose the data source.
//
// It has no code. Its tests, for which it is a module of its own, run every query of
// the dashboard, by Prometheus' own engine, over what a registry has told.
package dashboard
