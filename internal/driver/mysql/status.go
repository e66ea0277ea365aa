//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// What: statusOf points at the status flags that the driver keeps from the server's
// last answer and does not show.
//
// Gain: not speed. A transaction that DDL has committed by itself, or that the server
// has left, is noticed without asking the server.
//
// Relies on: the field status of the driver's connection, a uint16 with the
// protocol's SERVER_STATUS_… bits, which the driver sets with every answer.
//
// Told by: TestStatus_FollowsTheTransaction.
//
// Off: seeStatus. With a connection without that field the check is
// left out, and Fallback says so. It is not left out for a version that the tests
// have not seen: the flags are only read, and to miss a commit is worse.

const seeStatus = true

// statusOf is nil where the flags cannot be seen.
func statusOf(dc sqldriver.Conn) *uint16 {
	if !seeStatus {
		return nil
	}
	v := reflect.ValueOf(dc)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	f, ok := v.Elem().Type().FieldByName("status")
	if !ok || f.Type.Kind() != reflect.Uint16 {
		blind.Store(true)
		return nil
	}
	return (*uint16)(unsafe.Add(v.UnsafePointer(), f.Offset))
}

// blind says that a connection was seen whose flags were not.
var blind atomic.Bool

func fallback() string {
	if seeStatus && !blind.Load() {
		return ""
	}
	return "a transaction that DDL has committed is not noticed: the driver's status flags cannot be seen"
}
