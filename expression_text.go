package dbfleet

import "github.com/dbfleet/dbfleet/internal/sqlgen"

// Lower is a text in small letters: all that the database's locale knows, on SQLite those
// of ASCII.
func Lower(text Operand[string]) Expression[string] { return textCall(sqlgen.LowerText, "Lower", text) }

// Upper is a text in capitals; see Lower.
func Upper(text Operand[string]) Expression[string] { return textCall(sqlgen.UpperText, "Upper", text) }

// Trim is a text without the blanks at its ends.
func Trim(text Operand[string]) Expression[string] { return textCall(sqlgen.TrimText, "Trim", text) }

// Length is how many characters a text has.
func Length(text Operand[string]) Expression[int64] {
	return Expression[int64]{t: sqlgen.TextCall{Func: sqlgen.CharLength, Of: termOf("Length", text)}}
}

// Concat is texts behind each other. It is NULL if one of them is; see Coalesce.
func Concat(first, second Operand[string], more ...Operand[string]) Expression[string] {
	return Expression[string]{t: sqlgen.Joined(termsOf("Concat", append([]Operand[string]{first, second}, more...)))}
}

func textCall(function sqlgen.Function, part string, text Operand[string]) Expression[string] {
	return Expression[string]{t: sqlgen.TextCall{Func: function, Of: termOf(part, text)}}
}
