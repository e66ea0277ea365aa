package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestColumnName_IsSnakeCase(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"Name": "name", "CreatedAt": "created_at", "A": "a", "AB": "ab", "ABc": "a_bc", "User_Name": "user_name", "ÄpfelÖl": "äpfel_öl",
		// Runs of capitals, and their plurals.
		"ID": "id", "UserID": "user_id", "IDCard": "id_card", "HTTPServer": "http_server", "JSONData": "json_data", "MyURL": "my_url",
		"APIURL": "apiurl", "UserIDs": "user_ids", "IDs": "ids", "URLsSeen": "urls_seen", "DNSServers": "dns_servers", "IDSet": "id_set",
		"XAxis": "x_axis", "TShirt": "t_shirt",
		// Digits belong to the word before them.
		"ID2": "id2", "UserID2": "user_id2", "Address2": "address2", "Line1Text": "line1_text", "X509Cert": "x509_cert", "S3Key": "s3_key",
		"S3": "s3", "MD5Hash": "md5_hash", "SHA256": "sha256", "SHA256Sum": "sha256_sum", "H264Video": "h264_video", "UTF8Text": "utf8_text",
		"B2B": "b2_b", "K8sNode": "k8s_node",
		// A version.
		"IPv4": "ipv4", "IPv4Addr": "ipv4_addr", "LocalIPv6": "local_ipv6", "UUIDv7": "uuidv7", "TLSv1Off": "tlsv1_off", "IPValue": "ip_value",
		// The one word with a capital in it.
		"OAuth": "oauth", "OAuthToken": "oauth_token", "OAuth2Token": "oauth2_token", "GoogleOAuthID": "google_oauth_id", "MyOAuth": "my_oauth",
		"IDOAuth": "id_oauth", "OAuthURL": "oauth_url",
	} {
		require.Equal(t, want, ColumnName(field), field)
	}
}

// truth 123
func TestTag_HoldsAColumnNameOnly(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		`db:"name"`: "name", `json:"a,omitempty" db:"b"`: "b", `db:"größe"`: "größe", `db:"user name"`: "user name",
		`db:"-"`: "-", `  db:"x"  json:"y"`: "x", `db:"select"`: "select",
		`db:" a"`: " a", `db:"a "`: "a ", `db:"a\"b"`: `a"b`, `db:"a'b"`: "a'b", "db:\"a`b\"": "a`b", `db:"a\nb"`: "a\nb", `db:"a\tb"`: "a\tb",
		`db:"a,b"`: "a,b", `db:"last, first"`: "last, first",
	}
	for tag, want := range good {
		name, ok, err := tagOf(tag)
		require.NoError(t, err, tag)
		require.True(t, ok, tag)
		require.Equal(t, want, name, tag)
	}
	for _, tag := range []string{"", `json:"db"`, "just a note", `json:broken`} {
		_, ok, err := tagOf(tag)
		require.NoError(t, err, tag)
		require.False(t, ok, tag)
	}
	bad := []string{ // hazard 93
		`db:""`, `db:"id,pk"`, `db:"name,omitempty"`, `db:"id,pk,type:bigint"`,
		`db:"a\x00b"`, `db:"\xff"`, `db:name`, `db: "name"`, `json:name db:"x"`, `db:"a`, `db:"a" db:"b"`, `db:'a'`,
		`db:"a"; json:"b" db:"c"`, `db:"-,"`, `db="a"`,
	}
	for _, tag := range bad {
		_, _, err := tagOf(tag)
		require.Error(t, err, tag)
	}
}

type inner struct {
	City   string
	Zip    string `db:"postal"`
	hidden int
}

type Deep struct {
	Level int
	Name  string // hidden by flat.Name
}

type Middle struct {
	*Deep
	Country string
}

type flat struct {
	ID int64
	inner
	*Middle
	Name    string
	Skipped string `db:"-"`
	private int
	Posts   []flat
	Parent  *flat
	Links   []*flat
	Other   inner
	Last    time.Time
}

func TestCompile_FlattensEmbeddedStructsByGosRules(t *testing.T) { // hazard 85
	t.Parallel()
	_ = []any{flat{}.private, inner{}.hidden} // unexported: no columns
	p := mustPlan[flat](t)
	require.Equal(t, []string{"id", "city", "postal", "level", "country", "name", "last"}, p.Columns())
	i, ok := p.Column("name")
	require.True(t, ok)
	require.Equal(t, Field{Column: "name", Type: "string", Kind: String}, p.Field(i))
	_, ok = p.Column("Name")
	require.False(t, ok)

	rows, err := ReadAll[flat](p, &memory{
		columns: []string{"level", "city", "name", "country"},
		rows:    [][]driver.Value{{int64(7), "Bern", "Ada", "CH"}, {int64(8), "Rome", "Bob", "IT"}},
	}, 0)
	require.NoError(t, err)
	require.Equal(t, 7, rows[0].Level)
	require.Equal(t, "Bern", rows[0].City)
	require.Equal(t, "Ada", rows[0].Name)
	require.Equal(t, "CH", rows[0].Country)
	require.Empty(t, rows[0].Deep.Name)
	require.NotSame(t, rows[0].Middle, rows[1].Middle)
	require.Equal(t, 8, rows[1].Level)
}

func TestReadAll_AllocatesNoEmbeddedPointerWithoutItsColumns(t *testing.T) {
	t.Parallel()
	rows, err := ReadAll[flat](mustPlan[flat](t), column("id", int64(1)), 0)
	require.NoError(t, err)
	require.Nil(t, rows[0].Middle)
}

type Stamp struct{ time.Time }

