package dbfleet

import (
	"fmt"
	"strings"
)

// atMostOne is the value of an optional parameter, or the zero value.
func atMostOne[O any](list []O) (o O, err error) {
	switch len(list) {
	case 0:
		return o, nil
	case 1:
		return list[0], nil
	}
	return o, fmt.Errorf("more than one %s", strings.TrimPrefix(fmt.Sprintf("%T", o), "dbfleet."))
}
