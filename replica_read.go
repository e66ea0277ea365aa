package dbfleet

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// Fits implements replicaset.Wants: the read of the place may be served by m.
func (p *place) Fits(m *replicaset.Member[*node]) bool {
	n := m.Node()
	return n.role() == RoleReplica && p.freshEnough(n, p.now) && p.hasNeeded(n, p.in.needs)
}

// toReplica takes the next replica, or what stands in for it when none is well.
func (p *place) toReplica(ctx context.Context) error {
	worst := replicaset.Suspected
	if p.e.dialect.Name == string(SQLite) { // a copy that is not there fails at once, and one that has come serves at once
		worst = replicaset.Ejected
	}
	if !p.e.sighted.Load() && !p.explains {
		p.e.firstSight(ctx)
	}
	m, resort, ok := p.pick()
	if ok && p.explains && m.Has(replicaset.Unseen) { // who reads would wait for it
		resort = replicaset.Well
	}
	switch {
	case !ok || resort > worst:
		return p.fallBack(ctx)
	case resort == replicaset.Returning && p.primaryHelps(ctx):
		return nil
	}
	p.takePicked(m, resort)
	return nil
}

// primaryHelps takes the primary for a read of the part that replicas, all of which have
// just come back, leave to it: their pools are empty, and the primary's is not. That is for
// a second, and as many reads at a time as ReadsConfig.PrimaryReads says. A primary that
// does not answer one of them in time helps no more for another second.
func (p *place) primaryHelps(ctx context.Context) bool {
	turns := p.e.primaryReads
	if turns != nil && len(turns) == cap(turns) || p.maxLag > 0 && p.e.config.Reads.WhenStale != FallbackPrimary || p.e.primary().heard.inVain() > 0 ||
		time.Now().UnixNano() < p.e.unhelped.Load() || p.toPrimary(ctx, "; the primary still helps replicas that have just come back") != nil {
		return false
	}
	p.capped, p.helps = true, true
	return true
}

// noHelp is how long a primary that was asked to help in vain is not asked again.
const noHelp = time.Second

// nextReplica takes the next replica that has not been asked and is not in a worse state
// than worst. It is false if there is none.
func (p *place) nextReplica(worst replicaset.Resort) bool {
	m, resort, ok := p.pick()
	if !ok || resort > worst {
		return false
	}
	p.takePicked(m, resort)
	return true
}

// pick finds the next replica that has not been asked.
func (p *place) pick() (*replicaset.Member[*node], replicaset.Resort, bool) {
	if p.maxLag > 0 {
		p.now = time.Now()
	}
	if p.explains {
		return p.e.replicas.Peek(p, nil)
	}
	return p.e.replicas.Pick(p, &p.tried)
}

// takePicked takes what was picked, and notes why.
func (p *place) takePicked(m *replicaset.Member[*node], resort replicaset.Resort) {
	p.take(m)
	p.atMost = p.maxLag
	why := &whyReplica
	if p.in.needs != nil {
		why = &whyInSession
	}
	p.route.more = why[resort]
}

// The reasons for a replica, by how good it is to take it: outside of sessions, and for
// what a session needs.
var (
	whyReplica = [...]string{
		replicaset.Well:      "; a replica in turn",
		replicaset.Returning: "; a replica in turn",
		replicaset.Suspected: "; a replica that is doubted, since no other is fit",
		replicaset.Ejected:   "; a replica that does not answer, as the last resort",
	}
	whyInSession = [...]string{
		replicaset.Well:      "; a replica in turn that has what the session needs",
		replicaset.Returning: "; a replica in turn that has what the session needs",
		replicaset.Suspected: "; a replica that is doubted and has what the session needs, since no other is fit",
		replicaset.Ejected:   "; a replica that does not answer and has what the session needs, as the last resort",
	}
)

