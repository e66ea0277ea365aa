package cost

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func twoSizes() *Report {
	return &Report{Runs: 2, Results: []Result{
		{Library: ours, Layout: "together", Types: 1, CPU: 0.5, Memory: 50e6, Binary: 20e6, Functions: 100, Runs: 2},
		{Library: ours, Layout: "together", Types: 11, CPU: 1.5, Memory: 80e6, Binary: 20.2e6, Functions: 2100, Runs: 2},
		{Library: "sqlx", Layout: "together", Types: 1, CPU: 0.1, Memory: 40e6, Binary: 3e6, Functions: 10, Runs: 2},
	}}
}

func TestBetween_IsThePriceOfOneType(t *testing.T) {
	t.Parallel()
	r := twoSizes()
	x := Between(r.Results[0], r.Results[1])
	require.InDelta(t, 0.1, x.CPU, 1e-9)
	require.InDelta(t, 3e6, x.Memory, 1)
	require.InDelta(t, 20e3, x.Binary, 1)
	require.InDelta(t, 200, x.Functions, 1e-9)
}

func TestMarkdown_ShowsALibraryWithoutALargeProgramAsDashes(t *testing.T) {
	t.Parallel()
	text := twoSizes().Markdown()
	require.Contains(t, text, "| **dbfleet** | 100 ms | 3.0 MB | 20.0 KB | 200 | 1.5 s | 80 MB |\n")
	require.Contains(t, text, "| sqlx | – | – | – | – | – | – |\n")
	require.NotContains(t, text, "by two calls each\n\n|", "a layout without results has no table")
}

func TestReport_KeepsWhatItHasNotMeasured(t *testing.T) {
	t.Parallel()
	r := &Report{Results: []Result{{Library: "sqlx", Layout: "together", Types: 1, CPU: 7}}}
	r.Keep(twoSizes())
	require.Len(t, r.Results, 3)
	require.InDelta(t, 7, r.find("sqlx", "together", 1).CPU, 0)
	require.InDelta(t, 1.5, r.find(ours, "together", 11).CPU, 0)
}

func TestResult_KeepsTheLeastOfItsRuns(t *testing.T) {
	t.Parallel()
	var x Result
	x.Add(2*time.Second, 10)
	x.Add(time.Second, 20)
	require.Equal(t, Result{CPU: 1, Memory: 10, Runs: 2}, x)
}

func TestSteps_GoFromOneToTheLastButOne(t *testing.T) {
	t.Parallel()
	require.Equal(t, [][2]int{{1, 50}, {50, 200}}, steps([]int{1, 10, 50, 200}))
	require.Equal(t, [][2]int{{1, 21}}, steps([]int{1, 21}))
	require.Empty(t, steps([]int{1}))
}

func TestReport_SurvivesItsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "folder", "build.json")
	require.NoError(t, twoSizes().Write(file))
	back, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, twoSizes(), back)
}
