package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// Aggregate is an aggregate of a term over the rows of a group, or of those for which
// conditions hold.
type Aggregate struct {
	Func     Function
	Of       Term // nil counts rows
	Distinct bool
	If       []Cond // those of the rows that count
	Zero     bool   // a sum over nothing is 0
}

func (a Aggregate) reads(f func(string)) {
	for i := range a.If {
		a.If[i].reads(f)
	}
	if a.Of != nil {
		a.Of.reads(f)
	}
}

func (a Aggregate) write(r *renderer) {
	was := r.folds.aggregate()
	a.over(r, func() {})
	r.folds.resume(was)
	r.merges = true
}

// over writes the aggregate, with end behind each function.
func (a Aggregate) over(r *renderer, end func()) {
	if a.Func != MeanOf {
		a.of(r, a.Func)
		end()
		return
	}
	switch r.d {
	case dialect.Postgres:
		r.str("CAST(")
		a.of(r, averageOf)
		end()
		r.str(" AS DOUBLE PRECISION)")
	case dialect.MySQL: // whose mean of whole numbers has four digits after the point
		r.str("((")
		a.of(r, SumOf)
		end()
		r.str(" + 0e0) / ")
		a.of(r, CountRows)
		end()
		r.str(")")
	default:
		a.of(r, averageOf)
		end()
	}
}

func (a Aggregate) of(r *renderer, f Function) {
	having := r.having
	r.having = false // it reads rows, not groups
	defer func() { r.having = having }()
	r.call(f)
	if a.Distinct {
		r.str("DISTINCT ")
	}
	switch {
	case len(a.If) > 0:
		r.str("CASE WHEN ")
		r.condList(a.If)
		r.str(" THEN ")
		if a.Of == nil {
			r.str("1")
		} else {
			a.value(r, f)
		}
		r.str(" END")
	case a.Of == nil:
		r.str("*")
	default:
		a.value(r, f)
	}
	r.str(")")
}

// value writes what is gathered.
func (a Aggregate) value(r *renderer, f Function) {
	number := r.numeral
	switch f {
	case CountRows:
		number = false
	case SumOf, averageOf:
		number = true
	}
	r.asNumeral(number, func() { r.term(a.Of, true) })
}

// Over is a function over the window of each row.
type Over struct {
	Func      Term // an Aggregate or a Ranking
	Partition []Term
	Order     []Order
	Frame     Frame
}

func (o Over) reads(f func(string)) {
	o.Func.reads(f)
	First(o.Partition).reads(f)
	for i := range o.Order {
		if e := o.Order[i].Expr; e != nil {
			e.Term.reads(f)
		} else {
			f(lastPart(o.Order[i].Column))
		}
	}
}

func (o Over) write(r *renderer) {
	r.folds.window()
	switch f := o.Func.(type) {
	case Aggregate:
		f.over(r, func() { o.window(r) })
	default:
		f.write(r)
		o.window(r)
	}
	r.merges = true
}

func (o Over) window(r *renderer) { r.byItself(func() { o.rows(r) }) }

func (o Over) rows(r *renderer) {
	r.str(" OVER (")
	w := windowList{parts: len(o.Partition)}
	for i, t := range o.Partition {
		r.str([2]string{"PARTITION BY ", ", "}[min(i, 1)])
		from := len(r.buf)
		r.term(t, false)
		w.items = append(w.items, string(r.buf[from:]))
	}
	if len(o.Partition) > 0 && len(o.Order) > 0 {
		r.str(" ")
	}
	for i := range o.Order {
		r.str([2]string{"ORDER BY ", ", "}[min(i, 1)])
		from := len(r.buf)
		r.windowOrder(&o.Order[i])
		w.items = append(w.items, string(r.buf[from:]))
	}
	r.windowed(w)
	if o.Frame.Unit != NoFrame {
		if len(o.Partition)+len(o.Order) > 0 {
			r.str(" ")
		}
		r.frame(o.Frame)
	}
	r.str(")")
}

// windowOrder writes one item of a window's order, where the names are those of the
// tables.
func (r *renderer) windowOrder(o *Order) {
	value := func() {
		if o.Expr != nil {
			r.raw(o.Expr.exactly(), "order by")
		} else {
			r.column(o.Column)
		}
	}
	if r.d == dialect.MySQL && o.Nulls != NullsAnywhere && (o.Nulls == NullsFirst) == o.Desc {
		value()
		r.str([2]string{" IS NULL, ", " IS NOT NULL, "}[index(o.Nulls == NullsFirst)])
	}
	value()
	if o.Desc {
		r.str(" DESC")
	}
	if o.Nulls != NullsAnywhere && r.d != dialect.MySQL {
		r.str([2]string{" NULLS LAST", " NULLS FIRST"}[index(o.Nulls == NullsFirst)])
	}
}

// Ranking is a function of a window that is no aggregate: ROW_NUMBER, RANK, DENSE_RANK
// of nothing, or LAG, LEAD and FIRST_VALUE of a term.
type Ranking struct {
	Func Function
	Of   Term // nil is nothing
	Rows int  // how far LAG and LEAD look
}

func (k Ranking) reads(f func(string)) {
	if k.Of != nil {
		k.Of.reads(f)
	}
}

func (k Ranking) write(r *renderer) {
	r.call(k.Func)
	if k.Of != nil {
		r.term(k.Of, true)
	}
	if k.Func == Lag || k.Func == Lead {
		r.str(", ")
		r.whole(k.Rows)
	}
	r.str(")")
}
