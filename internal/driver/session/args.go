package session

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kinds is what kinds of values are among arguments.
type Kinds uint8

// The kinds.
const (
	KindBasic Kinds = 1 << iota // nil, int64, bool, string, []byte
	KindFloat
	KindTime
	KindUint
	KindList // the slices that PostgreSQL takes, and JSON
	KindOther

	KindsAll = KindBasic | KindFloat | KindTime | KindUint | KindList | KindOther
)

// KindOf is the kind of one value. Only a KindOther may have methods of the
// program's own, which are called when it is sent.
func KindOf(v any) Kinds {
	switch v.(type) {
	case nil, int64, bool, string, []byte:
		return KindBasic
	case float64:
		return KindFloat
	case time.Time:
		return KindTime
	case uint64:
		return KindUint
	case []int64, []string, []float64, []bool, json.RawMessage:
		return KindList
	}
	return KindOther
}

// CheckInputs refuses too few or too many arguments; want is -1 if the driver
// does not know.
func CheckInputs(want, have int) error {
	if want < 0 || want == have {
		return nil
	}
	return &NotSentError{Err: &ArgumentError{Reason: fmt.Sprintf("the statement has %d placeholders but %d arguments", want, have)}}
}

// RecoverArgument is deferred around what calls a program's Value methods. The
// ordinal 0 is not known which.
func RecoverArgument(ordinal int, err *error) {
	if r := recover(); r != nil {
		reason := fmt.Sprintf("cannot be sent: its Value method panicked: %v", r)
		if ordinal == 0 {
			reason = "an argument " + reason
		}
		*err = &NotSentError{Err: &ArgumentError{Ordinal: ordinal, Reason: reason}}
	}
}
