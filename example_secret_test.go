package dbfleet_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/dbfleet/dbfleet"
)

// A column of which the database has the ciphertext only.
func ExampleEncrypted() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()

	type Patient struct {
		ID   string // made by the program
		Name string
		SSN  dbfleet.Encrypted[string] `db:"ssn"`
	}
	// 32 random bytes, from wherever a service has its secrets.
	key := dbfleet.CipherKey{ID: "2026-11", Key: "0123456789abcdef0123456789abcdef"}
	cipher, err := dbfleet.NewAESCipher(key)
	if err != nil {
		log.Fatal(err)
	}
	patients := dbfleet.MustModel[Patient](registry, dbfleet.ModelConfig{Table: "patients", Encryption: dbfleet.Encryption{Cipher: cipher}})
	if err := dbfleet.CreateTable(ctx, patients); err != nil {
		log.Fatal(err)
	}
	err = patients.Create(ctx, &Patient{ID: "p-1", Name: "Ann", SSN: dbfleet.EncryptedOf("078-05-1120")})
	if err != nil {
		log.Fatal(err)
	}
	ann, err := patients.Find(ctx, "p-1")
	fmt.Println(ann, ann.SSN.V, err)
	_, err = patients.Where("ssn", "=", "078-05-1120").Get(ctx)
	fmt.Println(err)
	// Output:
	// {p-1 Ann [redacted]} 078-05-1120 <nil>
	// dbfleet: dbfleet_test.Patient.SSN (column "ssn"): encrypted column: it is compared with nothing and set to nothing but NULL; its plaintext is written with a record, and read of one
}

// Rows are found by a value that the database cannot read.
func ExampleBlindIndex() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()

	type Customer struct {
		ID    string // made by the program
		Email dbfleet.Encrypted[string]
	}
	cipher, err := dbfleet.NewAESCipher(dbfleet.CipherKey{ID: "2026-11", Key: "0123456789abcdef0123456789abcdef"})
	if err != nil {
		log.Fatal(err)
	}
	customers := dbfleet.MustModel[Customer](registry, dbfleet.ModelConfig{Table: "customers", Encryption: dbfleet.Encryption{
		Cipher: cipher,
		Indexes: []dbfleet.BlindIndex{{
			Column: "email_index", Of: "email", Unique: true,
			Keys:      []dbfleet.Secret{"another secret, of 32 bytes, too"},
			Normalize: func(s string) string { return strings.ToLower(strings.TrimSpace(s)) },
		}},
	}})
	if err := dbfleet.CreateTable(ctx, customers); err != nil {
		log.Fatal(err)
	}
	if err := customers.Create(ctx, &Customer{ID: "c-1", Email: dbfleet.EncryptedOf("Ann@Example.org")}); err != nil {
		log.Fatal(err)
	}
	ann, err := customers.Where("email", "=", " ann@example.org").First(ctx)
	fmt.Println(ann.ID, ann.Email.V, err)
	created, err := customers.FirstOrCreate(ctx, &Customer{ID: "c-2", Email: dbfleet.EncryptedOf("ANN@example.org")}, "email")
	fmt.Println(created, err)
	// Output:
	// c-1 Ann@Example.org <nil>
	// false <nil>
}

// What lies in a document is found, sorted and selected as columns are.
func ExampleJSONPath() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()

	type Profile struct {
		City   string `json:"city,omitempty"`
		Scores []int  `json:"scores"`
	}
	type Player struct {
		ID      int64
		Profile dbfleet.JSON[Profile]
	}
	players := dbfleet.MustModel[Player](registry, dbfleet.ModelConfig{Table: "players"})
	if err := dbfleet.CreateTable(ctx, players); err != nil {
		log.Fatal(err)
	}
	err := players.CreateMany(ctx, []Player{
		{Profile: dbfleet.JSONOf(Profile{"Bern", []int{7, 3}})}, {Profile: dbfleet.JSONOf(Profile{"Oslo", []int{12}})}, {Profile: dbfleet.JSONOf(Profile{"", nil})},
	})
	if err != nil {
		log.Fatal(err)
	}

	profile := dbfleet.Field(players, func(p *Player) *dbfleet.JSON[Profile] { return &p.Profile })
	city, best := dbfleet.JSONPath[string](profile, "city"), dbfleet.JSONPath[int](profile, "scores", 0)

	list, err := players.Filter(best.Gt(5)).OrderWith(best.Desc()).Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range list {
		fmt.Println(p.Profile.V.City, p.Profile.V.Scores)
	}
	three, err := players.Filter(dbfleet.JSONContains(profile, 3, "scores")).Count(ctx)
	fmt.Println(three, err)
	homeless, err := players.Filter(city.IsNull(), dbfleet.JSONType(profile, "scores").Eq("null")).Count(ctx)
	fmt.Println(homeless, err)
	// Output:
	// Oslo [12]
	// Bern [7 3]
	// 1 <nil>
	// 1 <nil>
}
