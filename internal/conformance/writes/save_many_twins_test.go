package writes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// twin is a record with a key that a column may hold for another's.
type twin struct {
	Code string
	Part int64
	Rev  int64
	N    int64
}

// sameKeys are columns by database, and two texts that are one value there.
var sameKeys = map[string]map[string][2]string{
	"sqlite":   {"TEXT COLLATE NOCASE": {"ann", "ANN"}, "TEXT COLLATE RTRIM": {"ann", "ann  "}, "NUMERIC": {"1.5", "1.50"}},
	"postgres": {"CITEXT": {"ann", "ANN"}, "CHAR(8)": {"ann", "ann  "}, "NUMERIC": {"1.5", "1.50"}, "TEXT COLLATE loose": {"strasse", "STRASSE"}},
	"mysql": {
		"VARCHAR(20)": {"ann", "ANN"}, "VARCHAR(20) COLLATE utf8mb4_unicode_ci": {"é", "e"},
		"VARCHAR(20) COLLATE utf8mb4_bin": {"ann", "ann  "}, "DECIMAL(10,4)": {"1.5", "1.50"},
	},
}

// truth 328
//
// Whatever the statements are by which they are saved.
func TestSaveMany_RefusesTwoRecordsOfOneRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, `CREATE EXTENSION IF NOT EXISTS citext`, `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
		}
		for kind, same := range sameKeys[fl.Database.Dialect] {
			fl.Create(t, "DROP TABLE IF EXISTS twins", "CREATE TABLE twins (code "+kind+" NOT NULL, part {bigint} NOT NULL, rev {bigint} NOT NULL, n {bigint} NOT NULL, PRIMARY KEY (code, part))",
				"INSERT INTO twins VALUES ('"+same[0]+"', 1, 1, 0), ('"+same[0]+"', 2, 1, 0)")
			for i := range 150 {
				fl.Create(t, fmt.Sprintf("INSERT INTO twins VALUES ('%d', 1, 1, 0)", i+10))
			}
			two, other, many := []twin{{same[0], 1, 1, 1}, {same[1], 1, 1, 2}}, twin{"10", 1, 1, 3}, []twin{{same[0], 1, 1, 1}}
			for i := range 150 {
				many = append(many, twin{fmt.Sprint(i + 10), 1, 1, 4})
			}
			lists := map[string]struct {
				list []twin
				want dbfleet.SameRowError
			}{
				"two": {two, dbfleet.SameRowError{First: 0, Second: 1}}, "beside another": {[]twin{other, two[0], two[1]}, dbfleet.SameRowError{First: 1, Second: 2}},
				"in two statements": {append(many, two[1]), dbfleet.SameRowError{First: 0, Second: 151}},
			}
			for model, config := range map[string]dbfleet.ModelConfig{
				"of one key": {PrimaryKey: []string{"code"}}, "of two keys": {PrimaryKey: []string{"code", "part"}}, "with a version": {PrimaryKey: []string{"code", "part"}, Version: "rev"},
			} {
				if len(config.PrimaryKey) == 1 {
					fl.Create(t, "DELETE FROM twins WHERE part = 2")
				}
				config.Table = "twins"
				m := conformance.Model[twin](t, fl.Registry, config)
				for name, c := range lists {
					name = fmt.Sprint(kind, ", ", model, ", ", name)
					before := append([]twin{}, c.list...)
					refused := func(ctx context.Context) {
						t.Helper()
						err := m.SaveMany(ctx, c.list)
						var twins *dbfleet.SameRowError
						require.ErrorAs(t, err, &twins, name)
						require.Equal(t, c.want, *twins, name)
						require.NotErrorIs(t, err, dbfleet.ErrStaleRecord, name)
						require.Equal(t, before, c.list, name)
					}
					refused(t.Context())
					require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
						refused(ctx)
						_, err := m.Count(ctx) // the transaction goes on
						return err
					}), name)
					require.Zero(t, countOf(t, fl, "twins WHERE n <> 0 OR rev <> 1"), name)
				}
				require.ErrorIs(t, m.SaveMany(t.Context(), []twin{other, {"9999", 1, 1, 1}, {"9998", 1, 1, 1}}), dbfleet.ErrNotFound, kind)
				require.NoError(t, m.SaveMany(t.Context(), many), kind)
				require.EqualValues(t, len(many), countOf(t, fl, "twins WHERE n <> 0"), kind)
				fl.Create(t, "UPDATE twins SET n = 0, rev = 1")
			}
		}
	})
}

// truth 328
func TestSaveMany_AsksForNoKeysThatAreNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type item struct {
			ID [16]byte
			At time.Time
			N  int64
		}
		fl.Create(t, "CREATE TABLE items (id {uuid} PRIMARY KEY, at {time} NOT NULL, n {bigint} NOT NULL)")
		m := conformance.Model[item](t, fl.Registry, dbfleet.ModelConfig{Table: "items"})
		var list []item
		for i := range 130 {
			list = append(list, item{ID: [16]byte{1, byte(i)}, At: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)})
		}
		require.NoError(t, m.CreateMany(t.Context(), list))
		var reads []string
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op == "select" {
				reads = append(reads, e.SQL)
			}
		})
		require.NoError(t, m.SaveMany(t.Context(), list))
		require.Empty(t, reads)
	})
}
