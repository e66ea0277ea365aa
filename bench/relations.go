package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet"
)

// What make bench-relations measures beside Eager: the records of relations, each with its
// parent, on the tables of Eager and two more.
const (
	EagerTags Operation = "eager_tags" // a hundred parents with five tags each, by a table between them
	EagerTop  Operation = "eager_top"  // a hundred parents, each with the newest three of its children
)

// Relations are all of them.
var Relations = []Operation{Eager, EagerTags, EagerTop}

// RelationDatabases are those on which they are measured.
var RelationDatabases = []string{"sqlite", "postgres", "mariadb"}

// RelationPeers are the peers that load relations by themselves, and hand-written code.
func RelationPeers() []*Peer {
	return slices.DeleteFunc(Peers(), func(p *Peer) bool {
		return slices.Contains([]string{"pgx", "sqlx", "squirrel", "xorm", "bob"}, p.Name)
	})
}

// Tag belongs to many parents.
type Tag struct {
	ID   int64  `db:"id" gorm:"primaryKey" bun:"id,pk,autoincrement" xorm:"'id' pk autoincr"`
	Name string `db:"name"`
}

// TableName is for GORM.
func (Tag) TableName() string { return "tags" }

// ParentTag says that a parent has a tag.
type ParentTag struct {
	ParentID int64   `db:"parent_id" gorm:"primaryKey" bun:"parent_id,pk"`
	TagID    int64   `db:"tag_id" gorm:"primaryKey" bun:"tag_id,pk"`
	Parent   *Parent `db:"-" gorm:"-" bun:"rel:belongs-to,join:parent_id=id"`
	Tag      *Tag    `db:"-" gorm:"-" bun:"rel:belongs-to,join:tag_id=id"`
}

// TableName is for GORM.
func (ParentTag) TableName() string { return "parent_tags" }

const (
	tags    = 50 // rows of the table tags
	tagsPer = 5
	newest  = 3
)

