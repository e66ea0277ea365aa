package main

import (
	"context"
	"slices"
	"sync"
)

// Operation is one thing that every peer is asked to do.
type Operation string

// The operations, in the order of the report.
const (
	Insert       Operation = "insert"        // one record; its key is read back
	InsertMany   Operation = "insert_100"    // a hundred records in one call
	Update       Operation = "update"        // all columns of one record, by key
	Read         Operation = "read"          // one record by key
	ReadParallel Operation = "read_parallel" // the same on GOMAXPROCS goroutines, at least four
	ReadRouted   Operation = "read_routed"   // the same from one of two replicas' pools, in turn
	ReadMany     Operation = "read_100"      // a hundred records
	Eager        Operation = "eager_100x5"   // a hundred parents with five children each
	Build        Operation = "build"         // the text and arguments of a SELECT with four conditions, one a list of ten
	Scan         Operation = "scan_10k"      // ten thousand wide rows into a slice
	Load         Operation = "load_10k"      // ten thousand rows by the best bulk way that the peer documents
)

// Operations are all of them.
var Operations = []Operation{Insert, InsertMany, Update, Read, ReadParallel, ReadRouted, ReadMany, Eager, Build, Scan, Load}

// place says which of a database's copies an operation works on: reads stay
// undisturbed by writes, and inserts begin with an empty table.
type place string

const (
	reads   place = "reads"
	updates place = "updates"
	inserts place = "inserts"
)

var places = []place{reads, updates, inserts}

func (o Operation) place() place {
	switch o {
	case Insert, InsertMany, Load:
		return inserts
	case Update, Tx4, Atomic:
		return updates
	}
	return reads
}

// heavy operations take so long that a quick run leaves their repetitions out.
func (o Operation) heavy() bool { return o == Scan || o == Load }

// Func is an operation of one peer.
type Func struct {
	// Run does the operation n times.
	Run func(ctx context.Context, n int) error
	// Last is the result of the last time; it is asked when the work is checked.
	Last func() any
}

// repeat makes a Func of one execution. i counts the executions of a run.
// Several runs may go on at once.
func repeat[T any](f func(ctx context.Context, i int) (T, error)) Func {
	var (
		mu   sync.Mutex // protects last
		last T
	)
	return Func{
		Run: func(ctx context.Context, n int) error {
			var v T
			var err error
			for i := range n {
				if v, err = f(ctx, i); err != nil {
					return err
				}
			}
			mu.Lock()
			last = v
			mu.Unlock()
			return nil
		},
		Last: func() any {
			mu.Lock()
			defer mu.Unlock()
			return last
		},
	}
}

// Session is one peer on one database.
type Session struct {
	Funcs map[Operation]Func
	Close func() error
}

// Peer is one way to use a database.
type Peer struct {
	Name   string
	Module string // whose version the report tells; empty for the standard library
	// Databases are those that it can use; nil is all.
	Databases []string
	Open      func(ctx context.Context, t *Target) (*Session, error)
}

func (p *Peer) serves(database string) bool {
	return p.Databases == nil || slices.Contains(p.Databases, database)
}

// The names of the peers that others are compared with.
const (
	raw      = "raw"       // hand-written database/sql: the measure of all
	rawAgain = "raw_again" // the same once more: the noise
	ours     = "dbfleet"
)

// Peers are all of them, in the order of the report.
func Peers() []*Peer {
	return []*Peer{
		{Name: raw, Open: openRaw},
		{Name: rawAgain, Open: openRaw},
		{Name: ours, Module: "github.com/dbfleet/dbfleet", Open: openDBFleet},
		{Name: "pgx", Module: "github.com/jackc/pgx/v5", Databases: []string{"postgres"}, Open: openPgx},
		{Name: "sqlx", Module: "github.com/jmoiron/sqlx", Open: openSqlx},
		{Name: "squirrel", Module: "github.com/Masterminds/squirrel", Open: openSquirrel},
		{Name: "gorm", Module: "gorm.io/gorm", Open: openGORM(false)},
		{Name: "gorm_prepared", Module: "gorm.io/gorm", Open: openGORM(true)},
		{Name: "gorm_generics", Module: "gorm.io/gorm", Open: openGORMGenerics(false)},
		{Name: "gorm_generics_prepared", Module: "gorm.io/gorm", Open: openGORMGenerics(true)},
		{Name: "bun", Module: "github.com/uptrace/bun", Open: openBun},
		{Name: "xorm", Module: "xorm.io/xorm", Open: openXORM},
		{Name: "ent", Module: "entgo.io/ent", Open: openEnt},
		{Name: "bob", Module: "github.com/stephenafamo/bob", Open: openBob},
	}
}
