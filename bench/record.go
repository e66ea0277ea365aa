package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Person is a row of the table people: eight columns, three of them nullable,
// two of them times. All peers share the type; each reads its own tags.
type Person struct {
	ID        int64      `db:"id" gorm:"primaryKey" bun:"id,pk,autoincrement" xorm:"'id' pk autoincr"`
	Name      string     `db:"name"`
	Email     *string    `db:"email"`
	Age       *int64     `db:"age"`
	Balance   float64    `db:"balance"`
	Active    bool       `db:"active"`
	CreatedAt time.Time  `db:"created_at"`
	SeenAt    *time.Time `db:"seen_at"`
}

// TableName is for GORM and XORM.
func (Person) TableName() string { return "people" }

// Parent has five children, and five tags that it shares with others.
type Parent struct {
	ID       int64   `db:"id" gorm:"primaryKey" bun:"id,pk,autoincrement" xorm:"'id' pk autoincr"`
	Name     string  `db:"name"`
	Children []Child `db:"-" gorm:"foreignKey:ParentID" bun:"rel:has-many,join:id=parent_id" xorm:"-"`
	Tags     []Tag   `db:"-" gorm:"many2many:parent_tags" bun:"m2m:parent_tags,join:Parent=Tag" xorm:"-"`
}

// TableName is for GORM and XORM.
func (Parent) TableName() string { return "parents" }

// Child belongs to a parent.
type Child struct {
	ID       int64  `db:"id" gorm:"primaryKey" bun:"id,pk,autoincrement" xorm:"'id' pk autoincr"`
	ParentID int64  `db:"parent_id" xorm:"'parent_id'"`
	Name     string `db:"name"`
}

// TableName is for GORM and XORM.
func (Child) TableName() string { return "children" }

const (
	people      = 10_000 // rows of the table people
	parents     = 100
	childrenPer = 5
	batch       = 100  // records of an insert of many
	chunk       = 1000 // rows of one statement of a bulk load, unless the peer documents another size
)

// personColumns are the columns of people in the order of Person's fields, and
// writeColumns those that an insert writes.
var (
	personColumns = []string{"id", "name", "email", "age", "balance", "active", "created_at", "seen_at"}
	writeColumns  = personColumns[1:]
)

// firstDay has whole seconds: not every peer writes finer times to SQLite.
var firstDay = time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)

// newPerson is the row with that id. Of three rows, each nullable column is
// NULL in one.
func newPerson(id int64) Person {
	p := Person{
		ID: id, Name: fmt.Sprintf("Person %05d of many", id), Balance: float64(id) + 0.25,
		Active: id%2 == 0, CreatedAt: firstDay.Add(time.Duration(id) * time.Minute),
	}
	if id%3 != 0 {
		email := fmt.Sprintf("person%d@example.com", id)
		p.Email = &email
	}
	if id%3 != 1 {
		age := 18 + id%60
		p.Age = &age
	}
	if id%3 != 2 {
		seen := p.CreatedAt.Add(36 * time.Hour)
		p.SeenAt = &seen
	}
	return p
}

// newcomers are records that are not stored yet; nobody changes them.
var newcomers = func() []Person {
	list := make([]Person, people)
	for i := range list {
		list[i] = newPerson(int64(i + 1))
		list[i].ID = 0
	}
	return list
}()

// newcomer is the record that the insert number i stores.
func newcomer(i int) Person { return newcomers[i%len(newcomers)] }

// newBatch are records for an insert of many, the caller's own.
func newBatch() []Person { return slices.Clone(newcomers[:batch]) }

// newLoad are the records of a bulk load for peers that write into them.
func newLoad() []Person { return slices.Clone(newcomers) }

// key is the id of the person that the read or update number i is about.
func key(i int) int64 { return int64(i*7919%people) + 1 }

var changes atomic.Int64

// changed is the person of the update number i with a balance that it never had.
func changed(i int) Person {
	p := stored[key(i)-1]
	p.Balance = float64(changes.Add(1)) + 0.5
	return p
}

// stored are the rows of the table people.
var stored = func() []Person {
	list := slices.Clone(newcomers)
	for i := range list {
		list[i].ID = int64(i + 1)
	}
	return list
}()

// newFamilies are the parents, whose children are numbered through.
func newFamilies() []Parent {
	list := make([]Parent, parents)
	for i := range list {
		list[i] = Parent{ID: int64(i + 1), Name: fmt.Sprintf("Parent %d", i+1)}
		for j := range childrenPer {
			n := i*childrenPer + j + 1
			list[i].Children = append(list[i].Children, Child{ID: int64(n), ParentID: list[i].ID, Name: fmt.Sprintf("Child %d", n)})
		}
	}
	return list
}

// The question of the operation Build: four conditions, one of them a list. They
// are variables because constants would be made into arguments by the compiler.
var (
	buildActive  = true
	buildAge     = int64(20)
	buildBalance = 9000.0
	buildLimit   = 10
	// buildList holds three that match; of the others, each fails one condition.
	buildList = []int64{1002, 1004, 1005, 1022, 1024, 1080, 1082, 1100, 9000, 9998}
)

// Statement is what the operation Build makes.
type Statement struct {
	SQL  string
	Args []any
}
