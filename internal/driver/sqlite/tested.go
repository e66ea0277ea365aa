//go:build !dbfleet_no_sqlite

package sqlite

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// What mutex.go and reader.go do rests on how the driver is made inside, which the
// names and types of its fields do not tell in full. So both do nothing with a
// driver that the tests have not passed with, and the driver does all by itself, at
// the cost that they tell.
//
// testedModules are the versions of modernc.org/sqlite, testedLibraries those of
// SQLite in them. A build system other than go's may not tell the module; then the
// library decides alone.
//
// To take in a new version: upgrade, run the tests of this package, see
// TestTested_KnowsTheVersionInUse fail, add the version, see that all pass.
var (
	testedModules   = []string{"v1.61.1"}
	testedLibraries = []string{"3.54.1"}
)

const driverModule = "modernc.org/sqlite"

// untested tells why the driver is left alone, "" if it is one that is known.
var untested = sync.OnceValue(func() string {
	var module *debug.Module
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == driverModule {
				module = m
			}
		}
	}
	return untestedDriver(inside, sqlite3.SQLITE_VERSION, module)
})

// untestedDriver decides; module is nil where the build does not tell.
func untestedDriver(allowed bool, library string, module *debug.Module) string {
	switch {
	case !allowed:
		return "the program was built with -tags dbfleet_plain_sqlite"
	case !slices.Contains(testedLibraries, library):
		return "SQLite " + library + " has not been tested with; tested are " + strings.Join(testedLibraries, ", ")
	case module == nil:
		return ""
	case module.Replace != nil:
		return driverModule + " is replaced by " + module.Replace.Path
	case !slices.Contains(testedModules, module.Version):
		return driverModule + " " + module.Version + " has not been tested with; tested are " + strings.Join(testedModules, ", ")
	}
	return ""
}
