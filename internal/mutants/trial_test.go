package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// module writes a module of its own and returns how the go command sees it.
func module(t *testing.T, files map[string]string) *trial {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	files["go.mod"] = "module example.org/m\n\ngo 1.25\n"
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	tree, err := loadTree(t.Context(), root)
	require.NoError(t, err)
	return newTrial(tree, t.TempDir(), time.Minute)
}

// watched is a module whose tests watch one function, from its own package and
// from the root, and leave another alone.
func watched(t *testing.T) *trial {
	return module(t, map[string]string{
		"m.go":                     "package m\n\nimport \"example.org/m/internal/low\"\n\nfunc Half(n int) int { return low.Half(n) }\n",
		"m_test.go":                "package m\n\nimport \"testing\"\n\nfunc TestHalf_OfSix(t *testing.T) {\n\tif Half(6) != 3 {\n\t\tt.Fatal()\n\t}\n}\n",
		"internal/low/l.go":        "package low\n\nvar big = int8(127)\n\nfunc Half(n int) int { return n / 2 }\n\nfunc Unseen(n int) bool { return n < 0 }\n",
		"internal/low/l_test.go":   "package low\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
		"internal/other/o.go":      "package other\n",
		"internal/other/o_test.go": "package other\n\nimport \"testing\"\n\nfunc TestOther(t *testing.T) { t.Fatal(\"is not asked\") }\n",
		"examples/e/main.go":       "package main\n\nfunc main() { println(1 < 2) }\n",
	})
}

// Of the root, whose tests may be long, of what builds on it, and of what needs a
// database nothing is tried, and long tests are left out.
func TestLightened_LeavesOutWhatTakesLong(t *testing.T) {
	t.Parallel()
	test := func(pkg, imports, body string) string {
		return "package " + pkg + "\n\nimport (\n\t\"testing\"\n" + imports + ")\n\nfunc TestIt(t *testing.T) {\n" + body + "}\n"
	}
	trial := module(t, map[string]string{
		"m.go":                      "package m\n\nimport (\n\t\"example.org/m/internal/low\"\n\t\"example.org/m/internal/heavy\"\n)\n\nfunc Half(n int) int { return low.Half(n) + heavy.None(n) }\n",
		"m_test.go":                 test("m", "", "\tt.Fatal(\"is not asked\")\n"),
		"internal/low/l.go":         "package low\n\nfunc Half(n int) int { return n / 2 }\n",
		"internal/low/l_test.go":    test("low", "", "\tif !testing.Short() && Half(6) != 3 {\n\t\tt.Fatal()\n\t}\n"),
		"internal/heavy/h.go":       "package heavy\n\nfunc None(n int) int { return n - n }\n",
		"internal/heavy/h_test.go":  test("heavy", "\t_ \"example.org/m/internal/dbtest\"\n", "\tt.Fatal(\"is not asked\")\n"),
		"internal/dbtest/dbtest.go": "package dbtest\n",
	})
	all, err := trial.tree.candidates(nil)
	require.NoError(t, err)
	require.Len(t, all, 3)
	v, err := trial.try(t.Context(), all[slices.IndexFunc(all, func(m mutant) bool { return m.pkg == "internal/low" })])
	require.NoError(t, err)
	require.Equal(t, "TestIt", v.by)

	trial.tree = trial.tree.lightened()
	all, err = trial.tree.candidates(nil)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, m := range all {
		require.Equal(t, "internal/low", m.pkg)
		v, err := trial.try(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, []string{"internal/low"}, v.suites)
		require.True(t, v.survived())
	}
}

func TestTry_ATestOfAnotherPackageNotices(t *testing.T) {
	t.Parallel()
	trial := watched(t)
	all, err := trial.tree.candidates(nil)
	require.NoError(t, err)
	require.Len(t, all, 4, "of 127, 2, < and 0; none of the example")

	verdicts := map[string]verdict{}
	for _, m := range all {
		v, err := trial.try(t.Context(), m)
		if string(m.source[m.start:m.end]) == "127" {
			require.ErrorIs(t, err, errNoBuild)
			continue
		}
		require.NoError(t, err)
		verdicts[string(m.source[m.start:m.end])] = v
	}
	require.Equal(t, "TestHalf_OfSix", verdicts["2"].by)
	require.Equal(t, []string{"internal/low", "."}, verdicts["2"].suites, "its own tests come first, others' are left out")
	require.True(t, verdicts["<"].survived())
	require.True(t, verdicts["0"].survived())

	at := slices.IndexFunc(all, func(m mutant) bool { return m.kind == "operator" })
	require.Contains(t, describe(all[at], verdicts["<"]), "SURVIVED internal/low/l.go:7: operator in Unseen, not noticed by the tests of internal/low, .")
	require.Contains(t, describe(all[at], verdicts["<"]), "  + func Unseen(n int) bool { return n <= 0 }\n")
}

func TestCandidates_KnowTheirFolders(t *testing.T) {
	t.Parallel()
	tree := watched(t).tree
	root, err := tree.candidates([]string{"."})
	require.NoError(t, err)
	require.Empty(t, root)
	_, err = tree.candidates([]string{"internal/low", "internal/lwo"})
	require.ErrorContains(t, err, "internal/lwo")
}

