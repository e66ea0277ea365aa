package misuse

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every exported function and method is called with the zero value of each argument
// in turn, and of its receiver: nil, "", a handle that nobody made. It must be told,
// by an error that the call or the query returns, or by a panic with words; where
// the zero value has a meaning, meaning says so.
func TestNil_IsToldAtEveryCall(t *testing.T) {
	t.Parallel()
	calls := surface(t)
	require.Greater(t, len(calls), 250)
	asked := map[string]bool{}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			for _, v := range c.variants(t) {
				got := v.run(t)
				_, means := meaning[v.name]
				if v.zero == 0 && (prints[c.function] || prints[c.name]) {
					continue // it says what it is
				}
				asked[v.name] = means
				switch {
				case strings.Contains(got, "runtime error"):
					t.Errorf("%s panics without words: %s", v.name, got)
				case v.zero < 0 && got != "":
					t.Errorf("%s fails with arguments that should be right: %s", v.name, got)
				case means && got != "":
					t.Errorf("%s has no meaning: %s", v.name, got)
				case v.zero >= 0 && !means && !strings.HasPrefix(got, "dbfleet: "):
					t.Errorf("%s is accepted: %q", v.name, got)
				}
			}
		})
	}
	require.Empty(t, slices.DeleteFunc(slices.Sorted(maps.Keys(meaning)), func(name string) bool { return asked[name] }), "no call has these")
}

// variant is one call: all arguments as they should be, or one of them zero.
type variant struct {
	call *call
	name string
	zero int  // -1 is none, 0 the receiver, 1 the first argument
	bare bool // of a variadic argument: none at all, in place of a zero one
	nilp bool // of a receiver: a nil pointer, in place of a zero value
}

// variants are all right, then one argument after the other zero.
func (c *call) variants(t *testing.T) (list []variant) {
	t.Helper()
	list = append(list, variant{call: c, name: c.name, zero: -1})
	if c.recv != nil && !c.isData {
		list = append(list, variant{call: c, name: c.name + "(zero receiver)", zero: 0})
		if c.pointer {
			list = append(list, variant{call: c, name: c.name + "(nil receiver)", zero: 0, nilp: true})
		}
	}
	if untried[c.name] != "" {
		return list[1:]
	}
	for i, p := range c.params {
		v := variant{call: c, name: c.name + " " + p, zero: i + 1}
		list = append(list, v)
		if c.variadic && i == len(c.params)-1 {
			v.name, v.bare = c.name+" "+p+" (none)", true
			list = append(list, v)
		}
	}
	return list
}

// run makes the call, uses what it returns, and tells what went wrong.
func (v variant) run(t *testing.T) (told string) {
	t.Helper()
	w := newWorld(t)
	defer func() {
		if reason := recover(); reason != nil {
			told = fmt.Sprint(reason)
			if err, ok := reason.(runtime.Error); ok {
				told = "runtime error: " + err.Error()
			}
		}
	}()
	fn := v.function(w)
	var args []reflect.Value
	typ := fn.Type()
	for i, name := range v.call.params {
		in := typ.In(i)
		last := typ.IsVariadic() && i == typ.NumIn()-1
		if last {
			in = in.Elem()
		}
		switch {
		case v.zero != i+1:
			args = append(args, w.good(t, v.call.name, name, in))
		case !v.bare:
			args = append(args, reflect.Zero(in))
		}
	}
	return w.used(v.call.name, fn.Call(args))
}

// function is what is called: a function, or a method of a receiver.
func (v variant) function(w *world) reflect.Value {
	if v.call.recv == nil {
		return w.functions()[v.call.function]
	}
	recv := reflect.ValueOf(v.call.recv(w))
	if f, ok := special[v.call.name]; ok {
		recv = reflect.ValueOf(f(w))
	}
	if v.zero == 0 {
		switch {
		case v.nilp:
			recv = reflect.Zero(recv.Type())
		case v.call.pointer:
			recv = reflect.New(recv.Type().Elem())
		default:
			recv = reflect.Zero(recv.Type())
		}
	}
	return recv.MethodByName(v.call.function)
}
