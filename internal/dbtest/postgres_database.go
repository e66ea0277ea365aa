package dbtest

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// PostgreSQL needs a few hundred milliseconds for a database, since it copies
// three hundred files. A database that a test has left is therefore emptied and
// given to the next one, unless it is different from a new one then.

func (postgres) create(s *Server, db *Database) error {
	verifier, err := scramVerifier(db.Password)
	if err != nil {
		return err
	}
	user := fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD '%s'`, db.Username, verifier)
	if name, ok := s.takeEmptied(); ok {
		db.Name = name
		return execAll(s.kept, user, fmt.Sprintf(`ALTER DATABASE "%s" OWNER TO "%s"`, name, db.Username))
	}
	// template0, because nobody can be connected to it: CREATE DATABASE copies
	// no template that is in use.
	return execAll(s.kept, user,
		fmt.Sprintf(`CREATE DATABASE "%s" OWNER "%s" TEMPLATE template0`, db.Name, db.Username))
}

func (e postgres) drop(s *Server, db Database) error {
	if e.empty(s, db) == nil {
		s.mu.Lock()
		s.emptied = append(s.emptied, db.Name)
		s.mu.Unlock()
		return nil
	}
	if err := rollbackPrepared(s, db); err != nil {
		return err
	}
	return execAll(s.kept,
		fmt.Sprintf(`DROP DATABASE IF EXISTS "%s" WITH (FORCE)`, db.Name),
		fmt.Sprintf(`DROP ROLE IF EXISTS "%s"`, db.Username))
}

// scramVerifier is a password as PostgreSQL stores it, of one round where its own has 4096:
// these cost each connection several milliseconds under the race detector.
func scramVerifier(password string) (string, error) {
	salt := []byte(rand.Text()[:16])
	salted, err := pbkdf2.Key(sha256.New, password, salt, 1, sha256.Size)
	if err != nil {
		return "", err
	}
	keyed := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(keyed("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$1:%s$%s:%s", encode(salt), encode(stored[:]), encode(keyed("Server Key"))), nil
}

func (s *Server) takeEmptied() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.emptied) == 0 {
		return "", false
	}
	last := len(s.emptied) - 1
	name, s.emptied = s.emptied[last], s.emptied[:last]
	return name, true
}

var errNotAsNew = errors.New("the database is not as a new one would be")

// empty makes the database what it was when new. An error says that it is not:
// somebody is in it, or something is there that the user did not own.
func (e postgres) empty(s *Server, db Database) error {
	sessions, err := e.sessions(s.kept, db)
	if err != nil {
		return err
	}
	if len(sessions) > 0 {
		return errNotAsNew
	}
	inside := open(s.adminOf(db.Name))
	defer inside.Close()
	// Objects that did not come with the installation have numbers from 16384 on.
	var clean bool
	err = queryRow(inside, []any{&clean}, `SELECT NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())`)
	if err != nil || !clean {
		return errors.Join(errNotAsNew, err)
	}
	err = execAll(inside,
		fmt.Sprintf(`DROP OWNED BY "%s" CASCADE`, db.Username),
		fmt.Sprintf(`ALTER DATABASE "%s" RESET ALL`, db.Name),
		fmt.Sprintf(`ALTER DATABASE "%s" OWNER TO %s`, db.Name, adminName),
		fmt.Sprintf(`DROP ROLE "%s"`, db.Username))
	if err != nil {
		return err
	}
	err = queryRow(inside, []any{&clean}, `
		SELECT NOT EXISTS (
			SELECT FROM pg_class WHERE oid >= 16384
			UNION ALL SELECT FROM pg_namespace WHERE oid >= 16384
				OR nspname = 'public' AND nspacl::text <> '{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}'
			UNION ALL SELECT FROM pg_type WHERE oid >= 16384
			UNION ALL SELECT FROM pg_proc WHERE oid >= 16384
			UNION ALL SELECT FROM pg_extension WHERE oid >= 16384
			UNION ALL SELECT FROM pg_operator WHERE oid >= 16384
			UNION ALL SELECT FROM pg_collation WHERE oid >= 16384
			UNION ALL SELECT FROM pg_event_trigger
			UNION ALL SELECT FROM pg_largeobject_metadata
			UNION ALL SELECT FROM pg_default_acl
			UNION ALL SELECT FROM pg_publication
			UNION ALL SELECT FROM pg_foreign_data_wrapper
			UNION ALL SELECT FROM pg_database WHERE datname = current_database()
				AND (datacl IS NOT NULL OR datconnlimit <> -1)
		)`)
	if err != nil || !clean {
		return errors.Join(errNotAsNew, err)
	}
	return nil
}

// rollbackPrepared ends the prepared transactions of a database, which cannot be
// dropped while it has any.
func rollbackPrepared(s *Server, db Database) error {
	names, err := queryStrings(s.kept, `SELECT gid FROM pg_prepared_xacts WHERE database = $1`, db.Name)
	if err != nil || len(names) == 0 {
		return err
	}
	inside := open(s.adminOf(db.Name))
	defer inside.Close()
	for _, name := range names {
		if err := execAll(inside, "ROLLBACK PREPARED '"+strings.ReplaceAll(name, "'", "''")+"'"); err != nil {
			return err
		}
	}
	return nil
}
