package lex_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

var pg, my, lite = dialect.Postgres, dialect.MySQL, dialect.SQLite

// tokens writes the tokens of a text with a bar between them.
func tokens(text string, d *dialect.Dialect) (joined string, open bool) {
	s := lex.New(text, d)
	var parts []string
	for t := s.Next(); t.Kind != lex.End; t = s.Next() {
		parts = append(parts, t.Text)
	}
	return strings.Join(parts, "|"), s.Open()
}

func TestScanner_ReadsAsEachDatabaseDoes(t *testing.T) {
	t.Parallel()
	all := []*dialect.Dialect{pg, my, lite, nil}
	for _, tt := range []struct {
		on   []*dialect.Dialect
		text string
		want string
		open bool
	}{
		{all, "", "", false},
		{all, " \t\r\n\f\v", "", false},
		{all, "\ufeffSELECT 1", "SELECT|1", false},
		{all, "a1_$ é", "a1_$|é", false},
		{all, "'it''s' x", "'it''s'|x", false},
		{all, `"a""b;" x`, `"a""b;"|x`, false},
		{all, "'no end", "'no end", true},
		{all, "a -- c ' \n b", "a|b", false},
		{all, "a --", "a", false},
		{all, "a /* ; ' */ b", "a|b", false},
		{all, "a /* no end", "a", true},
		{all, "a/**/b", "a|b", false},
		{all, "? ?12", "?|?12", false},

		{[]*dialect.Dialect{pg, lite}, `'\' x`, `'\'|x`, false},
		{[]*dialect.Dialect{my}, `'\' x' y`, `'\' x'|y`, false},
		{[]*dialect.Dialect{my}, `"\" x" y`, `"\" x"|y`, false},
		{[]*dialect.Dialect{my}, `'\`, `'\`, true},
		{[]*dialect.Dialect{pg}, `E'\' x' e'\\' re'\'`, `E'\' x'|e'\\'|re|'\'`, false},
		{[]*dialect.Dialect{pg}, `1E'\''`, `1|E'\''`, false},
		{[]*dialect.Dialect{my, lite}, "`a``;` x", "`a``;`|x", false},
		{[]*dialect.Dialect{my}, "`\\` x", "`\\`|x", false},
		{[]*dialect.Dialect{lite}, "[a;'b] x", "[a;'b]|x", false},
		{[]*dialect.Dialect{lite}, "[a]] x", "[a]|]|x", false},
		{[]*dialect.Dialect{pg, my}, "[a;b]", "[|a|;|b|]", false},

		{[]*dialect.Dialect{pg}, "/* a /* b */ c */ d", "d", false},
		{[]*dialect.Dialect{my, lite}, "/* a /* b */ c", "c", false},
		{[]*dialect.Dialect{my}, "a # c\n b", "a|b", false},
		{[]*dialect.Dialect{pg, lite}, "a # b", "a|#|b", false},
		{[]*dialect.Dialect{my}, "1--1", "1|-|-|1", false},
		{[]*dialect.Dialect{my}, "1 -- 1", "1", false},
		{[]*dialect.Dialect{pg, lite}, "1--1", "1", false},
		{[]*dialect.Dialect{my}, "/*!50000 COMMIT */ x /*M!100 y*/", "COMMIT|x|y", false},
		{[]*dialect.Dialect{pg, lite}, "/*!50000 ' */ x", "x", false},

		{[]*dialect.Dialect{pg}, "$$;'$$ $a_1$ $$ $a_1$ x", "$$;'$$|$a_1$ $$ $a_1$|x", false},
		{[]*dialect.Dialect{pg}, "$1 a$b$ $12a$", "$1|a$b$|$12|a$", false},
		{[]*dialect.Dialect{pg}, "$a$ x", "$a$ x", true},
		{[]*dialect.Dialect{pg}, "$a x", "$|a|x", false},
		{[]*dialect.Dialect{my, lite}, "$$;", "$|$|;", false},
	} {
		for _, d := range tt.on {
			got, open := tokens(tt.text, d)
			require.Equal(t, tt.want, got, "%q on %v", tt.text, d)
			require.Equal(t, tt.open, open, "%q on %v", tt.text, d)
		}
	}
}

// statements writes the first words of each statement.
func statements(text string, d *dialect.Dialect) string {
	s := lex.New(text, d)
	var parts []string
	for {
		first, second, ok := s.Statement()
		if !ok {
			return strings.Join(parts, "|")
		}
		parts = append(parts, strings.TrimSpace(first+" "+second))
	}
}

func TestStatement_EndsWhereItEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d          *dialect.Dialect
		text, want string
	}{
		{lite, "", ""},
		{lite, ";; ( SELECT 1)", "SELECT"},
		{lite, "\ufeffCOMMIT; \ufeffBEGIN IMMEDIATE", "COMMIT|BEGIN IMMEDIATE"},
		{lite, "SELECT [x; COMMIT]", "SELECT"},
		{lite, "SELECT [x]; COMMIT", "SELECT|COMMIT"},
		{lite, "SELECT ';'; -- ;\n COMMIT /* ; */", "SELECT|COMMIT"},
		{lite, "CREATE TABLE t (a); COMMIT", "CREATE TABLE|COMMIT"},
		{lite, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; UPDATE t SET a = 1; END; COMMIT", "CREATE TRIGGER|COMMIT"},
		{lite, "CREATE TEMP TRIGGER r INSERT ON t BEGIN SELECT 1; END", "CREATE TEMP"},
		{lite, "CREATE TEMP TABLE t (a); END", "CREATE TEMP|END"},
		{lite, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; -- END\n END ; ; ROLLBACK", "CREATE TRIGGER|ROLLBACK"},
		{lite, "1; x", "|x"},
		{pg, "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM v); COMMIT", "CREATE RULE|COMMIT"},
		{pg, "CREATE FUNCTION f() RETURNS int AS $$ BEGIN COMMIT; END $$ LANGUAGE plpgsql; COMMIT", "CREATE FUNCTION|COMMIT"},
		{pg, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; COMMIT", "CREATE FUNCTION|COMMIT"},
		{pg, "SELECT 1); COMMIT", "SELECT|COMMIT"},
		{pg, "BEGIN; SELECT 1", "BEGIN|SELECT"},
		{pg, "prepare /* x */ transaction 'x'", "prepare transaction"},
		{my, "/*!50000 COMMIT */", "COMMIT"},
	} {
		require.Equal(t, tt.want, statements(tt.text, tt.d), tt.text)
	}
}

func TestFirstWord_LeavesTheRest(t *testing.T) {
	t.Parallel()
	word, s := lex.FirstWord("\ufeff/* a */ -- b\n ;(Set`x` = 1", my)
	require.Equal(t, "Set", word)
	require.Equal(t, "`x` = 1", s.Rest())
	word, _ = lex.FirstWord("'x'", my)
	require.Empty(t, word)
}

func TestScanner_AllocatesNothing(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s := lex.New("INSERT INTO t VALUES ($1, 'it''s'); SELECT 1", pg)
		for _, _, ok := s.Statement(); ok; _, _, ok = s.Statement() {
		}
	}))
}

