package values_test

import (
	"database/sql"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// place is a struct that is a text to databases: "x,y".
type place struct{ x, y string }

func (p place) MarshalText() ([]byte, error) {
	if strings.Contains(p.x+p.y, ",") {
		return nil, errors.New("a comma within")
	}
	return []byte(p.x + "," + p.y), nil
}

func (p *place) UnmarshalText(text []byte) error {
	x, y, ok := strings.Cut(string(text), ",")
	if !ok {
		return errors.New("no comma in " + string(text))
	}
	p.x, p.y = x, y
	return nil
}

type visit struct {
	ID     int64
	Addr   netip.Addr
	Via    *netip.Prefix
	Back   sql.Null[netip.AddrPort]
	Target place
}

// What has a text of its own is a column of text: written, found, changed, read in part, and
// refused when it is none.
func TestMarshaled_ValuesAreTexts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE visits (id {id}, addr VARCHAR(60) NOT NULL, via VARCHAR(60), back VARCHAR(60), target VARCHAR(60) NOT NULL)`)
		visits, err := dbfleet.NewModel[visit](fl.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "main", Fillable: []string{"addr", "target"}})
		require.NoError(t, err)
		lan := netip.MustParsePrefix("10.0.0.0/8")
		first := visit{Addr: netip.MustParseAddr("10.1.2.3"), Via: &lan, Back: sql.Null[netip.AddrPort]{V: netip.MustParseAddrPort("[::1]:80"), Valid: true}, Target: place{"a", "b"}}
		second := visit{Addr: netip.MustParseAddr("fe80::1%eth0"), Target: place{"", ""}}
		require.NoError(t, visits.Create(ctx, &first))
		require.NoError(t, visits.CreateMany(ctx, []visit{second}))

		got, err := visits.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		second.ID = got[1].ID
		require.Equal(t, []visit{first, second}, got)

		for _, q := range []*dbfleet.Query[visit]{
			visits.Where("addr", "=", first.Addr), visits.WhereIn("addr", []netip.Addr{first.Addr, netip.MustParseAddr("::2")}), visits.Where("via", "=", &lan),
			visits.Where("target", "=", place{"a", "b"}), visits.Filter(dbfleet.Col[netip.Addr]("addr").Eq(first.Addr)), visits.Query().WhereRaw("addr = ?", first.Addr),
			visits.Query().WhereNotNull("back"),
		} {
			found, err := q.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []visit{first}, found)
		}

		got[0].Target, got[0].Via = place{"c", "d"}, nil
		require.NoError(t, visits.Save(ctx, &got[0]))
		again, err := visits.Find(ctx, got[0].ID)
		require.NoError(t, err)
		require.Equal(t, got[0], again)
		addrs, err := dbfleet.Pluck[netip.Addr](ctx, visits.OrderBy("id", dbfleet.Asc), "addr")
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{first.Addr, second.Addr}, addrs)
		filled, err := visits.CreateFrom(ctx, map[string]any{"addr": "192.0.2.1", "target": "e,f"})
		require.NoError(t, err)
		require.Equal(t, place{"e", "f"}, filled.Target)

		require.ErrorContains(t, visits.Create(ctx, &visit{Addr: first.Addr, Target: place{"a,b", "c"}}), "a comma within")
		_, err = visits.Where("id", "=", first.ID).Update(ctx, map[string]any{"addr": "not one 4711"})
		require.NoError(t, err, "a text is what the column holds")
		_, err = visits.Find(ctx, first.ID)
		require.ErrorContains(t, err, "addr")
		require.NotContains(t, err.Error(), "4711")
		n, err := visits.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
	})
}

// A column of addresses takes and gives them, also as a key.
func TestMarshaled_ServesInet(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	type host struct {
		Addr netip.Addr
		Net  netip.Prefix
	}
	fl.Create(t, `CREATE TABLE hosts (addr inet PRIMARY KEY, net cidr NOT NULL)`)
	hosts, err := dbfleet.NewModel[host](fl.Registry, dbfleet.ModelConfig{Table: "hosts", Connection: "main", PrimaryKey: []string{"addr"}})
	require.NoError(t, err)
	h := host{netip.MustParseAddr("192.0.2.7"), netip.MustParsePrefix("192.0.2.0/24")}
	require.NoError(t, hosts.Create(t.Context(), &h))
	got, err := hosts.Find(t.Context(), h.Addr)
	require.NoError(t, err)
	require.Equal(t, h, got)
	many, err := hosts.FindMany(t.Context(), h.Addr, netip.MustParseAddr("::1"))
	require.NoError(t, err)
	require.Equal(t, []host{h}, many)
	got.Net = netip.MustParsePrefix("192.0.0.0/16")
	require.NoError(t, hosts.Save(t.Context(), &got))
	require.NoError(t, hosts.Delete(t.Context(), &got))
}
