package rowmap

// Foreign says whether reading a row calls code that is not this package's: the
// Scan method of a field's type.
func (p *Plan) Foreign() bool {
	for i := range p.fields {
		for c := p.fields[i].codec; c != nil; c = c.elem {
			if c.kind == Custom {
				return true
			}
		}
	}
	return false
}
