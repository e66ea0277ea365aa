//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"reflect"
	"unsafe"
)

// statusOf points at the status flags that the driver keeps from the
// server's last answer and does not show. With them a transaction that DDL has
// committed by itself is noticed without asking the server.
//
// It returns nil when the driver's connection does not have the field that it
// has in the version this was written for; then that check is left out.
func statusOf(dc sqldriver.Conn) *uint16 {
	v := reflect.ValueOf(dc)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	f, ok := v.Elem().Type().FieldByName("status")
	if !ok || f.Type.Kind() != reflect.Uint16 {
		return nil
	}
	return (*uint16)(unsafe.Add(v.UnsafePointer(), f.Offset))
}
