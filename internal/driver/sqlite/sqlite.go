//go:build !dbfleet_no_sqlite

package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database is SQLite, spoken with by modernc.org/sqlite.
var Database = session.Database{
	Dialect: dialect.SQLite, Open: open, Classify: classify, Message: message,
	Fallback: func() string {
		if why := untested(); why != "" {
			return "values are read by the driver alone, at up to 2.5 times the cost: " + why
		}
		return ""
	},
}

// backend opens connections to one SQLite database.
type backend struct {
	o         session.Options
	path      string // "" for a database in memory
	connector sqldriver.Connector
	pragmas   []pragma

	mu sync.Mutex // one connection at a time sets the file up
	// keep holds a database in memory, which lives as long as a connection to it.
	keep sqldriver.Conn
}

type pragma struct{ name, value string }

// memoryNames numbers the databases in memory of this process.
var memoryNames atomic.Int64

func open(o session.Options) (session.Backend, error) {
	pragmas, err := pragmasOf(o)
	if err := errors.Join(err, session.CheckParams(o, false), session.CheckText(o, "Database", o.Database)); err != nil {
		return nil, err
	}
	b := &backend{o: o, pragmas: pragmas}
	var uri string
	switch o.Database {
	case "":
		return nil, &session.OptionError{Node: o.Name, Option: "Database", Reason: "is missing: a path or :memory:"}
	case ":memory:":
		// A name that begins with a slash is shared by all that open it.
		name := cmp.Or(o.SQLite.Memory, strconv.FormatInt(memoryNames.Add(1), 10))
		uri = "file:/dbfleet-" + name + "?vfs=memdb"
	default:
		if b.path, err = filepath.Abs(o.Database); err != nil {
			return nil, &session.OptionError{Node: o.Name, Option: "Database", Reason: "is no path: " + err.Error()}
		}
		if strings.HasSuffix(o.Database, "/") {
			return nil, &session.OptionError{Node: o.Name, Option: "Database", Reason: "names a directory"}
		}
		mode := "rw"
		if b.isCopy() {
			mode = "ro"
		}
		uri = "file:" + escapePath(b.path) + "?mode=" + mode
	}
	uri += "&_error_rc=1"
	if !o.SQLite.DoubleQuotedStr {
		uri += "&_dqs=0"
	}
	if !o.SQLite.DeferredWrites {
		uri += "&_txlock=immediate"
	}
	if b.connector, err = sqlite.NewConnector(uri); err != nil {
		return nil, &session.OptionError{Node: o.Name, Option: "Database", Reason: "cannot be named to SQLite"}
	}
	return b, nil
}

