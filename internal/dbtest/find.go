package dbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// requireEnv names the dialects and engines whose absence is a failure, separated
	// by commas.
	requireEnv = "DBFLEET_TEST_REQUIRE"

	// dialectsEnv names the dialects that tests run on, separated by commas; empty means all.
	dialectsEnv = "DBFLEET_TEST_DIALECTS"
)

// missingError says that an engine, a database or what stands before some, is not
// installed.
type missingError struct {
	dialect string
	looked  []string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("%s is not installed (looked in %s); %s=%[1]s scripts/install-databases installs it",
		e.dialect, strings.Join(e.looked, ", "), requireEnv)
}

// unwantedError says why tests do not run on a database that may be installed.
type unwantedError struct{ reason string }

func (e *unwantedError) Error() string { return e.reason }

func required(dialect string) bool { return slices.Contains(listed(requireEnv), dialect) }

func selected(dialect string) bool {
	if beside, ok := besides[dialect]; ok {
		return slices.ContainsFunc(beside.dialects, selected)
	}
	dialects := listed(dialectsEnv)
	return len(dialects) == 0 || slices.Contains(dialects, dialect)
}

// available says why tests cannot run on a database or an engine: it is not selected,
// or not installed.
func available(dialect string) (err error) {
	switch {
	case !selected(dialect):
		err = &unwantedError{fmt.Sprintf("%s is not among %s=%s", dialect, dialectsEnv, os.Getenv(dialectsEnv))}
	case dialect != "sqlite" && !serversRun:
		err = &unwantedError{dialect + ": test servers run on Unix only"}
	case dialect == "postgres":
		_, err = findPostgres()
	case dialect == "mysql":
		_, err = findMariaDB()
	}
	if beside, ok := besides[dialect]; ok && err == nil {
		err = beside.available()
	}
	return err
}

// listed returns the words of an environment variable.
func listed(name string) []string {
	return strings.FieldsFunc(os.Getenv(name), func(r rune) bool { return r == ',' || r == ' ' })
}

// findPostgres returns the folder with the programs of the newest PostgreSQL.
var findPostgres = sync.OnceValues(func() (string, error) {
	folders := envFolder("DBFLEET_TEST_POSTGRES_BIN")
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"} {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return int(1e3 * (versionIn(b) - versionIn(a))) })
		folders = append(folders, found...)
	}
	folders = append(folders, "/usr/local/pgsql/bin")
	folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	return findFolder("postgres", folders, "postgres", "initdb", "pg_basebackup")
})

// mariadbPrograms are the paths of MariaDB's programs: distributions put them
// into different folders.
type mariadbPrograms struct{ server, install string }

var findMariaDB = sync.OnceValues(func() (mariadbPrograms, error) {
	folders := envFolder("DBFLEET_TEST_MARIADB_BIN")
	folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	folders = append(folders, "/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/opt/homebrew/bin")
	server, err := findFolder("mysql", folders, "mariadbd")
	if err != nil {
		return mariadbPrograms{}, err
	}
	install, err := findFolder("mysql", append(folders, "/usr/bin", "/usr/local/bin"), "mariadb-install-db")
	if err != nil {
		return mariadbPrograms{}, err
	}
	return mariadbPrograms{
		server:  filepath.Join(server, "mariadbd"),
		install: filepath.Join(install, "mariadb-install-db"),
	}, nil
})

func envFolder(name string) []string {
	if dir := os.Getenv(name); dir != "" {
		return []string{dir}
	}
	return nil
}

// findFolder returns the first folder that has all the programs.
func findFolder(dialect string, folders []string, programs ...string) (string, error) {
	for _, dir := range folders {
		if !slices.ContainsFunc(programs, func(p string) bool { return !executable(filepath.Join(dir, p)) }) {
			return dir, nil
		}
	}
	return "", &missingError{dialect: dialect, looked: folders}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// versionIn returns the number in a path such as /usr/lib/postgresql/9.6/bin.
func versionIn(path string) float64 {
	digits := strings.TrimFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	version, _ := strconv.ParseFloat(digits, 64)
	return version
}
