package table

import "sync"

// maxTold is of how many databases Told knows: more than tenants are kept open by default,
// each of which has one.
const maxTold = 4096

// Told says by the names of databases whether the rows of a table tell what an upsert did.
// When it is full it begins anew, since names may be those of tenants, of which callers come
// up with any number: what is not known is asked again. It is safe for concurrent use.
type Told struct {
	mu    sync.RWMutex
	known map[string]bool // at most maxTold
}

// Of is what is known of a database.
func (t *Told) Of(database string) (told, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	told, known = t.known[database]
	return told, known
}

// Learn keeps an answer.
func (t *Told) Learn(database string, told bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.known[database]; !known && len(t.known) >= maxTold || t.known == nil {
		t.known = map[string]bool{}
	}
	t.known[database] = told
}

// Forget drops an answer.
func (t *Told) Forget(database string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, database)
}
