package rowmap

import (
	"encoding/json"
	"fmt"
)

// Document says whether the column of field i holds documents: a dbfleet.JSON, perhaps
// behind pointers or in a sql.Null.
func (p *Plan) Document(i int) bool {
	c := p.fields[i].codec
	return c.kind == Custom && isOwn(bare(c.typ), "JSON[")
}

// Stored is an argument that [Arg] made, as the column of field i stores it. A text that is
// no JSON is refused for documents: SQLite would store it, and nobody could read the row.
func (p *Plan) Stored(i int, arg any) (any, error) {
	var text []byte
	switch a := arg.(type) {
	case string:
		if !p.Document(i) {
			return arg, nil
		}
		text = []byte(a)
	case []byte:
		if !p.Document(i) {
			return arg, nil
		}
		text, arg = a, string(a) // as bytes MySQL would take it for binary, SQLite for its own form
	default:
		return arg, nil
	}
	if !json.Valid(text) {
		return nil, p.failure(&p.fields[i], fmt.Errorf("%w: the text is no JSON, and the column holds documents", ErrType))
	}
	return arg, nil
}
