package sqlgen

import "slices"

// In a select list MariaDB makes NULL of an AND or OR that stands within another one, if a
// window's function is in it. So such conditions are written without: as CASE, or of what
// is NULL together as | and &.

// isWindowed says whether a window's function is in a term.
func isWindowed(t Term) bool {
	switch t := t.(type) {
	case Over:
		return true
	case First:
		return slices.ContainsFunc(t, isWindowed)
	case Choice:
		return t.Else != nil && isWindowed(t.Else) || slices.ContainsFunc(t.Whens, func(w When) bool { return isWindowed(w.Then) || windowed([]Cond{w.If}) })
	case Arithmetic:
		return isWindowed(t.Left) || isWindowed(t.Right)
	case Quotient:
		return isWindowed(t.Left) || isWindowed(t.Right)
	case DecimalQuotient:
		return isWindowed(t.Left) || isWindowed(t.Right)
	case TextCall:
		return isWindowed(t.Of)
	case Joined:
		return slices.ContainsFunc(t, isWindowed)
	case Part:
		return isWindowed(t.Of)
	case Truncated:
		return isWindowed(t.Of)
	}
	return false
}

// ofWindow says whether the left side of a comparison has a window's function.
func (c *Cond) ofWindow() bool { return c.kind == terms && isWindowed(c.detail().expr.Term) }

// windowed says whether a window's function is in one of the conditions.
func windowed(conds []Cond) bool {
	return slices.ContainsFunc(conds, func(c Cond) bool {
		switch c.kind {
		case terms:
			e, _ := c.detail().value.(*Expr)
			return c.ofWindow() || e != nil && e.Term != nil && isWindowed(e.Term)
		case compare:
			e, _ := c.val.(*Expr)
			return e != nil && e.Term != nil && isWindowed(e.Term)
		case group, negation:
			return windowed(c.detail().conds)
		}
		return false
	})
}

// windowedGroup writes conditions that are joined by AND and OR.
func (r *renderer) windowedGroup(conds []Cond) {
	var some []func()
	for from, i := 0, 1; i <= len(conds); i++ {
		if i < len(conds) && !conds[i].or {
			continue
		}
		var all []func()
		for k := from; k < i; k++ {
			all = append(all, func() { r.cond(&conds[k]) })
		}
		some, from = append(some, func() { r.joinedBy(all, false) }), i
	}
	r.joinedBy(some, true)
}

// joinedBy writes conditions that are joined by OR, or all by AND: the first that decides,
// or NULL if one of the others is.
func (r *renderer) joinedBy(conds []func(), or bool) {
	if len(conds) == 1 {
		conds[0]()
		return
	}
	r.str("CASE")
	for _, cond := range conds {
		r.str([2]string{" WHEN NOT (", " WHEN ("}[index(or)])
		cond()
		r.str([2]string{") THEN 1 = 0", ") THEN 1 = 1"}[index(or)])
	}
	r.str(" ELSE ")
	for i, cond := range conds {
		if i > 0 {
			r.str([2]string{" & ", " | "}[index(or)])
		}
		r.str("(")
		cond()
		r.str(")")
	}
	r.str(" END")
}

// noNumberTerm is noNumber around a comparison of a term, which write writes.
func (r *renderer) noNumberTerm(c *Cond, write func()) {
	differs := c.op == NotEq || c.op == NotIn
	if !c.ofWindow() {
		r.str("(")
		write()
		r.noNumber(c, differs)
		return
	}
	r.str("CASE WHEN ")
	r.typeIsNumber(false, func() { r.left(c) })
	r.str(" THEN ")
	write()
	r.str(" WHEN CONCAT(")
	r.left(c)
	r.str(")")
	r.isNumeral()
	r.str(" THEN ")
	r.str([2]string{"1 = 0", "1 = 1"}[index(differs)])
	r.str(" ELSE ")
	write()
	r.str(" END")
}
