package dbfleet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChooseLeader(t *testing.T) {
	t.Parallel()
	a, b, c := &node{name: "a"}, &node{name: "b"}, &node{name: "c"}
	primary := func(n *node) claim { return claim{n: n, answered: true, writable: true, server: n.name} }
	standby := func(n *node) claim { return claim{n: n, answered: true, server: n.name} }
	host := func(x claim) claim { x.host = true; return x }
	promoted := func(x claim) claim { x.wasStandby = true; return x }
	of := func(system string, x claim) claim { x.system = system; return x }
	in := func(group string, x claim) claim { x.group = group; return x }
	on := func(timeline uint32, x claim) claim { x.timeline = timeline; return x }
	silent := func(n *node) claim { return claim{n: n} }

	for _, tt := range []struct {
		name   string
		claims []claim
		now    *node
		leader *node
		claim  []*node
	}{
		{"the host that takes writes", []claim{host(primary(a)), standby(b)}, a, a, []*node{a}},
		{"another host", []claim{host(standby(a)), host(primary(b))}, a, b, []*node{b}},
		{"a replica that was promoted", []claim{host(silent(a)), promoted(primary(b)), standby(c)}, a, b, []*node{b}},
		{"a replica with the data of a standby, promoted before anybody looked", []claim{host(silent(a)), of("1", primary(b)), of("1", standby(c))}, a, b, []*node{b}},
		{"a replica on a later timeline than the host was", []claim{host(on(1, of("1", silent(a)))), on(2, of("1", primary(b)))}, a, b, []*node{b}},
		{"no promoted standby of another cluster", []claim{host(of("1", silent(a))), of("2", promoted(primary(b))), of("1", standby(c))}, a, nil, nil},
		{"a promoted standby beside that of another cluster", []claim{host(of("1", silent(a))), of("2", promoted(primary(b))), of("1", promoted(primary(c)))}, a, c, []*node{c}},
		{"a promoted standby of one of the hosts", []claim{host(of("2", silent(a))), host(of("1", standby(c))), of("1", promoted(primary(b)))}, a, b, []*node{b}},
		{"a host with other data", []claim{host(of("1", silent(a))), host(of("2", primary(b)))}, a, b, []*node{b}},
		{"no copy of the host's data", []claim{host(on(1, of("1", silent(a)))), on(1, of("1", primary(b))), of("1", standby(c))}, a, nil, nil},
		{"no replica that was writable from the start", []claim{host(silent(a)), primary(b), primary(c)}, a, nil, nil},
		{"no replica with other data", []claim{host(of("1", primary(a))), of("2", primary(b))}, a, a, []*node{a}},
		{"nobody while all are standbys", []claim{host(standby(a)), standby(b)}, a, nil, nil},
		{"nobody while all are silent", []claim{host(silent(a)), silent(b)}, a, nil, nil},
		{"none of two", []claim{host(primary(a)), promoted(primary(b))}, a, nil, []*node{a, b}},
		{"none of two hosts", []claim{host(primary(a)), host(primary(b))}, b, nil, []*node{a, b}},
		{"none of two timelines", []claim{host(on(1, of("1", primary(a)))), on(2, of("1", primary(b)))}, a, nil, []*node{a, b}},
		{"one server by two addresses", []claim{host(primary(a)), host(claim{n: b, answered: true, writable: true, server: "a"})}, b, b, []*node{a}},
		{"of a group the present one", []claim{host(in("g", primary(a))), host(in("g", primary(b))), host(in("g", primary(c)))}, b, b, []*node{a}},
		{"of a group the first, when the present one is gone", []claim{host(silent(a)), host(in("g", primary(b))), host(in("g", primary(c)))}, a, b, []*node{b}},
		{"none of a group and a stranger", []claim{host(in("g", primary(a))), host(in("g", primary(b))), host(primary(c))}, a, nil, []*node{a, c}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := chooseLeader(tt.claims, tt.now)
			require.Same(t, tt.leader, got.leader)
			require.Equal(t, tt.claim, got.claim)
		})
	}
}
