package archtest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The map in CONTRIBUTING.md has the floors of the house from the top down, then
// what only tests import, then the folders that are no packages of this module. A
// line names a folder, what it is for, and in brackets the packages that have
// their door there. Lines of dashes part the floors.
func TestMap_ShowsTheHouseAsItIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "CONTRIBUTING.md"))
	require.NoError(t, err)
	drawn, err := readMap(string(text))
	require.NoError(t, err)
	house := houseMap(t)
	require.Equal(t, strings.Join(house, "\n"), strings.Join(drawn, "\n"),
		"the map in CONTRIBUTING.md is not that of the house, which has a line of text for each of\n%s", strings.Join(house, "\n"))
}

var (
	mapBlock = regexp.MustCompile("(?s)\n```text\n(.*?)\n```\n")
	mapLine  = regexp.MustCompile(`^ *(\S+) {2,}(\S[^\[\]]*?)(?: +\[(.+)\])?$`)
	mapFloor = regexp.MustCompile(`^ *─+.*─ *$`)
)

// readMap returns "folder [doors]" for each line of the map in a text and "─" for
// each line between floors; the lines of a floor and the doors of a line are sorted.
func readMap(text string) ([]string, error) {
	block := mapBlock.FindStringSubmatch(text)
	if block == nil {
		return nil, fmt.Errorf("there is no map")
	}
	floors := [][]string{nil}
	for line := range strings.SplitSeq(block[1], "\n") {
		if mapFloor.MatchString(line) {
			floors = append(floors, nil)
			continue
		}
		m := mapLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("not a folder, two spaces, what it is for and its doors: %q", line)
		}
		doors := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
		floors[len(floors)-1] = append(floors[len(floors)-1], mapEntry(m[1], doors))
	}
	return joinFloors(floors), nil
}

// houseMap is what readMap must find: it is made of floors, testSupport and doors,
// and of the folders that there are.
func houseMap(t *testing.T) []string {
	t.Helper()
	root := moduleRoot(t)
	used := map[string][]string{} // by folder: the doors that its code goes through
	packages := map[string]bool{}
	for _, f := range sourceFiles(t) {
		packages[f.pkg] = true
		for _, imported := range f.imports {
			door, ok := doorOf(imported)
			if name := path.Base(door); ok && !f.test && slices.Contains(doors[door], f.pkg) && !slices.Contains(used[f.pkg], name) {
				used[f.pkg] = append(used[f.pkg], name)
			}
		}
	}
	var all [][]string
	shown := map[string]bool{}
	add := func(names ...string) {
		var entries []string
		for _, name := range names {
			for pkg := range packages {
				if tree, below := strings.CutSuffix(name, "..."); pkg == name || below && strings.HasPrefix(pkg, tree) {
					shown[pkg] = true
					if entry := mapEntry(name, used[name]); !slices.Contains(entries, entry) {
						entries = append(entries, entry)
					}
				}
			}
		}
		all = append(all, entries)
	}
	for _, names := range slices.Backward(floors) {
		add(names...)
	}
	var support []string
	for name := range testSupport {
		support = append(support, name)
	}
	add(support...)
	for pkg := range packages {
		require.True(t, shown[pkg], "%s has no floor; see floors", pkg)
	}
	return joinFloors(append(all, foldersBeside(t, root, packages)))
}

// foldersBeside are the folders of the root that hold no package of this module,
// but for hidden and ignored ones.
func foldersBeside(t *testing.T, root string, packages map[string]bool) []string {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(root), ".")
	require.NoError(t, err)
	ignored, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	require.NoError(t, err)
	var beside []string
	for _, e := range entries {
		name := e.Name()
		holds := false
		for pkg := range packages {
			holds = holds || pkg == name || strings.HasPrefix(pkg, name+"/")
		}
		if e.IsDir() && !holds && name[0] != '.' && !regexp.MustCompile(`(?m)^/?`+regexp.QuoteMeta(name)+`/?$`).Match(ignored) {
			beside = append(beside, name)
		}
	}
	return beside
}

func mapEntry(folder string, doors []string) string {
	if len(doors) == 0 {
		return folder
	}
	return folder + " [" + strings.Join(slices.Sorted(slices.Values(doors)), ", ") + "]"
}

// joinFloors sorts the lines of each floor and leaves out floors without any.
func joinFloors(floors [][]string) []string {
	var lines []string
	for _, floor := range floors {
		if len(floor) == 0 {
			continue
		}
		if len(lines) > 0 {
			lines = append(lines, "─")
		}
		lines = append(lines, slices.Sorted(slices.Values(floor))...)
	}
	return lines
}

// The reader itself: one that overlooks lines would prove nothing.
func TestMap_IsReadLineByLine(t *testing.T) {
	t.Parallel()
	drawn, err := readMap("# x\n\n```text\n b/c     what it is  [y, x]\n a  what, and why\n ────── ▼ ──────\n .       the rest\n```\n")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b/c [x, y]", "─", "."}, drawn)
	for _, bad := range []string{"no block", "\n```text\nalone\n```\n", "\n```text\n a  b [c\n```\n"} {
		_, err := readMap(bad)
		require.Error(t, err, bad)
	}
}
