package sqlgen

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Named renders a text of the caller's whose arguments have names: each :name becomes
// a placeholder of the database. A list as a member of IN (…) becomes as many as it
// has elements; an empty one matches nothing, and behind NOT IN everything. Where no
// argument has a name, text and arguments are returned as they are.
//
// Each argument must be in the text, and each name of the text among the arguments.
func Named(text string, args []any, env *Env) (string, []any, error) {
	d := env.Dialect
	if !slices.ContainsFunc(args, isNamed) {
		return text, args, nil
	}
	n := naming{text: text, d: d, lists: env.Values}
	if err := n.take(args); err != nil {
		return "", nil, err
	}
	if err := n.write(); err != nil {
		return "", nil, err
	}
	if len(n.args) > d.MaxParams { // it may fit without what lists are padded with
		n.exact = true
		if err := n.write(); err != nil {
			return "", nil, err
		}
	}
	if len(n.args) > d.MaxParams {
		return "", nil, &StatementError{Part: "named arguments", Reason: fmt.Sprintf("%d of them, %s takes %d; WhereIn takes a list of any length", len(n.args), d.Name, d.MaxParams), Err: ErrTooManyArgs}
	}
	return n.buf.String(), n.args, nil
}

func isNamed(v any) bool {
	_, ok := v.(sql.NamedArg)
	return ok
}

func namedFault(format string, args ...any) error {
	return &StatementError{Part: "named arguments", Reason: fmt.Sprintf(format, args...)}
}

// namedWrong is an argument of which err says what is wrong with it.
func namedWrong(name string, err error) error {
	return &StatementError{Part: "named argument " + strconv.Quote(name), Err: err}
}

// naming is a text on its way to one with placeholders.
type naming struct {
	text    string
	d       *dialect.Dialect
	lists   Values
	values  map[string]any
	names   []string // of values, in their order
	used    map[string]bool
	numbers map[string]int // the placeholders of names that are numbered
	buf     strings.Builder
	args    []any
	at      int  // up to where text was written
	exact   bool // lists are not padded
}

// take takes the arguments.
func (n *naming) take(args []any) error {
	n.values = make(map[string]any, len(args))
	for i, v := range args {
		a, ok := v.(sql.NamedArg)
		if !ok {
			return namedFault("argument %d has no name; with Named all have one", i+1)
		}
		if !isParameterName(a.Name) {
			return namedFault("argument %d: %q is no name: letters, digits and _, of which the first is no digit", i+1, a.Name)
		}
		if _, twice := n.values[a.Name]; twice {
			return namedFault("%q is given twice", a.Name)
		}
		n.values[a.Name] = a.Value
		n.names = append(n.names, a.Name)
	}
	return nil
}

// write writes the text with placeholders, and checks that it has every argument.
func (n *naming) write() error {
	n.used, n.numbers = make(map[string]bool, len(n.names)), make(map[string]int, len(n.names))
	n.args, n.at = n.args[:0], 0
	n.buf.Reset()
	list := lex.NewParameters(n.text, n.d)
	for p, ok := list.Next(); ok; p, ok = list.Next() {
		if err := n.parameter(p); err != nil {
			return err
		}
	}
	for _, name := range n.names {
		if !n.used[name] {
			return namedFault("the SQL has no :%s, which is among the arguments", name)
		}
	}
	n.buf.WriteString(n.text[n.at:])
	return nil
}

func isParameterName(name string) bool {
	for i := range len(name) {
		if !lex.InWord(name[i]) || i == 0 && (name[0] == '$' || name[0] >= '0' && name[0] <= '9') {
			return false
		}
	}
	return name != ""
}

// parameter writes the text up to a parameter, and what takes its place.
func (n *naming) parameter(p lex.Parameter) error {
	if p.Name == "" {
		return namedFault("the SQL has the placeholder %s too; with Named all arguments have a name", n.text[p.At:p.End])
	}
	v, ok := n.values[p.Name]
	if !ok {
		slices.Sort(n.names)
		return namedFault("the SQL has :%s, which is not among the arguments; they are %s", p.Name, strings.Join(n.names, ", "))
	}
	n.used[p.Name] = true
	if p.Member && n.lists.IsList(v) {
		return n.list(p, v)
	}
	n.until(p.At, p.End)
	number := n.numbers[p.Name]
	if number == 0 || !n.d.Numbered {
		n.args = append(n.args, v)
		number = len(n.args)
		n.numbers[p.Name] = number
	}
	n.placeholder(number)
	return nil
}

// list writes the elements of a list.
func (n *naming) list(p lex.Parameter, v any) error {
	elements, hasNull, err := n.elements(v)
	switch {
	case err != nil:
		return namedWrong(p.Name, err)
	case hasNull:
		return namedFault("%q has an element that is nil, which no IN finds; ask for IS NULL beside it", p.Name)
	case len(elements) > 0:
	case p.List.End == 0:
		return namedFault("%q is an empty list beside others", p.Name)
	case p.Not:
		n.until(p.List.At, p.List.End)
		n.buf.WriteString(n.d.NotInNothing)
		return nil
	default:
		n.until(p.List.At, p.List.End)
		n.buf.WriteString(n.d.InNothing)
		return nil
	}
	n.until(p.At, p.End)
	size := len(elements)
	if !n.exact {
		size = paddedSize(size)
	}
	for i := range size {
		if i > 0 {
			n.buf.WriteString(", ")
		}
		at := min(i, len(elements)-1)
		if err := n.element(elements[at], numberAt(v, at)); err != nil {
			return namedWrong(p.Name, err)
		}
	}
	return nil
}

// numberAt is the element of a list, if that is a Number.
func numberAt(list any, at int) *Number {
	if all, ok := list.([]any); ok {
		number, _ := all[at].(*Number)
		return number
	}
	return nil
}

// element writes an element of a list, whose argument is arg; a number as rawNumbers does.
func (n *naming) element(arg any, number *Number) error {
	n.args = append(n.args, arg)
	switch {
	case number == nil || n.d == dialect.Postgres:
		n.placeholder(len(n.args))
	case n.d == dialect.MySQL:
		scale, ok := commonScale([]any{number.Decimal.String()})
		if !ok {
			return errDigits
		}
		n.buf.WriteString("CAST(")
		n.placeholder(len(n.args))
		n.buf.WriteString(" AS DECIMAL(65," + strconv.Itoa(scale) + "))")
	default:
		n.placeholder(len(n.args))
		if isSQLiteNumber(number) {
			n.args = append(n.args, arg)
			n.buf.WriteString(", +CAST(")
			n.placeholder(len(n.args))
			n.buf.WriteString(" AS NUMERIC)")
		}
	}
	return nil
}

func (n *naming) elements(v any) (elements []any, hasNull bool, err error) {
	elements, _, hasNull, err = n.lists.AppendList(nil, v, n.d, false)
	return elements, hasNull, err
}

// until writes the text up to at, and goes on behind end.
func (n *naming) until(at, end int) {
	n.buf.WriteString(n.text[n.at:at])
	n.at = end
}

func (n *naming) placeholder(number int) {
	if n.d.Numbered {
		n.buf.WriteByte('$')
		n.buf.WriteString(strconv.Itoa(number))
		return
	}
	n.buf.WriteByte('?')
}
