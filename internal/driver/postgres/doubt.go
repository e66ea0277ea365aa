//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/value"
)

// The types of a statement's parameters are those of the moment when it was prepared,
// as long as it is kept. After ALTER COLUMN … TYPE by anyone the server casts from
// them to the column's type of today, and tells nobody: what a float4 cannot hold is
// lost on its way into a column that is a float8 by now.
//
// So a value is sent as what is known only if any type that the column may have been
// given meanwhile gets all of it. Where that is in doubt the server is asked: a value
// with one text for all types goes as that text, in the same round trip, as a
// parameter whose type the server infers; before any other the statement is described
// anew. A value that cannot be encoded for the known type is in doubt too.

// doubt says how sure a value is of the type that is known for it.
type doubt uint8

const (
	sure     doubt = iota
	asText         // what is sent is right for whatever type there is today
	askFirst       // how it is written depends on the type
)

// doubted reports whether values for the type may be in doubt.
func doubted(oid uint32) bool {
	switch oid {
	case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID, pgtype.TextOID, pgtype.VarcharOID,
		pgtype.UUIDOID, pgtype.JSONOID, pgtype.JSONBOID,
		pgtype.BoolArrayOID, pgtype.Int2ArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID, pgtype.NumericArrayOID, pgtype.TextArrayOID,
		pgtype.VarcharArrayOID, pgtype.UUIDArrayOID, pgtype.JSONArrayOID, pgtype.JSONBArrayOID, pgtype.ByteaArrayOID:
		return false
	}
	return oid < firstUserOID // an enum keeps its labels
}

// firstUserOID is the first OID of what is no part of PostgreSQL itself.
const firstUserOID = 16384

// base is the type that a domain is made of, and of any other the type itself.
func (s *conn) base(oid uint32) uint32 {
	if oid >= firstUserOID {
		if base, ok := s.bases[oid]; ok {
			return base
		}
	}
	return oid
}

// learnBases asks for the types that domains and the elements of arrays are made of, once for
// each. asked says that there was one to ask for, and that no unnamed statement is left.
func (s *conn) learnBases(ctx context.Context, oids []uint32) (asked bool, err error) {
	for _, oid := range oids {
		if oid < firstUserOID || s.bases[oid] != 0 {
			continue
		}
		asked = true
		base := oid
		for {
			of, element, err := s.madeOf(ctx, base)
			if err != nil {
				return asked, err
			}
			if of == 0 {
				if element != 0 {
					if _, err := s.learnBases(ctx, []uint32{element}); err != nil {
						return asked, err
					}
					if s.elements == nil {
						s.elements = map[uint32]uint32{}
					}
					s.elements[oid] = s.base(element)
				}
				break
			}
			base = of
		}
		if s.bases == nil {
			s.bases = map[uint32]uint32{}
		}
		s.bases[oid] = base
	}
	return asked, nil
}

// madeOf asks for the type that a domain is made of, and that of an array's elements; 0 for
// what is neither.
func (s *conn) madeOf(ctx context.Context, oid uint32) (base, element uint32, err error) {
	r := s.pc.ExecParams(ctx, "SELECT typbasetype, CASE typcategory WHEN 'A' THEN typelem ELSE 0 END FROM pg_catalog.pg_type WHERE oid = $1",
		[][]byte{strconv.AppendUint(nil, uint64(oid), 10)}, []uint32{pgtype.OIDOID}, nil, nil).Read()
	if r.Err != nil || len(r.Rows) != 1 {
		return 0, 0, r.Err
	}
	var found [2]uint64
	for i, text := range r.Rows[0] {
		if found[i], err = strconv.ParseUint(string(text), 10, 32); err != nil {
			return 0, 0, err
		}
	}
	return uint32(found[0]), uint32(found[1]), nil
}

// doubt looks at one value.
func (s *conn) doubt(oid uint32, v any) doubt {
	oid = s.base(oid)
	if v == nil || !doubted(oid) {
		return sure
	}
	switch x := plainOf(v).(type) {
	case nil:
		return sure
	case float64:
		return floatDoubt(oid, x)
	case float32:
		return floatDoubt(oid, float64(x))
	case int64:
		switch oid {
		case pgtype.Float4OID:
			return unless(x > -1e6 && x < 1e6, asText)
		case pgtype.Float8OID:
			return unless(x > -1e15 && x < 1e15, asText)
		}
	case time.Time:
		switch oid {
		case pgtype.TimestampOID, pgtype.TimestamptzOID:
			return unless(s.inUTC(), askFirst) // the server casts the one to the other
		case pgtype.DateOID:
			return dateDoubt(x)
		}
	case string:
		return textDoubt(oid, x)
	case []byte:
		if oid == pgtype.ByteaOID {
			return asText // the server would write a text as \\x…
		}
	case bool:
		return sure
	case []float64:
		return worst(x, func(f float64) doubt { return floatDoubt(elementOf[oid], f) })
	case []string:
		return worst(x, func(text string) doubt { return textDoubt(elementOf[oid], text) })
	case []time.Time:
		return worst(x, func(t time.Time) doubt { return s.doubt(elementOf[oid], t) })
	case []int64:
		return sure
	}
	switch oid {
	case pgtype.Float4OID, pgtype.Float8OID, pgtype.DateOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.ByteaOID,
		pgtype.Float4ArrayOID, pgtype.Float8ArrayOID, pgtype.DateArrayOID, pgtype.BPCharArrayOID, pgtype.NameArrayOID:
		return askFirst
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return unless(s.inUTC(), askFirst)
	}
	return sure // what has a Go type of its own
}

