package dbfleet

import "context"

// Synced is what Sync or Toggle has done.
type Synced[C, J any] struct {
	Attached []C // those of the given children that were not the parent's before
	Detached []J // the rows of the pivot that were deleted
}

// Attach ties children to a parent: it inserts a row into the pivot for each that is not
// the parent's yet, and returns how many those were. Of a child only the columns count that
// the link refers to: Tag{ID: 7} will do. A child that is given twice counts once; no
// children are no statement. A parent or child that was not saved is refused.
//
// The pivot's table must have a unique key over the columns of both links, and the columns of
// OnType: rows that others insert meanwhile are then left as they are. Without one, the
// database refuses the insert, but MySQL, where two that attach the same child at
// once may leave two rows. Whether a child is the parent's the database tells, by the
// pivot's columns.
//
// Of two that attach the same child at once one counts it, as UpsertOutcomes tells them
// apart, and none fails. Where that is not told (a pivot whose rows belong to tenants by a column, or
// one of those where UpsertOutcomes is NotTold) the number is that of the children that were not
// the parent's when Attach looked, and both may count it.
//
// In a transaction of the caller's on MySQL and MariaDB, whose plain reads may be older than
// what others have committed, one more statement locks the rows that are there (FOR SHARE), so
// that those which others have deleted since are inserted again.
//
// If the pivot's model has ModelConfig.SoftDelete, Detach marks rows, and Attach brings a
// marked one back as it was.
//
// The rows are read from the primary, and inserted by as few statements as the limits
// allow, all or none, in the transaction that ctx carries for the pivot's connection.
// Callbacks of the pivot's model run for the rows that are inserted.
func (r ToManyPivot[P, C, J]) Attach(ctx context.Context, parent *P, children ...C) (int64, error) {
	var row J
	return r.AttachWith(ctx, parent, row, children...)
}

// AttachWith is Attach with values for the pivot's other columns: row, in which the columns
// of the links are set for each child. The rows of children that are the parent's already
// stay as they are.
//
//	n, err := tagsOf.AttachWith(ctx, &post, PostTag{AddedBy: userID}, tags...)
func (r ToManyPivot[P, C, J]) AttachWith(ctx context.Context, parent *P, row J, children ...C) (int64, error) {
	attached, err := r.pivot.attach(ctx, attaching{parent: parent, parentless: parent == nil, row: &[]J{row}, children: recordsOf(children)}, r.chain.check())
	return int64(len(attached)), err
}

// Detach deletes the rows of the pivot that tie these children to the parent, those of
// ScopePivot alone, and returns how many they were. No children are no statement, and
// one that was not saved is refused. Several statements share a transaction. No callbacks run.
func (r ToManyPivot[P, C, J]) Detach(ctx context.Context, parent *P, children ...C) (int64, error) {
	return r.pivot.detach(ctx, r.pivotFor(parent), recordsOf(children))
}

// DetachAll deletes all rows of the pivot that are the parent's, those of ScopePivot
// alone, and returns how many they were. No callbacks run.
func (r ToManyPivot[P, C, J]) DetachAll(ctx context.Context, parent *P) (int64, error) {
	return detachAll(ctx, r.pivotFor(parent))
}

// Sync makes these children, and no others, those of the parent: it deletes the rows of the
// pivot that tie others to it, of ScopePivot, and inserts what is missing, as Attach does.
// Rows of children that stay are left as they are, and so are those that refer to NULL.
//
// It is done in one transaction on the pivot's connection, that of ctx if it carries
// one, and locks the rows that it deletes, in the order of their keys. Of two that sync the
// same parent at once, both may leave their children; lock the parent before where that
// matters. What ends in a deadlock with others all the same is begun anew, up to 10 times,
// callbacks included, but not in a transaction of ctx's: there it is ErrDeadlock
// (TxOptions.Retries). Children must be so few that a statement can name them all.
func (r ToManyPivot[P, C, J]) Sync(ctx context.Context, parent *P, children []C) (Synced[C, J], error) {
	var row J
	return r.SyncWith(ctx, parent, row, children)
}

// SyncWith is Sync with values for the pivot's other columns: row, in which the columns of
// the links are set for each child that is attached. Rows of children that stay are left as
// they are; Query.Update of PivotFor changes them.
//
//	done, err := tagsOf.SyncWith(ctx, &post, PostTag{AddedBy: userID}, tags)
func (r ToManyPivot[P, C, J]) SyncWith(ctx context.Context, parent *P, row J, children []C) (Synced[C, J], error) {
	return r.synced(children, func(gone *[]J) ([]int, error) {
		return r.pivot.sync(ctx, r.pivotFor(parent), gone, attaching{parent: parent, parentless: parent == nil, row: &[]J{row}, children: recordsOf(children)}, r.chain.check())
	})
}

// Toggle attaches those of these children that are not the parent's, and detaches those
// that are: a like, and the like taken back. A child that is given twice counts once; no
// children are no statement, and one that was not saved is refused. Only rows of
// ScopePivot are deleted, and a child whose rows are all outside of it is left alone.
//
// It is done in one transaction on the pivot's connection, that of ctx if it carries one,
// and locks the rows that it deletes; after a deadlock it is begun anew as Sync is. Of two
// that toggle the same child at once, both may attach it; it is there once then, and one of
// them tells so. Children must be so few that a statement can name them all. Callbacks of
// the pivot's model run for rows that are inserted; of those that are deleted, which are
// read before, AfterFind alone.
func (r ToManyPivot[P, C, J]) Toggle(ctx context.Context, parent *P, children ...C) (Synced[C, J], error) {
	var row J
	return r.ToggleWith(ctx, parent, row, children...)
}

// ToggleWith is Toggle with values for the pivot's other columns, as SyncWith has them.
func (r ToManyPivot[P, C, J]) ToggleWith(ctx context.Context, parent *P, row J, children ...C) (Synced[C, J], error) {
	return r.synced(children, func(gone *[]J) ([]int, error) {
		return r.pivot.toggle(ctx, r.pivotFor(parent), gone, attaching{parent: parent, parentless: parent == nil, row: &[]J{row}, children: recordsOf(children)}, r.chain.check())
	})
}

// synced is what a call has done that attaches some of the children and tells the rows that
// it deletes.
func (r *ToManyPivot[P, C, J]) synced(children []C, do func(gone *[]J) ([]int, error)) (Synced[C, J], error) {
	var gone []J
	attached, err := do(&gone)
	if err != nil {
		return Synced[C, J]{}, err
	}
	done := Synced[C, J]{Attached: make([]C, len(attached)), Detached: gone}
	for i, at := range attached {
		done.Attached[i] = children[at]
	}
	return done, nil
}