// take has the place go to a replica, however old what that shows is.
func (p *place) take(m *replicaset.Member[*node]) {
	p.tried.Add(m)
	p.member, p.node, p.capped, p.atMost = m, &m.Node().reads, false, 0
	p.route.Node, p.route.Role = p.node.name, RoleReplica
}

// toOnly takes the replica that the call names, whatever is known of it but that its data is
// another cluster's.
func (p *place) toOnly(ctx context.Context) error {
	if p.only.Has(replicaset.Unseen) && !p.explains {
		p.e.seesForRead(ctx)
	}
	if err := p.only.Node().isForeign(p.only); err != nil {
		return errorf("connection %q: %w", p.e.name, err)
	}
	p.take(p.only)
	p.route.Role, p.route.more = p.node.role(), "; the replica was asked for"
	return nil
}

// replicaNamed is the replica that OnReplica names, by the name of its configuration or
// the whole one that routes tell.
func (e *entry) replicaNamed(name string) (*replicaset.Member[*node], error) {
	for _, whole := range [...]string{e.name + "/" + name, name} {
		if m := e.replicas.Find(whole); m != nil {
			return m, nil
		}
	}
	unknown := &UnknownReplicaError{Connection: e.name, Name: name}
	for _, m := range e.replicas.Members() {
		unknown.Known = append(unknown.Known, m.Name())
	}
	return nil, unknown
}

// asks notes that the node is being asked, whether by a plain read that no caller keeps the
// connection of, and whether that could be asked elsewhere if the node fell silent.
func (p *place) asks(s *statement) {
	p.yields, p.attempt = false, replicaset.Attempt[*node]{}
	plain := !s.write && !p.begins && s.op != "connect" && s.op != "ping"
	p.reads = plain && p.on == nil
	whenDown := p.e.config.Reads.WhenPrimaryDown
	switch {
	case p.member != nil:
		p.attempt = p.member.Begin()
		p.yields = p.reads && p.only == nil
	case p.reads && (p.capped || whenDown) && p.e.replicas.Len() > 0:
		if p.yields = true; p.helps || whenDown {
			p.attempt = p.node.gauge(p.e).Begin()
		}
	}
}

// answered tells the replica set how the node did. Whether it is fit to serve at all, a
// question of the monitor's decides. That is another question than whether this read
// goes elsewhere.
func (p *place) answered(s *statement, err error) {
	if p.member == nil && !p.yields || p.on != nil {
		return
	}
	switch {
	case errors.Is(err, driver.ErrHalfTime):
		p.attempt.GaveUp()
	case err == nil && s.answersOnce(), err != nil && answeredBy(err):
		p.attempt.Answered()
	case err != nil && notServed(err):
		p.attempt.Failed(driver.Text(told(err), s.text, s.args))
		p.e.monitor.look()
	default:
		p.attempt.GaveUp()
	}
}

// answersOnce says that the time until the statement has ended is the node's latency: it
// was asked something, and no code of the caller's ran meanwhile.
func (s *statement) answersOnce() bool { return !s.stream && s.op != "connect" }

// answeredBy says that the error is what the server said of the statement.
func answeredBy(err error) bool {
	problem := driver.Classify(err)
	return problem.Code != "" && !problem.NotSent && !problem.Unanswered && !notServed(err)
}

// notServed says that a read has failed because of its node, whoever asks: no connection
// to it could be made, for whatever reason, or it was lost. A caller who has no time left,
// or finds the pool full, says nothing about the node; nor does a statement that takes
// longer than StatementTimeout.
func notServed(err error) bool {
	if isAcquireTimeout(err) {
		return false
	}
	var connect *driver.ConnectError
	if errors.As(err, &connect) {
		return !errors.Is(connect.Err, context.Canceled) && !errors.Is(connect.Err, context.DeadlineExceeded)
	}
	class := driver.Classify(err).Class
	return class == driver.Connection || class == driver.TooManyConnections
}

