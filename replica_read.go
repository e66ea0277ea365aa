package dbfleet

import (
	"context"
	"errors"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// Fits implements replicaset.Wants: the read of the place may be served by m.
func (p *place) Fits(m *replicaset.Member[*node]) bool {
	return m.Node().role() == RoleReplica
}

// toReplica takes the next replica, or the primary when none is well.
func (p *place) toReplica() {
	if !p.nextReplica(replicaset.Suspected) {
		p.toPrimary("; no replica is fit")
	}
}

// nextReplica takes the next replica that has not been asked and is not in a worse state
// than worst. It is false if there is none.
func (p *place) nextReplica(worst replicaset.Resort) bool {
	m, resort, ok := p.e.replicas.Pick(p, &p.tried)
	if !ok || resort > worst {
		return false
	}
	p.tried.Add(m)
	p.member, p.node = m, &m.Node().reads
	p.route.Node, p.route.Role, p.route.more = p.node.name, RoleReplica, "; a replica in turn"
	return true
}

// asks notes that the node is being asked.
func (p *place) asks() {
	if p.member != nil {
		p.attempt = p.member.Begin()
	}
}

// answered tells the replica set how the node did. Whether it is fit to serve at all, a
// question of the monitor's decides.
func (p *place) answered(s *statement, err error) {
	if p.member == nil || p.on != nil {
		return
	}
	switch {
	case err == nil && !s.stream, err != nil && answeredBy(err):
		p.attempt.Answered()
	case err != nil && notServed(err):
		p.attempt.Failed()
		p.e.monitor.look()
	default:
		p.attempt.GaveUp()
	}
}

// answeredBy says that the error is what the server said of the statement.
func answeredBy(err error) bool {
	problem := driver.Classify(err)
	return !problem.NotSent && !problem.Unanswered && !notServed(err)
}

// notServed says that a read has failed because of its node, whoever asks: no connection
// to it could be made, or it was lost. A caller who has no time left, or finds the pool
// full, says nothing about the node.
func notServed(err error) bool {
	if isAcquireTimeout(err) {
		return false
	}
	class := driver.Classify(err).Class
	if isConnectError(err) {
		return class != driver.Canceled && (class != driver.Timeout || isSilence(err))
	}
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

func isSilence(err error) bool {
	var s *driver.SilenceError
	return errors.As(err, &s)
}

// goesElsewhere says that another node may have the answer that this one did not give: it
// did not serve, or it is a standby that has cancelled the statement to go on replaying.
func (p *place) goesElsewhere(err error) bool {
	return notServed(err) || p.member != nil && driver.Classify(err).Class == driver.Serialization
}

// failover decides whether a statement that err ended may be asked again, and where: the
// next replica, the primary when those that are well have been tried, whoever might answer
// then, and once more the primary itself if a connection of it was lost. again remembers
// that.
//
// Only a plain read is asked again, or what a replica was asked, whose session refuses
// writes.
func (p *place) failover(ctx context.Context, s *statement, err error, again *bool) bool {
	if p.on != nil || s.write && p.route.Role == RolePrimary || ctx.Err() != nil || !p.goesElsewhere(err) {
		return false
	}
	lost := driver.Classify(err).Class == driver.Connection && !isConnectError(err)
	fromPrimary := p.member == nil
	elsewhere := !p.primary || p.e.config.Reads.WhenPrimaryDown
	p.route.Reason = "failover from " + strconv.Quote(p.route.Node)
	switch {
	case elsewhere && p.nextReplica(replicaset.Suspected):
	case !p.askedPrimary:
		p.toPrimary("; no other replica is fit")
	case elsewhere && p.nextReplica(replicaset.Ejected): // whoever might answer
	case fromPrimary && lost && !*again:
		*again = true
		p.toPrimary("; its connection was lost")
	default:
		return false
	}
	return true
}
