package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// asked are the keys of the related records of each parent that has some.
func (r *chainRead) asked() (list []parentKeys, err error) {
	for first := 0; first < r.last.N; {
		p := parentKeys{owner: r.last.owner[first]}
		n := 0
		for first+n < r.last.N && r.last.owner[first+n] == p.owner {
			n++
		}
		ok, err := p.ask(&r.chain.last, r.last.Part(first, n))
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, p)
		}
		first += n
	}
	return list, nil
}

// parentKeys are the keys of the related records of one parent.
type parentKeys struct {
	owner int32
	shard string
	cond  sqlgen.Cond
}

// ask makes the condition of the records that belong to some; ok is false if none does.
func (p *parentKeys) ask(t *tie, of rowmap.Records) (ok bool, err error) {
	keys, err := t.collect(of)
	if err != nil {
		return false, err
	}
	parts := keys.Parts()
	conds := make([]sqlgen.Cond, len(parts))
	for i, part := range parts {
		if i > 0 && part.Shard != p.shard {
			return false, t.related.src.table.Fail("the related records of one parent are on the shards %q and %q, which no one statement orders, bounds or counts", p.shard, part.Shard)
		}
		p.shard = part.Shard
		conds[i] = t.among(part)
		if i > 0 {
			conds[i] = conds[i].Or()
		}
	}
	p.cond = sqlgen.Group(conds...)
	return len(parts) > 0, nil
}