func isAcquireTimeout(err error) bool {
	var a *driver.AcquireTimeoutError
	return errors.As(err, &a)
}

func isConnectError(err error) bool {
	var c *driver.ConnectError
	return errors.As(err, &c)
}

// isInterrupted says that the node was found silent while the statement waited for it.
func isInterrupted(err error) bool {
	var i *driver.InterruptedError
	return errors.As(err, &i)
}

func isSilence(err error) bool {
	var s *driver.SilenceError
	return errors.As(err, &s)
}

// goesElsewhere says that another node may have the answer that this one did not give: it
// did not serve; it is a standby that has cancelled the statement to go on replaying; or
// it was silent for as long as StatementTimeout, and does not answer the monitor either.
// One that does is slow with this statement, and so would be the others. Or its connections
// are all in use, and another replica has one free.
func (p *place) goesElsewhere(err error) bool {
	if notServed(err) || errors.Is(err, driver.ErrRoom) {
		return true
	}
	if p.member == nil {
		return false
	}
	if errors.Is(err, ErrClosed) || errors.Is(err, driver.ErrPoolClosed) { // the replica has just left
		return !p.e.cut.Load()
	}
	switch driver.Classify(err).Class {
	case driver.Serialization, driver.Deadlock: // of a read alone: with replaying
		return true
	case driver.Timeout:
		return isSilence(err) && isUnwell(p.member.State())
	}
	return false
}

func isUnwell(s replicaset.State) bool {
	return s == replicaset.StateSuspect || s == replicaset.StateEjected
}

// failover decides whether a statement that err ended may be asked again, and where: the
// next replica, what stands in for those that are well when they have been tried, whoever
// might answer then, and once more the primary itself if a connection of it was lost:
// again remembers that. It returns nil if the statement is to be sent again, else the
// error of it.
//
// Only a plain read is asked again, or what a replica was asked, whose session refuses
// writes. It is never asked again in a transaction or Conn, on the replica that the caller
// has named, or when the caller's time is over. What the primary has surely not done is
// sent once more where another is the primary by now; see refind.
func (p *place) failover(ctx context.Context, s *statement, err error, again *bool) error {
	var behind *behindError
	if errors.As(err, &behind) && p.on == nil && ctx.Err() == nil {
		return p.unlessBehind(ctx, behind)
	}
	var older *olderError
	if errors.As(err, &older) && p.on == nil && ctx.Err() == nil {
		return p.unlessOlder(ctx, older)
	}
	if p.on != nil || p.only != nil || s.write && p.member == nil || ctx.Err() != nil || !p.goesElsewhere(err) {
		return err
	}
	p.givesUp(err)
	from := p.route.Node
	if p.helps {
		p.helps = false
		p.e.unhelped.Store(time.Now().Add(noHelp).UnixNano())
	}
	down := p.member == nil && p.primaryIsDown()
	lost := !down && p.member == nil && driver.Classify(err).Class == driver.Connection && !isConnectError(err) && !isInterrupted(err) && !*again
	elsewhere := !p.primary || p.e.config.Reads.WhenPrimaryDown
	switch {
	case p.primary && lost:
		*again = true
	case elsewhere && p.nextReplica(p.worstInstead()):
	case !p.askedPrimary && !p.primary:
		if none := p.fallBack(ctx); none != nil && !p.goesBack(ctx) {
			return errorf("%w; %w", none, err)
		}
	case !lost && p.goesBack(ctx):
	case elsewhere && p.nextReplica(replicaset.Ejected): // whoever might answer
	case p.member == nil && p.staleIsBetter():
	case lost:
		*again = true
	case p.mayBeStale() && p.nextReplica(replicaset.Ejected):
	default:
		return err
	}
	if *again && p.member == nil && p.askedPrimary {
		p.route.more = "; its connection was lost"
	}
	p.route.Reason = "failover from " + strconv.Quote(from)
	return nil
}
