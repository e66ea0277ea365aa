package language

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// like is a reference for LIKE with the escape character \.
func like(text, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	switch c := pattern[0]; {
	case c == '%':
		for i := range len(text) + 1 {
			if like(text[i:], pattern[1:]) {
				return true
			}
		}
		return false
	case len(text) == 0:
		return false
	case c == '_':
		return like(text[1:], pattern[1:])
	case c == '\\' && len(pattern) > 1:
		return text[0] == pattern[1] && like(text[1:], pattern[2:])
	default:
		return text[0] == c && like(text[1:], pattern[1:])
	}
}

func TestLike_TellsCaseOrNotAlikeOnEveryDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE words (id {id}, word {text} NOT NULL)`)
		type word struct {
			ID   int64
			Word string
		}
		m := conformance.Model[word](t, fl.Registry, dbfleet.ModelConfig{Table: "words"})
		texts := []string{
			"", "a", "A", "ada", "Ada", "ADA", "a%b", "a_b", "axb", `a\b`, `a\\b`, "*", "?", "[a]", "[A]", "]", "a*b", "A?B", "-", "^", "é", "e", "E", "a'b", "50%_off",
		}
		known := "" // letters beyond ASCII that a database knows the cases of; C has none on PostgreSQL
		if fl.Database.Dialect != "postgres" {
			known = "ÄÖ"
			texts = append(texts, "äö", "Äö", "ÄÖ", "äoö")
		}
		list := make([]word, len(texts))
		for i, text := range texts {
			list[i] = word{ID: int64(i + 1), Word: text}
		}
		require.NoError(t, m.CreateMany(t.Context(), list))
		col := dbfleet.Field(m, func(w *word) *string { return &w.Word })
		patterns := []string{"a", "A%", "_", "%", "", "ada", "_d_", "aDa", `a\%b`, `a\_b`, "a_b", "A_B", `a\\b`, `A\\%`, "*", "?", "[a]", "[%", "%]", "e", "É", "é", "a'b", "%'%", `%\%\_%`, "-", "^", known, strings.ToLower(known) + "%"}
		found := func(c dbfleet.Cond) (words []string) {
			words, err := dbfleet.Pluck[string](t.Context(), m.Filter(c).OrderBy("id", dbfleet.Asc), "word")
			require.NoError(t, err)
			return words
		}
		for _, pattern := range patterns {
			exact, folded, others, unfolded := []string{}, []string{}, []string{}, []string{}
			for _, text := range texts {
				if like([]rune(text), []rune(pattern)) {
					exact = append(exact, text)
				} else {
					others = append(others, text)
				}
				if like([]rune(strings.ToLower(text)), []rune(strings.ToLower(pattern))) {
					folded = append(folded, text)
				} else {
					unfolded = append(unfolded, text)
				}
			}
			if pattern == "É" && fl.Database.Dialect == "postgres" {
				continue
			}
			require.Equal(t, exact, found(col.LikeExact(pattern)), pattern)
			require.Equal(t, others, found(col.NotLikeExact(pattern)), pattern)
			require.Equal(t, folded, found(col.ILike(pattern)), pattern)
			require.Equal(t, unfolded, found(col.NotILike(pattern)), pattern)
			require.Equal(t, exact, found(dbfleet.Concat(col, dbfleet.Value("")).LikeExact(pattern)), pattern)
			require.Equal(t, folded, found(dbfleet.Concat(col, dbfleet.Value("")).ILike(pattern)), pattern)
		}
		for _, text := range texts { // whatever is in it
			for name, c := range map[string]dbfleet.Cond{
				"contains": col.Contains(text), "starts": col.StartsWith(text), "ends": col.EndsWith(text),
				"exact contains": col.LikeExact("%" + dbfleet.EscapeLike(text) + "%"), "any case": col.ILike(dbfleet.EscapeLike(text)),
			} {
				require.Contains(t, found(c), text, name)
				for _, other := range found(c) {
					if name == "contains" || name == "starts" || name == "ends" { // the collation of MySQL finds more
						continue
					}
					require.Contains(t, strings.ToLower(other), strings.ToLower(text), name)
				}
			}
		}
	})
}