// escapePath writes a path into a SQLite URI so that it is that path, whatever
// characters it has.
func escapePath(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-',
			c == '/' && (i == 0 || path[i-1] != '/'):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// Open opens a connection and sets it up, within the time of ctx for locks.
func (b *backend) Open(ctx context.Context, _ string) (session.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.prepareFile(); err != nil {
		return nil, err
	}
	if b.path == "" && b.keep == nil {
		keep, err := b.connector.Connect(ctx)
		if err != nil {
			return nil, err
		}
		b.keep = keep
	}
	dc, err := b.connector.Connect(ctx)
	if err != nil {
		return nil, b.openError(err)
	}
	withoutMutex(dc)
	s := newConn(dc, b.o)
	if b.isCopy() {
		s.path = b.path
		if s.file, err = os.Stat(b.path); err != nil {
			_ = dc.Close()
			return nil, err
		}
	}
	for _, p := range b.pragmas {
		if err := s.setPragma(ctx, p); err != nil {
			_ = dc.Close()
			return nil, fmt.Errorf("PRAGMA %s: %w", p.name, b.openError(err))
		}
	}
	return s, nil
}

// isCopy says that the file is one that others make, and may replace.
func (b *backend) isCopy() bool { return b.path != "" && b.o.ReadOnly && !b.o.Guard }

// prepareFile makes a new database file, readable for its owner only; SQLite
// gives its journals the same permissions.
func (b *backend) prepareFile() error {
	if b.path == "" {
		return nil
	}
	if b.isCopy() {
		return b.checkCopy()
	}
	f, err := os.OpenFile(b.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// checkCopy finds a copy that is missing, or that nothing has been copied to yet: to
// SQLite an empty file is a database without tables. The file is not opened: to
// close it would end the locks of all connections of this process to it.
func (b *backend) checkCopy() error {
	info, err := os.Stat(b.path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		err = errors.New("is no file")
	case info.Size() == 0:
		err = errors.New("is empty")
	default:
		return nil
	}
	return &fs.PathError{Op: "open", Path: b.path, Err: err}
}

// openError adds to SQLite's "unable to open database file" what the system
// says about the file.
func (b *backend) openError(err error) error {
	if b.path == "" || codeOf(err)&0xff != 14 {
		return err
	}
	if info, statErr := os.Stat(b.path); statErr != nil {
		return errors.Join(err, statErr)
	} else if info.IsDir() {
		return errors.Join(err, &fs.PathError{Op: "open", Path: b.path, Err: errors.New("is a directory")})
	}
	return err
}

func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keep == nil {
		return nil
	}
	err := b.keep.Close()
	b.keep = nil
	return err
}

// pragmasOf are the settings of each connection, in the order in which they
// are made.
func pragmasOf(o session.Options) ([]pragma, error) {
	foreignKeys := "ON"
	if o.SQLite.NoForeignKeys {
		foreignKeys = "OFF"
	}
	list := []pragma{
		{"busy_timeout", strconv.FormatInt(o.SQLite.BusyTimeout.Milliseconds(), 10)},
	}
	if o.SQLite.JournalMode != "" && !o.ReadOnly {
		list = append(list, pragma{"journal_mode", o.SQLite.JournalMode})
	}
	if o.SQLite.Synchronous != "" {
		list = append(list, pragma{"synchronous", o.SQLite.Synchronous})
	}
	list = append(list, pragma{"foreign_keys", foreignKeys})
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		list = append(list, pragma{strings.ToLower(name), o.Params[name]})
	}
	if o.ReadOnly {
		list = append(list, pragma{"query_only", "ON"})
	}
	var errs []error
	for _, p := range list {
		if reason := checkPragma(p); reason != "" {
			errs = append(errs, &session.OptionError{Node: o.Name, Option: "pragma " + strconv.Quote(p.name), Reason: reason})
		}
	}
	return list, errors.Join(errs...)
}

// pragmaValues are the pragmas that may be set, each with the words that it
// takes; nil is a whole number. What a pragma is set to becomes part of a SQL
// text, so nothing else gets in.
var pragmaValues = map[string][]string{
	"analysis_limit": nil, "application_id": nil, "auto_vacuum": {"NONE", "FULL", "INCREMENTAL", "0", "1", "2"},
	"automatic_index": onOff, "busy_timeout": nil, "cache_size": nil, "cache_spill": nil, "case_sensitive_like": onOff,
	"cell_size_check": onOff, "checkpoint_fullfsync": onOff, "defer_foreign_keys": onOff, "foreign_keys": onOff,
	"fullfsync": onOff, "hard_heap_limit": nil, "ignore_check_constraints": onOff,
	"journal_mode": {"DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"}, "journal_size_limit": nil,
	"legacy_alter_table": onOff, "locking_mode": {"NORMAL", "EXCLUSIVE"}, "max_page_count": nil, "mmap_size": nil,
	"page_size": nil, "query_only": onOff, "read_uncommitted": onOff, "recursive_triggers": onOff,
	"reverse_unordered_selects": onOff, "secure_delete": {"ON", "OFF", "FAST", "0", "1", "TRUE", "FALSE", "YES", "NO"},
	"soft_heap_limit": nil, "synchronous": {"OFF", "NORMAL", "FULL", "EXTRA", "0", "1", "2", "3"},
	"temp_store": {"DEFAULT", "FILE", "MEMORY", "0", "1", "2"}, "threads": nil, "trusted_schema": onOff,
	"user_version": nil, "wal_autocheckpoint": nil,
}

var onOff = []string{"ON", "OFF", "0", "1", "TRUE", "FALSE", "YES", "NO"}

func checkPragma(p pragma) (reason string) {
	words, ok := pragmaValues[p.name]
	if !ok {
		return "is not one that can be set"
	}
	if words == nil {
		if _, err := strconv.ParseInt(p.value, 10, 64); err != nil {
			return "takes a whole number"
		}
		return ""
	}
	if !slices.Contains(words, strings.ToUpper(p.value)) {
		return "takes one of " + strings.Join(words, ", ")
	}
	return ""
}

// setPragma sets one pragma. A file that is busy because another connection
// sets it up too is tried again until the busy timeout: SQLite itself does not
// wait when the journal's mode changes.
func (s *conn) setPragma(ctx context.Context, p pragma) error {
	limit := time.Now().Add(s.o.SQLite.BusyTimeout)
	for {
		got, err := s.pragma(ctx, "PRAGMA "+p.name+" = "+p.value)
		switch {
		case err != nil && codeOf(err)&0xff == 5 && time.Now().Before(limit) && ctx.Err() == nil:
			t := time.NewTimer(5 * time.Millisecond)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			continue
		case err != nil:
			return err
		case p.name == "journal_mode" && s.o.Database != ":memory:" && !strings.EqualFold(got, p.value):
			return fmt.Errorf("the file stays in mode %s", got)
		}
		return nil
	}
}

// pragma runs a pragma and gives the first value of its answer, as text.
func (s *conn) pragma(ctx context.Context, query string) (string, error) {
	rows, err := s.QueryText(ctx, query, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	dest := make([]sqldriver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err != nil || len(dest) == 0 {
		return "", nil // most pragmas answer nothing
	}
	return fmt.Sprint(dest[0]), nil
}

// levels that SQLite has under its one: every transaction is serializable.
func checkIsolation(level sql.IsolationLevel) error {
	switch level {
	case sql.LevelDefault, sql.LevelSerializable:
		return nil
	}
	return &session.NotSentError{Err: &session.UnsupportedIsolationError{Level: level.String(), Database: "SQLite"}}
}