// plainOf is what database/sql's users may have wrapped.
func plainOf(v any) any {
	switch x := v.(type) {
	case int:
		return int64(x)
	case *float64:
		return valueOf(x, x != nil)
	case *string:
		return valueOf(x, x != nil)
	case *time.Time:
		return valueOf(x, x != nil)
	case sql.NullFloat64:
		return valueOf(&x.Float64, x.Valid)
	case sql.NullString:
		return valueOf(&x.String, x.Valid)
	case sql.NullTime:
		return valueOf(&x.Time, x.Valid)
	}
	return v
}

func valueOf[T any](v *T, valid bool) any {
	if !valid {
		return nil
	}
	return *v
}

// doubtIn is doubt for a parameter of a statement. What only compares bytes is refused
// by the server when it would compare them with anything else.
func (s *conn) doubtIn(st *statement, oid uint32, v any) doubt {
	if oid == pgtype.ByteaOID && !st.stores {
		return sure
	}
	return s.doubt(oid, v)
}

// elementOf are the types whose values in an array may be in doubt.
var elementOf = map[uint32]uint32{
	pgtype.Float4ArrayOID: pgtype.Float4OID, pgtype.Float8ArrayOID: pgtype.Float8OID, pgtype.DateArrayOID: pgtype.DateOID,
	pgtype.TimestampArrayOID: pgtype.TimestampOID, pgtype.TimestamptzArrayOID: pgtype.TimestamptzOID, pgtype.BPCharArrayOID: pgtype.BPCharOID,
	pgtype.NameArrayOID: pgtype.NameOID, pgtype.Int2ArrayOID: pgtype.Int2OID, pgtype.Int4ArrayOID: pgtype.Int4OID,
}

// worst is askFirst if one value is in doubt: an array has another text for each type.
func worst[T any](list []T, of func(T) doubt) doubt {
	for _, v := range list {
		if of(v) != sure {
			return askFirst
		}
	}
	return sure
}

func unless(ok bool, d doubt) doubt {
	if ok {
		return sure
	}
	return d
}

// floatDoubt is sure of what the type holds and keeps when the server casts it to
// numeric, which is 6 digits of a float4 and 15 of a float8.
func floatDoubt(oid uint32, f float64) doubt {
	switch oid {
	case pgtype.Float4OID:
		return unless(math.IsNaN(f) || float64(float32(f)) == f && digits(f) <= 6, asText)
	case pgtype.Float8OID:
		return unless(digits(f) <= 15, asText)
	}
	return sure
}

// digits is how many digits the shortest decimal text of a float has.
func digits(f float64) int {
	if f == math.Trunc(f) && math.Abs(f) < 1e6 || math.IsInf(f, 0) || math.IsNaN(f) {
		return 1 // as good as
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], math.Abs(f), 'e', -1, 64)
	n := slices.Index(text, 'e')
	return max(n-1, 1) // one is the point
}

// dateDoubt is sure of midnight in UTC: of any other time a date is a part.
func dateDoubt(t time.Time) doubt {
	_, offset := t.Zone()
	switch y := t.Year(); {
	case offset != 0, y < 1, y > 9999:
		return askFirst
	case t.Unix()%86400 != 0 || t.Nanosecond() != 0:
		return asText
	}
	return sure
}

func textDoubt(oid uint32, text string) doubt {
	switch oid {
	case 0, pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.TimeOID, pgtype.TimetzOID, pgtype.XMLOID:
		return sure
	case pgtype.BPCharOID:
		return asText // it is compared without the blanks at its end
	case pgtype.NameOID:
		return unless(len(text) < 64, asText)
	case pgtype.Float8OID:
		return unless(len(text) <= 15, asText)
	case pgtype.DateOID:
		return unless(len(text) == len("2006-01-02"), asText)
	}
	return asText
}

// inUTC reports whether the session's clock is UTC's.
func (s *conn) inUTC() bool {
	zone := s.pc.ParameterStatus("TimeZone")
	return zone == "UTC" || zone == "Etc/UTC" || zone == "GMT"
}

// text is the text of a value that asText was said of.
func text(v any) []byte {
	switch x := plainOf(v).(type) {
	case float64:
		return strconv.AppendFloat(nil, x, 'g', -1, 64)
	case float32:
		return strconv.AppendFloat(nil, float64(x), 'g', -1, 32)
	case int64:
		return strconv.AppendInt(nil, x, 10)
	case string:
		return []byte(x)
	case time.Time:
		return append(value.AppendTime(nil, x), "+00"...)
	}
	return nil
}
