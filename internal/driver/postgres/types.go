//go:build !dbfleet_no_postgres

package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// registerTypes makes times mean the same on every connection: timestamptz
// is read as UTC; timestamp, which has no zone, is written as the instant's
// wall clock in UTC and read as such. date keeps pgx's rule, the civil day in
// the given time's own location.
func registerTypes(m *pgtype.Map) {
	tstz := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	ts := &pgtype.Type{Name: "timestamp", OID: pgtype.TimestampOID, Codec: &utcTimestamp{pgtype.TimestampCodec{ScanLocation: time.UTC}}}
	m.RegisterType(tstz)
	m.RegisterType(ts)
	m.RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: &pgtype.ArrayCodec{ElementType: tstz}})
	m.RegisterType(&pgtype.Type{Name: "_timestamp", OID: pgtype.TimestampArrayOID, Codec: &pgtype.ArrayCodec{ElementType: ts}})
}

// utcTimestamp is the codec of timestamp that writes the wall clock in UTC.
type utcTimestamp struct{ pgtype.TimestampCodec }

func (c *utcTimestamp) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	plan := c.TimestampCodec.PlanEncode(m, oid, format, value)
	if plan == nil {
		return nil
	}
	return utcTimestampPlan{plan}
}

type utcTimestampPlan struct{ next pgtype.EncodePlan }

func (p utcTimestampPlan) Encode(value any, buf []byte) ([]byte, error) {
	ts, err := value.(pgtype.TimestampValuer).TimestampValue()
	if err != nil {
		return nil, err
	}
	if ts.Valid && ts.InfinityModifier == pgtype.Finite {
		ts.Time = ts.Time.UTC()
	}
	return p.next.Encode(ts, buf)
}
