package rowmap

import (
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Arg returns what the driver takes for column i of the record, a *T; see the
// function [Arg]. A field in an embedded pointer that is nil is NULL.
func (p *Plan) Arg(i int, rec any, d *dialect.Dialect) (any, error) {
	base, err := p.record(rec)
	if err != nil {
		return nil, err
	}
	return p.arg(&p.fields[i], base, d)
}

func (p *Plan) arg(f *field, base unsafe.Pointer, d *dialect.Dialect) (any, error) {
	at := f.at(base, false)
	if at == nil {
		return nil, nil
	}
	arg, err := f.codec.arg(at, d)
	if err != nil {
		return nil, p.failure(f, err)
	}
	return arg, nil
}
