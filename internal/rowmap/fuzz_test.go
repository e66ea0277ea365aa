package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// everything has a field of each kind that can be a column.
type everything struct {
	B     bool
	I     int
	I8    int8
	I64   int64
	U     uint
	U64   uint64
	F32   float32
	F64   float64
	S     string
	By    []byte
	J     json.RawMessage
	T     time.Time
	ID    [16]byte
	PB    *bool
	PI    *int32
	PS    *string
	PT    *time.Time
	PP    **float64
	NS    sql.NullString
	NT    sql.NullTime
	NF    sql.NullFloat64
	NB    sql.NullBool
	N     sql.Null[uint16]
	Sc    scanned
	A     any
	Named myString
	SS    []string   `db:"ss"`
	IS    []*int64   `db:"is"`
	BS    []bool     `db:"bs"`
	FS    []float64  `db:"fs"`
	US    [][16]byte `db:"us"`
}

// valueFrom makes a driver's value of each type out of raw bytes.
func valueFrom(kind byte, raw []byte) driver.Value {
	var eight [8]byte
	copy(eight[:], raw)
	bits := binary.LittleEndian.Uint64(eight[:])
	switch kind % 11 {
	case 0:
		return nil
	case 1:
		return int64(bits)
	case 2:
		return math.Float64frombits(bits)
	case 3:
		return bits&1 == 1
	case 4:
		return raw
	case 5:
		return string(raw)
	case 6:
		return time.Unix(int64(bits%(1<<40))-1<<39, int64(bits>>44))
	case 7:
		return bits
	case 8:
		return math.Float32frombits(uint32(bits))
	case 9:
		return []byte(nil)
	}
	return struct{}{}
}

// FuzzSetters holds that no value makes a setter panic, that every error is
// one of ours, and that what was read can be written and read again.
func FuzzSetters(f *testing.F) { // hazard 61
	for kind := range byte(11) {
		for _, raw := range []string{"", "1", "-1", "true", "2024-02-29 10:11:12", "{a,b}", "{1,NULL}", "9007199254740993", "1e999", "\x00", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
			f.Add(kind, []byte(raw), kind)
		}
	}
	types := []string{"", "BIT", "BLOB", "VARCHAR", "DATETIME", "UNSIGNED BIGINT", "DECIMAL", "JSONB", "DOUBLE"}
	known := append([]*dialect.Dialect{nil}, dialects...)
	f.Fuzz(func(t *testing.T, kind byte, raw []byte, where byte) {
		v := valueFrom(kind, raw)
		p := mustPlan[everything](t)
		typeName, d := types[int(where)%len(types)], known[int(where/16)%len(known)]
		for i, name := range p.Columns() {
			src := typedOne(typeName, d, v)
			src.columns = []string{name}
			rows, err := ReadAll[everything](p, src, 1)
			if err != nil {
				var column *ColumnError
				require.ErrorAs(t, err, &column)
				if !errors.Is(err, ErrNull) && !errors.Is(err, ErrRange) && !errors.Is(err, ErrType) && !errors.Is(err, errScan) && string(raw) != "panic" {
					t.Fatalf("%s: %v", name, err)
				}
				continue
			}
			if v == nil && !holdsNull(reflect.TypeFor[everything](), name) {
				t.Fatalf("%s took a NULL", name)
			}
			if name == "sc" {
				continue
			}
			arg, err := p.Arg(i, &rows[0], dialect.Postgres)
			if err != nil {
				continue
			}
			if d != dialect.Postgres {
				src = typedOne("", nil, arg)
			} else {
				src = typedOne("", d, arg)
			}
			src.columns = []string{name}
			again, err := ReadAll[everything](p, src, 1)
			if p.Field(i).Kind == Time && arg == nil {
				continue // the zero time is written as NULL
			}
			require.NoError(t, err, name)
			was, is := p.Value(i, &rows[0]), p.Value(i, &again[0])
			if p.Field(i).Kind != Time && p.Field(i).Kind != Any && !reflect.DeepEqual(was, is) && !hasNaN(was) {
				t.Fatalf("%s: %#v became %#v", name, was, is)
			}
		}
		_, _ = ReadRows(typedOne(typeName, d, v), d)
	})
}

// holdsNull says whether the type of a column's field can hold NULL: a pointer, a
// slice, an any, a sql.Null or a Scanner.
func holdsNull(t reflect.Type, column string) bool {
	for f := range t.Fields() {
		if name, ok := f.Tag.Lookup("db"); name != column && (ok || ColumnName(f.Name) != column) {
			continue
		}
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Interface:
			return true
		}
		return f.Type.PkgPath() == "database/sql" || reflect.PointerTo(f.Type).Implements(scannerType)
	}
	return false
}

// hasNaN says whether v is or points to what is not equal to itself.
func hasNaN(v any) bool {
	if p, ok := v.(**float64); ok && p != nil {
		return math.IsNaN(**p)
	}
	return !reflect.DeepEqual(v, v)
}