// newTags are the tags of a parent, in the order of their keys.
func newTags(parent int64) []Tag {
	list := make([]Tag, tagsPer)
	for i := range list {
		id := (parent*7+int64(i)*11)%tags + 1
		list[i] = Tag{ID: id, Name: fmt.Sprintf("Tag %d", id)}
	}
	slices.SortFunc(list, func(a, b Tag) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// createTags makes and fills the tables of the tags.
func (t *Target) createTags(ctx context.Context, db *sql.DB, filled bool) error {
	statements := []string{
		`CREATE TABLE tags (id BIGINT PRIMARY KEY, name VARCHAR(100) NOT NULL)`,
		`CREATE TABLE parent_tags (parent_id BIGINT NOT NULL, tag_id BIGINT NOT NULL, PRIMARY KEY (parent_id, tag_id))`,
	}
	for i := range int64(tags) {
		statements = append(statements, fmt.Sprintf(`INSERT INTO tags (id, name) VALUES (%d, 'Tag %d')`, i+1, i+1))
	}
	for i := range int64(parents) {
		for _, tag := range newTags(i + 1) {
			statements = append(statements, fmt.Sprintf(`INSERT INTO parent_tags (parent_id, tag_id) VALUES (%d, %d)`, i+1, tag.ID))
		}
	}
	if !filled {
		statements = statements[:2]
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// tagsByHand reads the parents, then the tags of all of them.
func (s *rawSession) tagsByHand(ctx context.Context, _ int) ([]Parent, error) {
	list, at, err := parentsByHand(ctx, s.db)
	if err != nil {
		return nil, err
	}
	query, args := s.ofParents(list, `SELECT l.parent_id, t.id, t.name FROM parent_tags l JOIN tags t ON t.id = l.tag_id WHERE l.parent_id IN (`, `)`)
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var parent int64
		var t Tag
		if err := rows.Scan(&parent, &t.ID, &t.Name); err != nil {
			return nil, err
		}
		p := &list[at[parent]]
		p.Tags = append(p.Tags, t)
	}
	return list, rows.Err()
}

// topByHand reads the parents, then the newest children of each in one statement.
func (s *rawSession) topByHand(ctx context.Context, _ int) ([]Parent, error) {
	list, at, err := parentsByHand(ctx, s.db)
	if err != nil {
		return nil, err
	}
	query, args := s.ofParents(list, `SELECT id, parent_id, name FROM (SELECT id, parent_id, name, ROW_NUMBER() OVER (PARTITION BY parent_id ORDER BY id DESC) AS place`+
		` FROM children WHERE parent_id IN (`, fmt.Sprintf(`)) AS ranked WHERE place <= %d ORDER BY parent_id, place`, newest))
	return list, childrenByHand(ctx, s.db, list, at, query, args)
}

// ofParents is a query with a list of the parents' keys between before and after.
func (s *rawSession) ofParents(list []Parent, before, after string) (query string, args []any) {
	args = make([]any, len(list))
	for i := range list {
		args[i] = list[i].ID
	}
	var b strings.Builder
	b.Grow(1024)
	b.WriteString(before)
	writePlaceholders(&b, 0, len(args), s.numbered)
	b.WriteString(after)
	return b.String(), args
}

// relationsOf are the library's own.
func relationsOf(registry *dbfleet.Registry, parents *dbfleet.Model[Parent], childrenOf dbfleet.ToMany[Parent, Child]) (map[Operation]Func, error) {
	tags, err := dbfleet.NewModel[Tag](registry, dbfleet.ModelConfig{Table: "tags"})
	if err != nil {
		return nil, err
	}
	links, err := dbfleet.NewModel[ParentTag](registry, dbfleet.ModelConfig{Table: "parent_tags", PrimaryKey: []string{"parent_id", "tag_id"}})
	if err != nil {
		return nil, err
	}
	tagsOf := dbfleet.ManyToMany(parents, tags, links, dbfleet.On("parent_id"), dbfleet.On("tag_id"), func(p *Parent) *[]Tag { return &p.Tags })
	newestOf := childrenOf.Scope(func(q *dbfleet.Query[Child]) *dbfleet.Query[Child] {
		return q.OrderBy("id", dbfleet.Desc).Limit(newest)
	})
	all := parents.OrderBy("id", dbfleet.Asc)
	withTags, withNewest := all.With(tagsOf), all.With(newestOf)
	return map[Operation]Func{
		EagerTags: repeat(func(ctx context.Context, _ int) ([]Parent, error) { return withTags.Get(ctx) }),
		EagerTop:  repeat(func(ctx context.Context, _ int) ([]Parent, error) { return withNewest.Get(ctx) }),
	}, nil
}

// checkRelations compares the parents with what was stored, tags in any order.
func checkRelations(op Operation, got any) error {
	list, ok := got.([]Parent)
	if !ok || len(list) != parents {
		return fmt.Errorf("the result is a %T of %d", got, len(list))
	}
	for i, want := range newFamilies() {
		p := list[i]
		if p.ID != want.ID || p.Name != want.Name {
			return fmt.Errorf("parent %d is %d %s", i, p.ID, p.Name)
		}
		switch op {
		case EagerTags:
			tags := slices.Clone(p.Tags)
			slices.SortFunc(tags, func(a, b Tag) int { return cmp.Compare(a.ID, b.ID) })
			if !slices.Equal(tags, newTags(p.ID)) {
				return fmt.Errorf("the tags of parent %d are %v", i, p.Tags)
			}
		default:
			slices.Reverse(want.Children)
			if !slices.Equal(p.Children, want.Children[:newest]) {
				return fmt.Errorf("the newest children of parent %d are %v", i, p.Children)
			}
		}
	}
	return nil
}

// relationCost is the section about relations, from the file of their own measurement. It
// is empty when there is none.
func relationCost(file string) (string, error) {
	r, err := readReport(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.relations(), nil
}

func (r *Report) relations() string {
	var b strings.Builder
	b.WriteString(`## Relations

eager_100x5: a hundred parents with five children each. eager_tags: a hundred parents with five tags each, many to many. eager_top: a hundred parents, each with
the newest three of its children. By hand that is a statement for the parents and one for the rest: a join of the two tables, and ROW_NUMBER() for the newest.
Ratios to that within a round, then allocations. A dash: that library cannot, or not without SQL written for it.

`)
	fmt.Fprintf(&b, "Measured %s with %s on %s (%s, GOMAXPROCS %d), up to %d rounds. To do it again:\n\n    make bench-relations\n\n",
		r.When.Format("2006-01-02"), r.Go, r.System, r.CPU, r.GOMAXPROCS, r.Rounds)
	var peers []string
	for _, p := range RelationPeers() {
		if p.Name != raw && p.Name != rawAgain {
			peers = append(peers, p.Name)
		}
	}
	fmt.Fprintf(&b, "| operation | by hand | noise | %s |\n|---|---:|---:|%s\n", strings.Join(peers, " | "), strings.Repeat("---:|", len(peers)))
	for _, database := range r.databases() {
		for _, op := range Relations {
			hand := r.find(database, op, raw)
			if hand == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s, %s | %s; %.0f | %.2f |", op, titles[database], shortTime(hand.Ns), hand.Allocs, r.noise(database, op))
			for _, peer := range peers {
				x := r.find(database, op, peer)
				switch {
				case x == nil:
					b.WriteString(" – |")
				case peer == ours:
					fmt.Fprintf(&b, " **%.2f**; %.0f |", x.Ratio, x.Allocs)
				default:
					fmt.Fprintf(&b, " %.2f; %.0f |", x.Ratio, x.Allocs)
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
