package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// rawList writes a list that stands at a place of raw SQL, if it is a member of IN (…)
// there, and returns where the text goes on. ok is false for what is one value.
func (r *renderer) rawList(text string, at int, v any, where string) (next int, ok bool) {
	if !r.values.IsList(v) {
		return 0, false
	}
	p := lex.MemberAt(text, at, r.d)
	if !p.Member {
		return 0, false
	}
	list, _, hasNull, err := r.values.AppendList(nil, v, r.d, false)
	switch {
	case err != nil:
		r.fail(r.fault(where, "", err))
	case hasNull:
		r.fail(r.fault(where, "a list has an element that is nil, which no IN finds; ask for IS NULL beside it", nil))
	case len(list) > 0:
		if !r.rawNumbers(v, list, where) {
			r.elements(list, false)
		}
	case p.List.End == 0:
		r.fail(r.fault(where, "a list is empty, beside other members of IN", nil))
	default: // the text from IN on is what was written last
		mark := len(r.buf) - (at - p.List.At)
		r.buf = r.buf[:mark]
		if p.Not {
			r.str(r.d.NotInNothing)
		} else {
			r.str(r.d.InNothing)
		}
		return p.List.End, true
	}
	return at + 1, true
}

// rawNumbers writes the elements of a list, whose arguments are list, that has a Number: MySQL
// compares decimals with a list of texts as floats, and SQLite makes no number of a text
// beside an expression. ok is false for other lists, when nothing is written.
func (r *renderer) rawNumbers(v any, list []any, where string) (ok bool) {
	all, ok := v.([]any)
	if !ok || r.d.Numbered || !slices.ContainsFunc(all, isNumeric) {
		return false
	}
	for i, v := range all {
		r.commas(i)
		n, numeric := v.(*Number)
		switch {
		case !numeric || r.d == dialect.SQLite:
			r.ready(list[i])
		default:
			r.number(n, where)
		}
		if numeric && r.d == dialect.SQLite && isSQLiteNumber(n) {
			r.str(", ")
			r.bareNumber(list[i])
		}
	}
	return true
}

// isSQLiteNumber says whether SQLite has n as a number, to its last digit.
func isSQLiteNumber(n *Number) bool {
	if len(n.Decimal.Digits) <= sqliteDigits {
		return true
	}
	_, err := strconv.ParseInt(n.Decimal.String(), 10, 64)
	return err == nil
}

func isNumeric(v any) bool {
	_, ok := v.(*Number)
	return ok
}

// unnamed is raw SQL whose arguments have names with ? in the place of each name.
func (r *renderer) unnamed(text string, args []any) (string, []any, error) {
	if !slices.ContainsFunc(args, isNamed) {
		return text, args, nil
	}
	n := naming{text: text, d: r.d, used: map[string]bool{}}
	if err := n.take(args); err != nil {
		return "", nil, err
	}
	var out strings.Builder
	values := make([]any, 0, len(args))
	list := lex.NewParameters(text, r.d)
	for p, ok := list.Next(); ok; p, ok = list.Next() {
		v, known := n.values[p.Name]
		switch {
		case p.Name == "":
			return "", nil, namedFault("the SQL has the placeholder %s too; with Named all arguments have a name", text[p.At:p.End])
		case !known:
			slices.Sort(n.names)
			return "", nil, namedFault("the SQL has :%s, which is not among the arguments; they are %s", p.Name, strings.Join(n.names, ", "))
		}
		n.used[p.Name] = true
		values = append(values, v)
		out.WriteString(text[n.at:p.At])
		out.WriteByte('?')
		n.at = p.End
	}
	for _, name := range n.names {
		if !n.used[name] {
			return "", nil, namedFault("the SQL has no :%s, which is among the arguments", name)
		}
	}
	out.WriteString(text[n.at:])
	return out.String(), values, nil
}
