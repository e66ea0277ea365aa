package rowmap

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Operand turns a value that the column of field i is compared with into what
// the drivers take: it is [Plan.Fit], then the function [Arg].
func (p *Plan) Operand(i int, v any, d *dialect.Dialect) (any, error) {
	f := &p.fields[i]
	switch x := v.(type) { // what most conditions hold
	case string:
		if f.codec.kind == String {
			return v, nil
		}
	case int:
		if f.codec.kind == Int {
			return int64(x), nil
		}
	case int64:
		if f.codec.kind == Int {
			return v, nil
		}
	case bool:
		if f.codec.kind == Bool {
			return boolArg(x, d), nil
		}
	case float64:
		if f.codec.kind == Float && isNumber(x) {
			return v, nil
		}
	}
	v, err := p.Fit(i, v)
	if err != nil {
		return nil, err
	}
	a, err := Arg(v, d)
	if err != nil {
		return nil, p.failure(f, err)
	}
	return a, nil
}

// AppendList is [List] for the kinds of slices that lists most often are: it
// appends the values to args, which share memory. ok is false for others.
func AppendList(args []any, v any) (all []any, ok bool) {
	switch list := v.(type) {
	case []int64:
		return appendInts(args, list), true
	case []int:
		return appendInts(args, list), true
	case []string:
		var b boxes
		b.reserve(roomText, len(list))
		for _, s := range list {
			args = append(args, b.text(s))
		}
		return args, true
	}
	return args, false
}

func appendInts[T int | int64](args []any, list []T) []any {
	var b boxes
	if slices.ContainsFunc(list, func(n T) bool { return !isSmall(int64(n)) }) {
		b.reserve(roomWord, len(list))
	}
	for _, n := range list {
		args = append(args, b.int(int64(n)))
	}
	return args
}