func TestTry_TestsThatFailAnywayAreNoMeasure(t *testing.T) {
	t.Parallel()
	trial := module(t, map[string]string{
		"m.go":      "package m\n\nfunc Less(a, b int) bool { return a < b }\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fatal() }\n",
	})
	all, err := trial.tree.candidates(nil)
	require.NoError(t, err)
	_, err = trial.try(t.Context(), all[0])
	require.ErrorContains(t, err, "TestBroken fails without a mutant too")
}

func TestTry_AMutantThatNeverEndsIsNoticed(t *testing.T) {
	t.Parallel()
	trial := module(t, map[string]string{
		"m.go":      "package m\n\nfunc Wait(done bool) {\n\tif done {\n\t\treturn\n\t}\n\tfor {\n\t}\n}\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestWait(t *testing.T) { Wait(true) }\n",
	})
	trial.timeout = 3 * time.Second // the tests without the mutant have as long
	all, err := trial.tree.candidates(nil)
	require.NoError(t, err)
	v, err := trial.try(t.Context(), all[0])
	require.NoError(t, err)
	require.Equal(t, "the timeout", v.by)
}

// A script answers tries from a list.
type script struct {
	mu      sync.Mutex
	asked   []string
	answers map[string]error
}

func (s *script) try(_ context.Context, m mutant) (verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, m.fn)
	return verdict{by: map[bool]string{true: "Test"}[m.kind == "seen"]}, s.answers[m.fn]
}

func TestTryAll_TheNextTakesThePlaceOfOneThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	order := []mutant{{fn: "a", kind: "seen"}, {fn: "b"}, {fn: "c"}, {fn: "d", kind: "seen"}, {fn: "e"}}
	for jobs := 1; jobs <= 3; jobs++ {
		s := &script{answers: map[string]error{"b": fmt.Errorf("%w: b", errNoBuild)}}
		c := count{wanted: 3, candidates: len(order)}
		require.NoError(t, tryAll(t.Context(), t.Context(), s, order, 3, jobs, func(_ mutant, v verdict) { c.add(v) }))
		slices.Sort(s.asked)
		require.Equal(t, []string{"a", "b", "c", "d"}, s.asked)
		require.Equal(t, "2 of 3 noticed (of 5 possible mutants)", c.String())
	}
	s := &script{answers: map[string]error{"c": errors.New("no disk")}}
	require.EqualError(t, tryAll(t.Context(), t.Context(), s, order, 5, 1, func(mutant, verdict) {}), "no disk")
	require.Equal(t, []string{"a", "b", "c"}, s.asked)
}

func TestTryAll_FinishesWhatWasBegunWithinTheBudget(t *testing.T) {
	t.Parallel()
	sampling, over := context.WithCancel(t.Context())
	order := []mutant{{fn: "a"}, {fn: "b"}, {fn: "c"}}
	s := &script{}
	c := count{wanted: 3, candidates: 3}
	require.NoError(t, tryAll(t.Context(), sampling, s, order, 3, 1, func(m mutant, v verdict) {
		c.add(v)
		if m.fn == "b" {
			over()
		}
	}))
	require.Equal(t, []string{"a", "b"}, s.asked)
	require.Equal(t, "0 of 2 noticed (of 3 possible mutants); 3 were wanted", c.String())

	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	require.ErrorIs(t, tryAll(ctx, t.Context(), s, order, 3, 1, func(mutant, verdict) {}), context.Canceled)
}

func TestCount_FailsBelowTheBar(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		noticed, tried int
		ok             bool
	}{
		{0, 0, false}, {0, 1, true}, {0, 2, false}, {3, 4, true}, {8, 10, true}, {6, 10, true}, {5, 10, false},
		{9, 13, true}, {7, 13, false}, {32, 40, true}, {28, 40, true}, {27, 40, false}, {400, 500, true}, {384, 500, false},
	} {
		err := count{tried: tc.tried, noticed: tc.noticed}.check(0.8)
		require.Equal(t, tc.ok, err == nil, "%d of %d", tc.noticed, tc.tried)
		require.Equal(t, tc.tried > 0, count{tried: tc.tried, noticed: tc.noticed}.check(0) == nil, "without a bar")
	}
}

func TestParse_ReadsTheFlags(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s, err := parse([]string{"-n", "5", "-seed", "9", "-package", ".,internal/cell", "-budget", "4m", "-bar", "0.8"}, &out)
	require.NoError(t, err)
	require.Equal(t, settings{
		n: 5, seed: 9, packages: []string{".", "internal/cell"}, jobs: 1,
		budget: 4 * time.Minute, timeout: 5 * time.Minute, bar: 0.8,
	}, s)
	for _, args := range [][]string{{"-n", "0"}, {"-j", "0"}, {"-bar", "1"}, {"internal/cell"}, {"-x"}} {
		_, err := parse(args, &out)
		require.Error(t, err, args)
	}
}
