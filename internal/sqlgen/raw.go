package sqlgen

import (
	"fmt"
	"strings"

	"github.com/dbfleet/dbfleet/internal/lex"
)

// Text renders a whole statement that the caller wrote, or that squirrel
// built, with ? for each argument.
func Text(e *Expr, env *Env) (string, []any, error) {
	return render(env, &Query{}, func(r *renderer) {
		r.q = nil
		r.raw(e, "statement")
	})
}

// raw writes an expression, its question marks turned into placeholders.
func (r *renderer) raw(e *Expr, where string) {
	if e.Term != nil {
		r.term(e.Term, false)
		return
	}
	text, args, err := e.resolve()
	if err == nil {
		text, args, err = r.unnamed(text, args)
	}
	if err != nil {
		r.fail(r.fault(where, "", err))
		return
	}
	if strings.IndexByte(text, 0) >= 0 {
		r.fail(r.fault(where, "the SQL contains a NUL byte", nil))
		return
	}
	if strings.TrimSpace(text) == "" {
		r.fail(r.fault(where, "the SQL is empty", nil))
		return
	}
	if r.owned != nil && where != "statement" {
		r.rawOwned(text, where)
	}
	r.mayWrite = r.mayWrite || !lex.PlainRead(text, r.d)
	defer r.folds.resume(r.folds.sql(text, r.d))
	n, start, level, closed := 0, 0, 0, false
	scanner := lex.New(text, r.d)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		if t.Kind == lex.Symbol {
			switch t.Text {
			case "(":
				level++
			case ")":
				level--
				closed = closed || level < 0
			}
			continue
		}
		if t.Kind != lex.Placeholder || t.Text[0] != '?' {
			continue
		}
		r.str(text[start:t.At])
		start = t.At + 1
		switch {
		case start < len(text) && text[start] == '?' && start == t.At+len(t.Text):
			if !r.d.Numbered {
				r.fail(r.fault(where, "?? stands for an operator that only PostgreSQL has", nil))
			}
			r.buf = append(r.buf, '?')
			scanner.Next()
			start++
			continue
		case len(t.Text) > 1:
			r.fail(r.fault(where, fmt.Sprintf("the placeholder %s has a number; write ? for each argument", t.Text), nil))
		case n < len(args):
			if next, list := r.rawList(text, t.At, args[n], where); list {
				start = next
				break
			}
			before := len(r.args)
			r.rawArg(args[n], where)
			if _, sql := args[n].(*Expr); !sql {
				r.cast(text, t.At, where, before)
			}
		}
		n++
	}
	r.str(text[start:])
	if (scanner.Open() || scanner.OpenLine()) && where != "statement" {
		r.fail(r.fault(where, fmt.Sprintf("the SQL ends inside a comment or quotes: %q", text), nil))
	}
	if where != "statement" && (closed || level != 0) { // what stands around it would be read otherwise
		r.fail(r.fault(where, fmt.Sprintf("the parentheses of the SQL do not match: %q", text), nil))
	}
	if n != len(args) {
		why := fmt.Sprintf("%d placeholders for %d arguments in %q", n, len(args), text)
		if numbered(text) != "" {
			why += "; a placeholder is ? on every database"
		}
		r.fail(r.fault(where, why, nil))
	}
}

// rawArg writes one argument of raw SQL: a subquery or other SQL in parentheses,
// anything else as a placeholder.
func (r *renderer) rawArg(v any, where string) {
	switch v := v.(type) {
	case *Expr:
		r.str("(")
		r.raw(v, where)
		r.str(")")
	case Subquery:
		r.subquery(r.statement(v))
	case *Number:
		r.number(v, where)
	default:
		a, err := r.values.Arg(v, r.d)
		if err != nil {
			r.fail(r.fault(where, "", err))
			return
		}
		r.ready(a)
	}
}
