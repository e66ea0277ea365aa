package dbfleet

func (n *node) abort(error) { _ = n.close() }
