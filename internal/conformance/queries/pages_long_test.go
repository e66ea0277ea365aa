package queries

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// letter is a row whose texts are long.
type letter struct {
	ID    int64
	Body  string
	Raw   []byte
	Lines []line
	Found int `db:"-"` // how often AfterFind was called
}

func (l *letter) AfterFind(context.Context) error {
	l.Found++
	return nil
}

type line struct {
	ID, LetterID int64
}

// lettersOn makes 300 letters whose texts agree in their first characters, as many as
// head has, and are in no order; some are short, some are equal.
func lettersOn(t *testing.T, fl conformance.Fleet, head string) (*dbfleet.Model[letter], dbfleet.Relation[letter]) {
	t.Helper()
	types := map[string][2]string{"sqlite": {"TEXT", "BLOB"}, "postgres": {"TEXT", "BYTEA"}, "mysql": {"MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "MEDIUMBLOB"}}[fl.Database.Dialect]
	fl.Create(t, fmt.Sprintf(`CREATE TABLE letters (id {id}, body %s NOT NULL, raw %s)`, types[0], types[1]))
	fl.Create(t, `CREATE TABLE letter_lines (id {id}, letter_id {bigint} NOT NULL)`)
	lines := conformance.Model[line](t, fl.Registry, dbfleet.ModelConfig{Table: "letter_lines"})
	m := conformance.Model[letter](t, fl.Registry, dbfleet.ModelConfig{Table: "letters"})
	r := rand.New(rand.NewPCG(3, 3))
	list := make([]letter, 300)
	for i := range list {
		text := fmt.Sprint(head, r.IntN(200))
		if i%10 == 0 {
			text = fmt.Sprint(r.IntN(200))
		}
		list[i].Body, list[i].Raw = text, []byte(text)
	}
	require.NoError(t, m.CreateMany(t.Context(), list))
	return m, dbfleet.HasMany(m, lines, dbfleet.On("letter_id"), func(l *letter) *[]line { return &l.Lines })
}

// longHeads are texts of which a server that sorts by 1,024 bytes of weights sees no end.
var longHeads = map[string]string{
	"letters":                strings.Repeat("a", 700),
	"letters of more weight": strings.Repeat("ﷺ", 120),
	"a page of text":         strings.Repeat("lorem ipsum ", 400),
}

func allOnce(t *testing.T, ids []int64, claim string) {
	t.Helper()
	seen := map[int64]int{}
	for _, id := range ids {
		seen[id]++
	}
	require.Len(t, seen, 300, claim)
	require.Len(t, ids, 300, claim)
}

// truth 1022: MySQL and MariaDB sort by the first max_sort_length bytes of what a text
// weighs, and compare whole texts.
func TestPages_OfLongTextsHaveEachRowOnce(t *testing.T) {
	t.Parallel()
	for what, head := range longHeads {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				ctx := t.Context()
				m, _ := lettersOn(t, fl, head)
				for claim, q := range map[string]*dbfleet.Query[letter]{
					"ascending":    m.OrderBy("body", dbfleet.Asc),
					"descending":   m.OrderBy("body", dbfleet.Desc),
					"bytes":        m.OrderBy("raw", dbfleet.Asc),
					"two":          m.OrderBy("raw", dbfleet.Desc).OrderBy("body", dbfleet.Asc),
					"by condition": m.Where("id", ">", 0).OrderBy("body", dbfleet.Asc),
				} {
					ids := func(list []letter) (ids []int64) {
						for i := range list {
							ids = append(ids, list[i].ID)
						}
						return ids
					}
					var chunks []int64
					require.NoError(t, dbfleet.Chunk(ctx, q, 40, func(_ context.Context, list []letter) error {
						chunks = append(chunks, ids(list)...)
						return nil
					}), claim)
					allOnce(t, chunks, claim)

					var there []int64
					cursor := dbfleet.Cursor{Size: 37}
					for {
						page, err := dbfleet.CursorPage(ctx, q, cursor)
						require.NoError(t, err, claim)
						there = append(there, ids(page.Items)...)
						if !page.HasNext {
							cursor = dbfleet.Cursor{Size: 41, Before: page.Next}
							break
						}
						cursor.After = page.Next
					}
					require.Equal(t, chunks, there, claim)

					var back []int64
					for {
						page, err := dbfleet.CursorPage(ctx, q, cursor)
						require.NoError(t, err, claim)
						back = append(ids(page.Items), back...)
						if !page.HasPrevious {
							break
						}
						cursor.Before = page.Previous
					}
					require.Subset(t, there, back, claim)
					require.Equal(t, there[:len(back)], back, claim)
				}
			})
		})
	}
}

// truth 1022
func TestChunks_OfLongTextsAreWholeInOtherWays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, lines := lettersOn(t, fl, strings.Repeat("b", 900))
		q := m.OrderBy("body", dbfleet.Asc)

		var mu sync.Mutex
		var parallel []int64
		require.NoError(t, dbfleet.ChunkParallel(ctx, q, 30, 3, func(_ context.Context, list []letter) error {
			mu.Lock()
			defer mu.Unlock()
			for i := range list {
				parallel = append(parallel, list[i].ID)
			}
			return nil
		}))
		allOnce(t, parallel, "parallel")

		var related []int64
		for row, err := range q.With(lines).Iter(ctx) {
			require.NoError(t, err)
			require.NotNil(t, row.Lines)
			related = append(related, row.ID)
		}
		allOnce(t, related, "with relations")

		// The rows are read twice, and each is found once.
		var locked []int64
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			read := q
			if fl.Database.Dialect != "sqlite" {
				read = q.ForUpdate()
			}
			return dbfleet.Chunk(ctx, read, 45, func(_ context.Context, list []letter) error {
				for i := range list {
					locked = append(locked, list[i].ID)
					require.Equal(t, 1, list[i].Found)
				}
				return nil
			})
		}))
		allOnce(t, locked, "locked")
	})
}

// truth 1022: more than what a server can be asked to sort by is refused, and not guessed.
func TestPages_RefuseTextsThatMySQLDoesNotSortWholly(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, _ := lettersOn(t, fl, strings.Repeat("c", 70_000))
		rows := 0
		err := dbfleet.Chunk(ctx, m.OrderBy("body", dbfleet.Asc), 100, func(_ context.Context, list []letter) error {
			rows += len(list)
			return nil
		})
		if fl.Database.Dialect != "mysql" {
			require.NoError(t, err)
			require.Equal(t, 300, rows)
			return
		}
		require.ErrorContains(t, err, `"letters"`)
		require.ErrorContains(t, err, `"body"`)
		var column *dbfleet.ColumnError
		require.True(t, errors.As(err, &column), "%T", err)
		require.Zero(t, rows)
	})
}
