package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// What SQLite makes of a text of digits that it stores is said by the type that a column was
// declared with. The same is made of one that stands beside the column in an expression: the
// statement looks at the declared type, once while it runs.

// affinity is what a text of digits is beside columns, where the statement has asked for
// their type.
type affinity uint8

const (
	unknown affinity = iota
	ofNumbers
	ofTexts
)

// likeAffinity writes a text of digits for SQLite: as a number if the columns beside it
// would make one of it.
func (r *renderer) likeAffinity(text string, d value.Decimal) (ok bool) {
	_, err := strconv.ParseInt(d.String(), 10, 64)
	exact := err == nil || len(d.Digits) <= sqliteDigits
	if r.numeral {
		if !exact {
			r.fail(r.fault("expression", "a number for "+r.d.Name, errDigits))
		}
		r.bareNumber(text)
		return true
	}
	number := func() {
		if exact {
			r.bareNumber(text)
		} else {
			r.str("zeroblob(9223372036854775807)")
		}
	}
	switch r.affinity {
	case ofNumbers:
		number()
		return true
	case ofTexts:
		return false
	}
	table, column := r.storedBeside()
	if table == "" {
		return false
	}
	r.ifStoresNumbers(table, column)
	number()
	r.str(" ELSE ")
	r.ready(text)
	r.str(" END")
	return true
}

// fewDigits is how many texts of digits ask for the type of the columns one by one: to ask
// takes longer than all else of a short statement.
const fewDigits = 2

// byAffinity writes what write writes of the terms: for numbers and for texts where many of
// them depend on the type of the columns.
func (r *renderer) byAffinity(terms []Term, write func()) {
	table, column, n := "", "", 0
	if r.d == dialect.SQLite && !r.numeral && r.affinity == unknown && !slices.ContainsFunc(r.among, isNumber) {
		for _, t := range terms {
			if l, ok := t.(Literal); ok && r.isDigits(l) {
				n++
			}
		}
	}
	if n > fewDigits {
		table, column = r.storedBeside()
	}
	if table == "" {
		write()
		return
	}
	r.ifStoresNumbers(table, column)
	r.affinity = ofNumbers
	write()
	r.str(" ELSE ")
	r.affinity = ofTexts
	write()
	r.affinity = unknown
	r.str(" END")
}

// isDigits says whether a value of Go is a text of digits.
func (r *renderer) isDigits(l Literal) bool {
	a, err := r.values.Arg(l.V, r.d)
	return err == nil && isDecimal(a)
}

// storedBeside is the first column that the terms here and around may have the value of, as
// storedAt has it.
func (r *renderer) storedBeside() (table, column string) {
	for _, t := range r.among {
		origins(t, func(one Term) {
			if c, is := one.(ColumnTerm); is && table == "" {
				table, column = r.storedAt(string(c))
			}
		})
	}
	return table, column
}

// ifStoresNumbers begins a CASE for a column that makes numbers of texts. One of the type ANY
// makes none in a table that is STRICT.
func (r *renderer) ifStoresNumbers(table, column string) {
	schema, table := splitName(table)
	r.str("CASE WHEN (SELECT type LIKE '%INT%' OR type NOT IN ('', 'ANY') AND type NOT LIKE '%CHAR%' AND type NOT LIKE '%CLOB%' AND type NOT LIKE '%TEXT%' AND type NOT LIKE '%BLOB%' FROM pragma_table_xinfo(")
	r.ready(table)
	if schema != "" {
		r.str(", ")
		r.ready(schema)
	}
	r.str(") WHERE name = ")
	r.ready(column)
	r.str(" COLLATE NOCASE) THEN ")
}

// storedAt is the table, and its column, that a name means here or in a query around it; ""
// for what another query gives.
func (r *renderer) storedAt(name string) (table, column string) {
	qualifier, column := splitName(name)
	scopes := append(slices.Clone(r.outer), scope{r.q, r.table, r.folds})
	for i := len(scopes) - 1; i >= 0; i-- {
		q, t := scopes[i].q, scopes[i].table
		if q == nil { // a statement of the caller's
			break
		}
		j := q.joined(qualifier)
		switch {
		case q.more != nil && q.more.from != nil:
			if qualifier == "" || qualifier == q.refName() {
				return "", ""
			}
		case qualifier != "" && q.own(qualifier), t != nil && t.Known(name):
			table = q.Table()
		case qualifier != "" && j != nil:
			table = j.table
		case qualifier == "" && !q.Joined():
			table = q.Table()
		case qualifier == "" && i == len(scopes)-1:
			for j := range q.more.joins {
				if has, _ := r.modelHas(q.more.joins[j].table, column); has && q.more.joins[j].expr == nil {
					table = q.more.joins[j].table
				}
			}
			return table, column
		}
		if table == "" {
			continue
		}
		if slices.ContainsFunc(r.ctes, func(c visible) bool { return strings.EqualFold(c.name, table) }) {
			return "", ""
		}
		return table, column
	}
	return "", ""
}
