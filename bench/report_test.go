package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/bench/build/cost"
)

// twoRounds is a report in which dbfleet is ahead of raw and sqlx by insert, and
// behind sqlx by read.
func twoRounds() *Report {
	r := &Report{Rounds: 2, Databases: map[string]string{"sqlite": "3"}, Versions: map[string]string{"example.org/m": "v1.2.3"}}
	r.add("sqlite", Insert, series{
		raw: {{ns: 1000, allocs: 10}, {ns: 2000, allocs: 10}}, rawAgain: {{ns: 1010}, {ns: 1980}},
		ours: {{ns: 500, allocs: 3}, {ns: 1000, allocs: 3}}, "sqlx": {{ns: 1200}, {ns: 2600}},
	})
	r.add("sqlite", Read, series{
		raw: {{ns: 1000}, {ns: 1000}}, rawAgain: {{ns: 1000}, {ns: 1000}}, ours: {{ns: 900}, {ns: 900}}, "sqlx": {{ns: 800}, {ns: 800}},
	})
	return r
}

func TestReport_ComparesWithinARound(t *testing.T) {
	t.Parallel()
	r := twoRounds()
	require.InDelta(t, 0.5, r.find("sqlite", Insert, ours).Ratio, 1e-9)
	require.InDelta(t, 1.25, r.find("sqlite", Insert, "sqlx").Ratio, 1e-9)
	require.InDelta(t, 750, r.find("sqlite", Insert, ours).Ns, 1e-9)
	require.InDelta(t, 0.01, r.noise("sqlite", Insert), 1e-2)
	require.Nil(t, r.find("sqlite", Insert, "bob"))
}

func TestReport_SaysWhereAPeerIsAhead(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"sqlite read: 0.90 (noise 0.00); sqlx 0.80"}, twoRounds().behind())
	var out bytes.Buffer
	twoRounds().print(&out)
	require.Contains(t, out.String(), "0.50; 3")
	require.Contains(t, out.String(), "1.5 µs; 10")
}

func TestReport_SurvivesItsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "folder", "report.json")
	require.NoError(t, twoRounds().write(file))
	back, err := readReport(file)
	require.NoError(t, err)
	require.Equal(t, twoRounds(), back)
}

func TestReport_KeepsTheSectionAboutBuilds(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	section, err := buildCost(filepath.Join(folder, "none.json"))
	require.NoError(t, err)
	require.Empty(t, section)
	require.NotContains(t, twoRounds().markdown(section), "costs a build")
	file := filepath.Join(folder, "build.json")
	require.NoError(t, cost.NewReport(1).Write(file))
	section, err = buildCost(file)
	require.NoError(t, err)
	require.NoError(t, twoRounds().publish(folder, section))
	page, err := os.ReadFile(filepath.Join(folder, "performance.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "## What a record type costs a build\n")
	require.Contains(t, string(page), "\n\n## Versions\n", "the last section stays the last")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o644))
	_, err = buildCost(file)
	require.Error(t, err)
}

func TestReport_DrawsWellFormedXML(t *testing.T) {
	t.Parallel()
	picture := twoRounds().svg()
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
	require.Contains(t, picture, "SQLite, insert one, dbfleet: 0.50")
}

func TestQuantile_LiesBetweenItsNeighbours(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2.5, quantile([]float64{4, 1, 3, 2}, 0.5), 1e-9)
	require.InDelta(t, 1.75, quantile([]float64{4, 1, 3, 2}, 0.25), 1e-9)
	require.InDelta(t, 7, quantile([]float64{7}, 0.75), 1e-9)
	require.Zero(t, quantile(nil, 0.5))
}

func TestParse_RefusesWhatThereIsNot(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-db", "oracle"}, {"-op", "dance"}, {"-peer", "beego"}, {"more"}} {
		_, err := parse(args)
		require.Error(t, err, args)
	}
	o, err := parse([]string{"-quick", "-db", "sqlite", "-op", "read,insert", "-peer", "sqlx,dbfleet"})
	require.NoError(t, err)
	require.Equal(t, []Operation{Insert, Read}, o.ops)
	require.Len(t, o.peers, 4)
}

func TestReport_HasASectionAboutTransactions(t *testing.T) {
	t.Parallel()
	r := twoRounds()
	r.add("postgres", Tx4, series{raw: {{ns: 1000, allocs: 10}}, rawAgain: {{ns: 1100}}, ours: {{ns: 500, allocs: 7}}})
	r.find("postgres", Tx4, ours).Trips = 6
	file := filepath.Join(t.TempDir(), "transactions.json")
	require.NoError(t, r.write(file))
	section, err := transactionCost(file)
	require.NoError(t, err)
	require.Contains(t, section, "| tx_4, PostgreSQL | 1.0 µs | 10 | – | 0.10 | **0.50** | 0.50–0.50 | 7 | 6 |")
	section, err = transactionCost(file + ".missing")
	require.NoError(t, err)
	require.Empty(t, section)
}

func TestCounter_CountsRoundTrips(t *testing.T) {
	t.Parallel()
	s := startServer(t, "postgres")
	target := s.counters(t, reads)
	db, err := target.Open()
	require.NoError(t, err)
	defer db.Close()
	for range 2 { // the driver looks at a new connection once more
		require.NoError(t, db.PingContext(t.Context()))
	}
	before := target.trips()
	for range 3 {
		require.NoError(t, db.PingContext(t.Context()))
	}
	require.EqualValues(t, 3, target.trips()-before)
}
