package readtest

import (
	"database/sql"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// sample has a field for each common type, with and without NULL.
type sample struct {
	ID      int64
	Small   int16
	Big     *int64
	Flag    bool
	MayFlag *bool
	Score   float64
	Ratio   sql.NullFloat64
	Name    string
	Note    *string
	Alias   sql.Null[string]
	Data    []byte
	At      time.Time
	MaybeAt *time.Time
	Then    sql.NullTime
}

var sampleTable = map[string]string{
	"postgres": `CREATE TABLE s (id bigint, small smallint, big bigint, flag boolean, may_flag boolean, score double precision, ratio double precision,
		name text, note varchar, alias text, data bytea, at timestamptz, maybe_at timestamp, "then" timestamptz)`,
	"mysql": "CREATE TABLE s (id BIGINT, small SMALLINT, big BIGINT, flag BOOLEAN, may_flag BOOLEAN, score DOUBLE, ratio DOUBLE, " +
		"name LONGTEXT, note LONGTEXT, alias LONGTEXT, data LONGBLOB, at DATETIME(6), maybe_at DATETIME(6), `then` DATETIME(6))",
	"sqlite": `CREATE TABLE s (id INTEGER, small INTEGER, big INTEGER, flag BOOLEAN, may_flag BOOLEAN, score REAL, ratio REAL,
		name TEXT, note TEXT, alias TEXT, data BLOB, at DATETIME, maybe_at TIMESTAMP, "then" DATETIME(6))`,
}

func randomSample(r *rand.Rand, id int) sample {
	s := sample{
		ID: int64(id), Small: int16(r.Int32()), Flag: r.IntN(2) == 0, Score: randomFloat(r), Name: randomText(r),
		Data: []byte(randomText(r)), At: randomTime(r),
	}
	if r.IntN(3) > 0 {
		s.Big, s.MayFlag, s.Note, s.MaybeAt = new(int64), new(bool), new(string), new(time.Time)
		*s.Big, *s.MayFlag, *s.Note, *s.MaybeAt = int64(r.Uint64()), r.IntN(2) == 0, randomText(r), randomTime(r)
	}
	if r.IntN(3) > 0 {
		s.Ratio = sql.NullFloat64{Float64: randomFloat(r), Valid: true}
		s.Alias = sql.Null[string]{V: randomText(r), Valid: true}
		s.Then = sql.NullTime{Time: randomTime(r), Valid: true}
	}
	return s
}

func randomFloat(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(r.IntN(2000) - 1000)
	case 1:
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(600)-300))
	}
	return r.Float64()
}

// randomText has lengths on both sides of every limit of the readers.
func randomText(r *rand.Rand) string {
	length := [...]int{0, 1, 7, 30, 255, 256, 257, 5000}[r.IntN(8)]
	var b strings.Builder
	for b.Len() < length {
		b.WriteString([...]string{"a", "é", "⌘", "😀", " ", "'", "\\", "\n"}[r.IntN(8)])
	}
	return b.String()
}

func randomTime(r *rand.Rand) time.Time {
	first := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro()
	return time.UnixMicro(first + r.Int64N(last-first)).UTC()
}

func TestRead_GivesBackRandomRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		p := open(t, db)
		c := conn(t, p)
		exec(t, c, sampleTable[db.Dialect])
		plan, err := rowmap.Of[sample]()
		require.NoError(t, err)
		d, _ := dialect.Lookup(db.Dialect)
		var want []sample
		for id := range 300 {
			s := randomSample(r, id)
			want = append(want, s)
			var columns []int
			var marks []string
			for i := range plan.Columns() {
				columns = append(columns, i)
				marks = append(marks, map[bool]string{true: fmt.Sprintf("$%d", i+1), false: "?"}[db.Dialect == "postgres"])
			}
			args, _, err := plan.ArgPlan(columns...).Args(&s, d)
			require.NoError(t, err)
			_, err = c.Exec(t.Context(), "INSERT INTO s VALUES ("+strings.Join(marks, ", ")+")", args)
			require.NoError(t, err)
		}
		for _, way := range []func(fleet.Rows) rowmap.Source{asCells, plainly} {
			for _, hint := range []int{0, 1, 300} {
				got, err := readAll[sample](plan, way(query(t, c, "SELECT * FROM s ORDER BY id")), hint)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			rows := way(query(t, c, "SELECT * FROM s ORDER BY id"))
			i := 0
			read, err := eachOf(plan, rows, func(s *sample) bool {
				require.Equal(t, want[i], *s)
				i++
				return true
			})
			require.NoError(t, err)
			require.EqualValues(t, len(want), read)
			require.NoError(t, rows.Close())

			into := make([]sample, len(want))
			for i := range into {
				into[i] = want[len(want)-1-i] // what is there is overwritten
			}
			fields := make([]int, len(plan.Columns()))
			for i := range fields {
				fields[i] = i
			}
			read, err = plan.ReadInto(way(query(t, c, "SELECT * FROM s ORDER BY id")), fields, len(into), func(i int) any { return &into[i] })
			require.NoError(t, err)
			require.EqualValues(t, len(want), read)
			require.Equal(t, want, into)
		}
		_, err = drain(query(t, c, "SELECT 1 WHERE 1 = 0"))
		require.ErrorIs(t, err, io.EOF)
	})
}
