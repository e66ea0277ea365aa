package starter

import (
	"strings"
	"unicode"
)

// The number of English nouns: what a row of a table is called, and many of them. Only
// endings that are sure are changed; what is not known stays.

// odd are plurals that no ending tells, by their singular.
var odd = map[string]string{
	"person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "goose": "geese", "tooth": "teeth", "foot": "feet",
	"ox": "oxen", "index": "indices", "matrix": "matrices", "vertex": "vertices", "criterion": "criteria", "quiz": "quizzes",
	"movie": "movies", "cookie": "cookies", "tie": "ties", "zombie": "zombies", "calorie": "calories", "selfie": "selfies", "cache": "caches", "axe": "axes",
	"leaf": "leaves", "half": "halves", "shelf": "shelves", "self": "selves", "wolf": "wolves", "knife": "knives", "life": "lives", "wife": "wives", "thief": "thieves", "loaf": "loaves",
	"lens": "lenses", "bus": "buses", "gas": "gases", "alias": "aliases", "atlas": "atlases", "canvas": "canvases", "bias": "biases", "use": "uses",
	"analysis": "analyses", "basis": "bases", "crisis": "crises", "thesis": "theses", "diagnosis": "diagnoses", "hypothesis": "hypotheses", "synopsis": "synopses",
	"hero": "heroes", "potato": "potatoes", "tomato": "tomatoes", "echo": "echoes", "veto": "vetoes", "torpedo": "torpedoes",
}

var (
	same      = map[string]bool{}   // words of one form
	singulars = map[string]string{} // odd, the other way round
)

func init() {
	for _, w := range strings.Fields("series species news data metadata media equipment information money rice fish sheep deer aircraft feedback staff sms dns gps os mathematics physics politics economics analytics logistics sales") {
		same[w] = true
	}
	for one, many := range odd {
		singulars[many] = one
	}
	singulars["bases"] = "base" // more often than basis
}

// Singular is the name of one row for the name of a table: the last word in the singular.
func Singular(name string) string { return ofLastWord(name, singularOf) }

// Plural is the name of many for that of one.
func Plural(name string) string { return ofLastWord(name, pluralOf) }

// ofLastWord is a name of Go whose last word f has changed.
func ofLastWord(name string, f func(string) string) string {
	list := words(name)
	if len(list) == 0 {
		return name
	}
	last := list[len(list)-1]
	before := strings.TrimSuffix(name, last)
	lower := strings.ToLower(last)
	changed := f(lower)
	if changed == lower {
		return name
	}
	if strings.HasPrefix(changed, lower) {
		return name + changed[len(lower):]
	}
	if strings.HasPrefix(lower, changed) {
		return before + last[:len(changed)]
	}
	if runes := []rune(last); unicode.IsUpper(runes[0]) {
		changed = capital(changed)
	}
	return before + changed
}

func singularOf(w string) string {
	if one, ok := singulars[w]; ok {
		return one
	}
	cut := func(ending, with string) (string, bool) {
		stem, ok := strings.CutSuffix(w, ending)
		return stem + with, ok && len(stem+with) > 2
	}
	if known := initialisms[w]; known != "" {
		if one := strings.TrimSuffix(w, "s"); initialisms[one]+"s" == known {
			return one
		}
		return w
	}
	if same[w] || odd[w] != "" || len(w) < 3 {
		return w
	}
	for _, keeps := range []string{"ss", "us", "is", "ous"} {
		if strings.HasSuffix(w, keeps) {
			return w
		}
	}
	for _, e := range [][2]string{
		{"ies", "y"}, {"sses", "ss"}, {"shes", "sh"}, {"ches", "ch"}, {"xes", "x"}, {"zzes", "zz"}, {"ouses", "ouse"}, {"auses", "ause"}, {"uses", "us"}, {"s", ""},
	} {
		if one, ok := cut(e[0], e[1]); ok {
			return one
		}
	}
	return w
}

func pluralOf(w string) string {
	if many, ok := odd[w]; ok {
		return many
	}
	if same[w] || singulars[w] != "" || singularOf(w) != w {
		return w // it is one already
	}
	stem, y := strings.CutSuffix(w, "y")
	switch {
	case y && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou"):
		return stem + "ies"
	case strings.HasSuffix(w, "is") && len(w) > 4:
		return w[:len(w)-2] + "es"
	}
	for _, hissing := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(w, hissing) {
			return w + "es"
		}
	}
	return w + "s"
}