type EmbeddedColumns struct {
	ID int
	time.Time
	sql.NullString `db:"note"`
	Seen           Stamp
	Money          int64
}

func TestCompile_TakesEmbeddedValuesAsColumns(t *testing.T) { // hazard 85
	t.Parallel()
	p := mustPlan[EmbeddedColumns](t)
	require.Equal(t, []string{"id", "time", "note", "seen", "money"}, p.Columns())
}

type shadowed struct {
	Base
	ID string `db:"own_id"`
}

type Base struct {
	ID   int64
	Note string
}

type skipsPromoted struct {
	Base
	Note string `db:"-"`
}

func TestCompile_HidesDeeperFieldsOfTheSameName(t *testing.T) { // hazard 85
	t.Parallel()
	require.Equal(t, []string{"note", "own_id"}, mustPlan[shadowed](t).Columns())
	require.Equal(t, []string{"id"}, mustPlan[skipsPromoted](t).Columns())
}

type BaseA struct {
	Name string `db:"a_name"`
}

type BaseB struct {
	Name string `db:"b_name"`
}

type joined struct {
	BaseA
	BaseB
}

func TestCompile_KeepsColumnsThatOnlyGoNamesConfuse(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a_name", "b_name"}, mustPlan[joined](t).Columns())
}

type withMutex struct {
	sync.Mutex
	ID int
}

func TestCompile_IgnoresEmbeddedStructsWithoutFields(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"id"}, mustPlan[withMutex](t).Columns())
}

type (
	sameColumn struct {
		UserID int
		Other  int `db:"user_id"`
	}
	foldedColumn struct {
		A int `db:"UserName"`
		B int `db:"username"`
	}
	twoBases struct {
		Base
		BaseC
	}
	BaseC     struct{ ID int64 }
	recursive struct {
		*recursive
		ID int
	}
	mutual  struct{ *Mutual2 }
	Mutual2 struct {
		*mutual
		ID int
	}
	selfPointer *selfPointer
	selfSlice   []selfSlice
	selfSlice2  []*selfSlice2
	selfNull    []sql.Null[selfNull]
	bad         struct {
		Ch     chan int
		Fn     func()
		M      map[string]int
		I      interface{ Close() error }
		C      complex128
		U      uintptr
		Arr    [3]int
		List   []string
		Tagged inner `db:"tagged"`
		Big    big.Int
		Loop   selfPointer
		Loop2  selfSlice
		Loop3  selfSlice2
		Loop4  selfNull
		Times  []time.Time
	}
	taggedEmbed struct {
		Base `db:"base"`
		X    int
	}
	none  struct{ a, b int }
	empty struct{}
	alias = struct{ ID int }
	named map[string]any
)

// truth 124
func TestCompile_TellsColumnsThatDifferOnlyInCase(t *testing.T) {
	t.Parallel()
	plan := mustPlan[foldedColumn](t)
	require.Equal(t, []string{"UserName", "username"}, plan.Columns())
	require.Equal(t, `the columns "UserName" and "username" of the fields A and B differ only in case`, plan.Folded())
	require.Empty(t, mustPlan[flat](t).Folded())
}

func TestCompile_ReportsWhatCannotBeMapped(t *testing.T) { // hazards 86, 87
	t.Parallel()
	check := func(_ *Plan, err error) func(parts ...string) {
		return func(parts ...string) {
			t.Helper()
			require.Error(t, err)
			for _, part := range parts {
				require.ErrorContains(t, err, part)
			}
		}
	}
	check(Of[sameColumn]())("UserID", "Other", `"user_id"`)
	check(Of[twoBases]())("Base.ID", "BaseC.ID")
	check(Of[recursive]())("embeds itself")
	check(Of[mutual]())("embeds itself")
	check(Of[bad]())("bad.Ch", "bad.Fn", "bad.M:", "bad.I:", "bad.C:", "bad.U:", "bad.Arr", "bad.List", "bad.Tagged",
		"bad.Big", "bad.Loop:", "bad.Loop2", "bad.Loop3", "bad.Loop4", "bad.Times", `db:"-"`)
	check(Of[taggedEmbed]())("taggedEmbed.Base")
	_ = []any{none{}.a, none{}.b, recursive{}.recursive}
	check(Of[none]())("no field")
	check(Of[empty]())("no field")
	check(Of[alias]())("named struct")
	check(Of[struct{ ID int }]())("named struct")
	check(Of[*flat]())("named struct")
	check(Of[named]())("named struct")
	check(Of[map[string]any]())("named struct")
	check(Of[any]())("named struct")
	check(Of[int]())("named struct")
	check(Of[[]flat]())("named struct")
	check(Compile(nil))("named struct")
	_, err := Of[bad]()
	require.ErrorIs(t, err, ErrType)
}

type generic[V any] struct {
	ID    int64
	Value V
}

func TestCompile_KeepsOnePlanPerType(t *testing.T) {
	t.Parallel()
	p1, err := Of[generic[string]]()
	require.NoError(t, err)
	p2, err := Of[generic[string]]()
	require.NoError(t, err)
	require.Same(t, p1, p2)
	require.NotSame(t, p1, mustPlan[generic[json.RawMessage]](t))
}

func TestCompile_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	type local struct {
		ID   int64
		Name *string
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := Of[local]()
			if err != nil {
				panic(err)
			}
			for n := range 50 {
				src := &memory{columns: []string{"id", "name", "x"}[:1+n%3], rows: [][]driver.Value{[]driver.Value{int64(n), "n", nil}[:1+n%3]}}
				rows, err := ReadAll[local](p, src, n%4)
				if err != nil || rows[0].ID != int64(n) {
					panic("wrong row")
				}
			}
		})
	}
	wg.Wait()
}
