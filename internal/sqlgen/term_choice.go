package sqlgen

// Choice is CASE: the value of the first condition that holds, or Else, or NULL.
type Choice struct {
	Whens []When
	Else  Term // nil is NULL
}

// When is a condition and the value of it.
type When struct {
	If   Cond
	Then Term
}

func (c Choice) reads(f func(string)) {
	for i := range c.Whens {
		c.Whens[i].If.reads(f)
		c.Whens[i].Then.reads(f)
	}
	if c.Else != nil {
		c.Else.reads(f)
	}
}

func (c Choice) write(r *renderer) {
	values := make([]Term, 0, len(c.Whens)+1)
	for i := range c.Whens {
		values = append(values, c.Whens[i].Then)
	}
	if c.Else != nil {
		values = append(values, c.Else)
	}
	r.oneType(values, func() {
		r.str("CASE")
		r.alike(values, func(i int) {
			if i == len(c.Whens) {
				r.str(" ELSE ")
				return
			}
			r.str(" WHEN ")
			r.cond(&c.Whens[i].If)
			r.str(" THEN ")
		})
		r.str(" END")
	})
}

// First is COALESCE: the first of the values that is not NULL.
type First []Term

func (l First) reads(f func(string)) {
	for _, t := range l {
		t.reads(f)
	}
}

func (l First) write(r *renderer) {
	r.oneType(l, func() {
		r.str("COALESCE(")
		r.alike(l, r.commas)
		r.str(")")
	})
}
