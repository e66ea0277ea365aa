package dbfleet

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// source is what queries come from: a model, or a table of a connection. It is
// immutable.
type source struct {
	reg        *Registry
	table      *table.Table
	connection string // "" is the default
	why        string // why that connection, for Route
	shard      ShardRule
	fillable   []string
	scopes     []Scope
	tenant     *ownedTable // whose rows are whose, nil for a table of nobody's
	callbacks  callbacks
	relations  *relationList // of a model, nil without one
	err        error         // the table is unusable; told at its use
	relates    *relates      // the relation whose related records they are, nil for none
}

// Row is a row without a struct: column to value. On all databases alike a column's
// values are int64 (uint64 above its range), float64, bool (PostgreSQL only),
// string, []byte, time.Time in UTC, or nil. Exact decimals are strings.
//
// An expression in SelectRaw has the type that the database gives it, which differs:
//
//	                       PostgreSQL                  MySQL      SQLite
//	SUM of whole numbers   string; int64 of INTEGER    string     int64
//	AVG of whole numbers   string, 16 digits or more   string     float64
//	SUM, AVG of decimals   string                      string     float64
//	MAX, MIN of a time     time.Time                   time.Time  string
//
// SelectCount is an int64 and SelectAvg a float64 everywhere; SelectSum, SelectMin and
// SelectMax are as above. The functions Sum, Avg, Min and Max, the methods of those names, and a struct whose
// field has the alias's name (Table[T]) give it the type that is asked for, on all
// databases alike.
type Row map[string]any

// Table returns a query for a table of this connection whose rows are Row.
func (db *DB) Table(name string) *Query[Row] { return Table[Row](db, name) }

// Table returns a query for a table in the transaction, whose rows are Row.
func (tx *Tx) Table(name string) *Query[Row] {
	if err := tx.given(); err != nil {
		return (*Query[Row])((*query)(nil).broken(err))
	}
	return Table[Row](tx.st.e.reg.DB(tx.st.e.name), name).Using(tx)
}

// Table returns a query for a table of a connection whose rows are mapped to T,
// a struct, without a model; T may be Row. A T that cannot be mapped is told
// when the query is used. One of a handle for reads refuses to write and to lock,
// with ErrReadHandle.
func Table[T any](db *DB, name string) *Query[T] {
	var plan *rowmap.Plan
	var err error
	if _, ok := any((*T)(nil)).(*Row); !ok {
		plan, err = rowmap.Of[T]()
	}
	return (*Query[T])(tableQuery(db, name, plan, err))
}

func tableQuery(db *DB, name string, plan *rowmap.Plan, err error) *query {
	if name == "" {
		err = &StatementError{Part: "table", Reason: "its name is empty"}
	}
	if unusable := db.usable(); unusable != nil {
		db, err = &DB{}, unusable
	}
	s := &source{reg: db.reg, table: table.Unmodelled(name, plan), connection: db.name, why: "named by the handle", err: told(err)}
	q := &query{src: s, q: sqlgen.From(name)}
	if db.read || db.primary {
		q.at = &wish{read: db.read, primary: db.primary, replica: db.replica}
	}
	return q
}

func quoted(name string) string { return strconv.Quote(name) }
