// Package twophase commits transactions over several databases, all or none, and
// finishes what a crash left. It knows no SQL and opens no connection: it sees databases
// through the interfaces Anchor, Branch, Resource and Ledger, which say what it relies on.
//
// # What it promises
//
// After recovery every participant of a transaction is committed, or none is, whatever
// process, server or connection was lost, and when. A caller is told what is true: see
// Outcome. Recovery may run anywhere, at any time, several at once, beside coordinators
// that live. It is atomic and not isolated: between the first commit and the last,
// readers see some participants' rows and not yet the others'.
//
// It holds as long as each database keeps what it has acknowledged. What an asynchronous
// failover, a restored backup or a person breaks cannot be mended; it is found where a
// trace is left, recorded as an Incident, and told until a person has dealt with it.
//
// # Who takes part
//
// One participant is the anchor: that which cannot prepare (SQLite; one at most), or else
// the first that was named. It is chosen before the transaction begins, since an ID names
// the ledger that decides, and XA START asks for the ID. The others are branches. The
// anchor never prepares: its plain COMMIT, which holds the row of the decision, is the
// decision. So it is durable before any branch is committed, and costs no statement but
// one INSERT. The row names every branch and the ledger of its database.
//
// Each branch holds a row of its own, its marker. It is there from the commit of the
// branch on, and proves it: that a prepared branch is gone proves neither outcome.
//
// # The coordinator (protocol)
//
//	state       does, all at once                        goes on when all have answered
//	voting      branches: mark; anchor: decide;          all done: preparing; else undoing
//	            those that have only read: release
//	            (nobody wrote: committed. one did:)
//	alone       the one: plain commit                    done: committed; refused: undoing; else unknown
//	preparing   branches: prepare                        all done: deciding; else undoing
//	deciding    anchor: commit                           done: completing; refused: undoing; else asking
//	asking      ledger: fence, until it answers          commit: completing; abort: undoing; time over: unknown
//	completing  branches: commit prepared, until done    all: closing; time over: committed, pending; lost: mixed
//	undoing     roll back whatever is left, until done   rolled back; contradiction: mixed
//	closing     ledger: finish                           committed, or rolled back
//
// A participant that has only read is released before the vote ends, because a serializable
// reader may fail its COMMIT, and what the others wrote may rest on what it read.
//
// Until deciding, the end of the context rolls back. From there on it stops nothing: the
// work goes on within a bound of its own, and the caller is told what is pending.
//
// "No such prepared transaction" proves nothing, nor does what MariaDB says to another
// session than the branch's own (ErrUnproved). The coordinator and the recovery look:
// first at the list of prepared branches, then for the marker. In this order a branch that
// is not listed is over, and its marker is there or never will be.
//
// # The lease
//
// The decision's row stands, uncommitted, from before the first PREPARE until the anchor's
// transaction ends. Whoever wants to know about a transaction inserts a row under the same
// key (Ledger.Fence):
//
//   - it is blocked: the coordinator's session lives, so leave it alone;
//   - the key is there: read the decision, it stands;
//   - it is inserted: the anchor's transaction is over without a commit, and since it
//     needs this key it can never commit. The transaction is aborted.
//
// So the lease is the lock of a session, no clocks are compared, and a coordinator whose
// session was lost cannot decide against a recovery. The coordinator that lost the answer
// to its COMMIT asks the same way: a mere read would miss a COMMIT that is still on its way.
//
// # The recovery (settlement)
//
// Recover collects the transactions of prepared branches, of open records, and of markers
// that no record explains, if one of the given ledgers decides them; all others are
// someone else's. For each it fences, and then looks at every branch, in this order, since
// all branches of a commit were prepared before it could be decided:
//
//	found        decided to commit        decided to abort
//	prepared     commit it, look again    roll it back, look again
//	committed    done                     incident: contradicting outcome
//	neither      incident: lost branch    done
//
// When every branch is verified the record is finished, under the decision that was meant:
// after a failover another one may stand there. Incidents are added to records that are
// not finished, or else the deleted marker of a finished branch would look like a loss.
//
// # How long records are kept
//
// Finished records stay for a retention, since a replica that is promoted late may hold a
// PREPARE and not its COMMIT PREPARED. When they are deleted the ledger keeps the youngest
// Made of their IDs, its horizon. An ID that has no record is aborted only if it is younger;
// otherwise its record may have been deleted, and a branch that is still prepared is left
// to a person (Report.Outlived). The clocks of coordinators that differ by more than the
// retention cause such questions, and no wrong answers. Markers are deleted before records.
//
// # How it is tested
//
// Both machines are pure: events in, commands out. The tests run them in a model of the
// servers, their sessions and locks, with requests that are refused, lost, or carried out
// after their sender has given up, crashes of servers, coordinators and recoverers,
// retention that passes at any time, people who meddle and failovers that forget; they
// visit every order in which that can happen, and the model finds thirteen mistakes that were
// put into the protocol on purpose.
package twophase
