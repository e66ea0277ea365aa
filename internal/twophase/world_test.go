package twophase

import "slices"

// The model of everything that the protocol stands on: servers with transactions,
// sessions and locks, requests on their way, the coordinator, recoverers, and whoever
// does harm. One transaction, whose participants all write. A world is a value; moves
// gives all worlds that may follow.

// most is the number of participants that a world may have.
const most = 3

// txn is the state of one participant's transaction on its server.
type txn int8

const (
	txnOpen txn = iota
	txnPrepared
	txnCommitted
	txnAborted
	txnGhost // answered to be finished, and neither; prepared again when the server has started
)

// session is the coordinator's connection to one server.
type session int8

const (
	sessionUp  session = iota
	sessionCut         // the coordinator is off, the server has not noticed
	sessionOver
)

type server struct {
	txn     txn
	marked  bool // the transaction holds a marker
	marker  bool // a marker is committed
	session session
}

// row is the record in the anchor's ledger.
type row struct {
	there     bool
	decision  Decision
	finished  bool
	incidents int8 // by bit: of the branch with that number
}

// request is a message on its way: sent, carried out by halves (a look is two reads), or
// answered. The answer of an orphan interests nobody.
type request struct {
	owner   int8 // 0 is the coordinator, 1 and 2 recoverers
	to      int8 // the server
	branch  int8 // that it is about
	orphan  bool
	stage   int8
	command command
	answer  answer
	closes  Decision // of a finish
	found   row      // by a fence
}

const answeredStage = 2

// life is what a coordinator or a recoverer is up to.
type life int8

const (
	idle life = iota
	running
	over
	crashed
)

type recovery struct {
	life life
	s    *settlement
}

type world struct {
	rules *rules

	servers  [most]server
	row      row
	lease    bool // the decision's row is there, uncommitted
	horizon  bool // the ledger may have forgotten the ID
	swept    int8 // how far the retention has got
	requests []request

	coordinator life
	p           *protocol
	recoveries  [2]recovery

	faults  int8 // that may still happen
	hands   int8 // that may still meddle
	harmed  bool // a fault has happened
	meddled bool
	unsaid  bool   // a failover has lost a decision
	fault   string // what is wrong with this world
}

// rules are what the worlds of one search have in common.
type rules struct {
	participants int
	recoverers   int
	faults       int8
	hands        int8
	tries        int
	clings       bool // MariaDB: a prepared branch is its session's while that is connected; others may be told nonsense when it ends
	sweeps       bool // the retention passes at any time
	mutant       mutant
}

func newWorld(r *rules) *world {
	wrote := make([]bool, r.participants)
	for i := range wrote {
		wrote[i] = true
	}
	w := &world{rules: r, faults: r.faults, hands: r.hands, coordinator: running, p: newProtocol(wrote, r.tries)}
	for i := r.participants; i < most; i++ {
		w.servers[i].session = sessionOver
	}
	w.send(0, w.p.start()...)
	return w
}

func (w *world) clone() *world {
	c := *w
	p := *w.p
	p.stand = slices.Clone(w.p.stand)
	c.p = &p
	c.requests = slices.Clone(w.requests)
	for i, r := range w.recoveries {
		if r.s != nil {
			s := *r.s
			s.slots, s.breached = slices.Clone(r.s.slots), slices.Clone(r.s.breached)
			c.recoveries[i].s = &s
		}
	}
	return &c
}

func (w *world) send(owner int8, commands ...command) {
	for _, c := range commands {
		r := request{owner: owner, command: c, to: int8(c.at), branch: int8(c.at)}
		if owner > 0 && c.op != OpFence && c.op != OpFinish {
			r.branch = int8(w.recoveries[owner-1].s.slots[c.at].member + 1)
			r.to = r.branch
		}
		switch {
		case owner == 0 && w.p.decided:
			r.closes = ToCommit
		case owner > 0:
			r.closes = w.recoveries[owner-1].s.decision
		}
		switch c.op {
		case OpFence, OpIncident, OpFinish, OpDecide:
			r.to = 0
		}
		w.requests = append(w.requests, r)
	}
}

// key tells worlds apart.
func (w *world) key(b []byte) []byte {
	flag := func(bits ...bool) {
		var n byte
		for i, bit := range bits {
			if bit {
				n |= 1 << i
			}
		}
		b = append(b, n)
	}
	for i := range w.rules.participants {
		s := w.servers[i]
		b = append(b, byte(s.txn)|byte(s.session)<<4)
		flag(s.marked, s.marker)
	}
	flag(w.row.there, w.row.finished, w.lease, w.horizon, w.harmed, w.meddled, w.unsaid)
	b = append(b, byte(w.row.decision), byte(w.row.incidents), byte(w.swept), byte(w.faults), byte(w.hands), byte(w.coordinator))
	p := w.p
	flag(p.voteLost, p.decided, p.fenced, p.expired)
	b = append(b, byte(p.phase), byte(p.waiting), byte(p.outcome))
	for _, s := range p.stand {
		b = append(b, byte(s))
	}
	for _, r := range w.recoveries {
		b = append(b, byte(r.life))
		if s := r.s; s != nil && r.life == running {
			flag(s.finished, s.pending)
			b = append(b, byte(s.fate), byte(s.decision), byte(s.at), byte(len(s.breached)), byte(len(s.slots)))
			for _, l := range s.slots {
				b = append(b, byte(l.member), byte(l.number), byte(l.tries))
			}
		}
	}
	slices.SortFunc(w.requests, compareRequests)
	for _, r := range w.requests {
		flag(r.orphan)
		b = append(b, byte(r.owner), byte(r.stage), byte(r.command.op), byte(r.command.at), byte(r.command.attempt), byte(r.command.number), byte(r.answer),
			byte(r.to), byte(r.branch), byte(r.closes), byte(r.found.decision), byte(r.found.incidents))
		flag(r.found.finished)
	}
	return b
}

func compareRequests(a, b request) int {
	of := func(r request) uint64 {
		n := uint64(r.owner)<<56 | uint64(r.command.op)<<48 | uint64(r.to)<<40 | uint64(r.branch)<<32 | uint64(r.stage)<<24 |
			uint64(r.command.attempt)<<16 | uint64(r.answer)<<8
		if r.orphan {
			n |= 1
		}
		return n
	}
	x, y := of(a), of(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// onSession says whether a request goes over the coordinator's own session.
func onSession(o Op) bool { return o <= OpRollback }
