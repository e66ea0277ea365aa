package dbtest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// besides are the engines that are no dialect of their own, by the names that
// DBFLEET_TEST_REQUIRE has for them.
var besides = map[string]beside{
	"haproxy":   {[]string{"postgres", "mysql"}, false, func() error { _, err := findHAProxy(); return err }},
	"pgbouncer": {[]string{"postgres"}, false, func() error { _, err := findPgBouncer(); return err }},
	"patroni":   {[]string{"postgres"}, true, func() error { _, err := findPatroni(); return err }},
	"galera":    {[]string{"mysql"}, true, func() error { _, err := findGalera(); return err }},
}

// A beside is an engine that stands before the databases of some dialects, or makes
// clusters of them.
type beside struct {
	dialects  []string // one of them must be selected
	linux     bool     // it is found on Linux only
	installed func() error
}

func (b beside) available() error {
	if b.linux && runtime.GOOS != "linux" {
		return &unwantedError{"it runs on Linux only"}
	}
	// An engine of one dialect makes servers of it.
	if len(b.dialects) == 1 {
		if err := available(b.dialects[0]); err != nil {
			return err
		}
	}
	return b.installed()
}

var findHAProxy = sync.OnceValues(func() (string, error) {
	dir, err := findFolder("haproxy", programFolders(), "haproxy")
	return filepath.Join(dir, "haproxy"), err
})

var findPgBouncer = sync.OnceValues(func() (string, error) {
	dir, err := findFolder("pgbouncer", programFolders(), "pgbouncer")
	return filepath.Join(dir, "pgbouncer"), err
})

// patroniPrograms are what a cluster under Patroni needs beside PostgreSQL.
type patroniPrograms struct{ patroni, etcd string }

var findPatroni = sync.OnceValues(func() (patroniPrograms, error) {
	patroni, err := findFolder("patroni", programFolders(), "patroni")
	if err != nil {
		return patroniPrograms{}, err
	}
	etcd, err := findFolder("patroni", programFolders(), "etcd")
	if err != nil {
		return patroniPrograms{}, err
	}
	return patroniPrograms{filepath.Join(patroni, "patroni"), filepath.Join(etcd, "etcd")}, nil
})

// findGalera returns the library that makes a MariaDB server a node of a cluster.
var findGalera = sync.OnceValues(func() (string, error) {
	folders := []string{"/usr/lib/galera", "/usr/lib64/galera-4", "/usr/lib64/galera", "/usr/local/lib/galera"}
	for _, dir := range folders {
		path := filepath.Join(dir, "libgalera_smm.so")
		if file, err := os.Stat(path); err == nil && file.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", &missingError{dialect: "galera", looked: folders}
})

func programFolders() []string {
	folders := filepath.SplitList(os.Getenv("PATH"))
	return append(slices.Clone(folders), "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
}