// Whatever the text is: each token stands where it says, they go forward, what
// lies between them is blank or a comment, and statements come to an end.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{
		"SELECT 'a', \"b\", `c`, [d], $1, $x$ y $x$, ?2; COMMIT", "/* /* */ */ -- x\n# y\n/*!50000 z*/", "E'\\'", "CREATE TRIGGER r BEGIN x; END;", "\ufeff'\\",
	} {
		f.Add(text, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		d := []*dialect.Dialect{pg, my, lite, nil}[which%4]
		s := lex.New(text, d)
		at := 0
		for tok := s.Next(); tok.Kind != lex.End; tok = s.Next() {
			require.NotEmpty(t, tok.Text)
			require.GreaterOrEqual(t, tok.At, at)
			require.Equal(t, tok.Text, text[tok.At:tok.At+len(tok.Text)])
			at = tok.At + len(tok.Text)
			require.Equal(t, text[at:], s.Rest())
		}
		require.Empty(t, s.Rest())
		s = lex.New(text, d)
		for n, ok := 0, true; ok; n++ {
			_, _, ok = s.Statement()
			require.LessOrEqual(t, n, len(text)+1)
		}
		lex.FirstWord(text, d)
	})
}

// What hides behind a comment is seen where the database sees it.
func TestFirstWord_StandsBehindAComment(t *testing.T) {
	t.Parallel()
	for d, want := range map[*dialect.Dialect]string{dialect.Postgres: "COMMIT", dialect.MySQL: "", dialect.SQLite: ""} {
		word, _ := lex.FirstWord("-- a\rCOMMIT", d)
		require.Equal(t, want, word, d.Name)
		word, _ = lex.FirstWord("-- a\nCOMMIT", d)
		require.Equal(t, "COMMIT", word, d.Name)
	}
}

// A text that ends inside of something would make what is written behind it part of
// that.
func TestScanner_KnowsWhereATextEnds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{
		"a": {}, "a -- b\n": {}, "a /* b */": {}, "a /*! b */": {},
		"a -- b": {false, true}, "a /* b": {true, false}, "a /*! b": {true, false}, "a /*M!100100 b": {true, false}, "a 'b": {true, false},
	} {
		s := lex.New(text, dialect.MySQL)
		for s.Next().Kind != lex.End {
		}
		require.Equal(t, want, [2]bool{s.Open(), s.OpenLine()}, text)
	}
}
