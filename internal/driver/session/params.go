package session

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// CheckParams reports every name of Options.Params that is not made of letters,
// digits and underscores (and dots, if dotted), every one that its dialect
// refuses, and every value with a control character: such a value could end its
// own place in the protocol.
func CheckParams(o Options, dotted bool) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		if !isParamName(name, dotted) {
			errs = append(errs, &OptionError{Node: o.Name, Option: fmt.Sprintf("Params[%q]", name), Reason: "has a name that no parameter can have"})
		} else if why := o.Dialect.RefusedParam(name, o.Params[name]); why != "" {
			errs = append(errs, &OptionError{Node: o.Name, Option: "Params." + name, Reason: "cannot be set: " + why})
		} else if strings.ContainsFunc(o.Params[name], isControl) {
			errs = append(errs, &OptionError{Node: o.Name, Option: "Params." + name, Reason: "has a control character in its value"})
		}
	}
	return errors.Join(errs...)
}

// MultiStatements says whether Params ask MySQL's driver to take several statements in
// one text, and under which name.
func (o Options) MultiStatements() (on bool, param string) {
	for name, value := range o.Params {
		if o.Dialect != nil && o.Dialect.IsMultiStatements(name) {
			on, _ = strconv.ParseBool(value)
			return on, name
		}
	}
	return false, ""
}

func isParamName(name string, dotted bool) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c >= '0' && c <= '9' && i > 0:
		case c == '.' && dotted && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// CheckText reports the first of the named options with a NUL byte in it, which
// every protocol would cut off.
func CheckText(o Options, named ...string) error {
	for i := 0; i < len(named); i += 2 {
		if strings.IndexByte(named[i+1], 0) >= 0 {
			return &OptionError{Node: o.Name, Option: named[i], Reason: "contains a NUL byte"}
		}
	}
	return nil
}

// Secret is what Options.Password gives, "" without one.
func (o Options) Secret() string {
	if o.Password == nil {
		return ""
	}
	return o.Password()
}
