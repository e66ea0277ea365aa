# What people do here. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
BIN := $(CURDIR)/.bin
STATICCHECK_VERSION := v0.8.2
STATICCHECK := $(BIN)/staticcheck-$(STATICCHECK_VERSION)
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

# The root module, and those that live in folders of their own.
MODULES := $(patsubst %/,%,$(dir $(wildcard go.mod */go.mod */*/go.mod)))

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What the tests run on beside SQLite: databases, and what stands before them.
ENGINES := postgres,mysql,haproxy,pgbouncer,patroni,galera

# make vet and make vet-without look at all code, and at more than go test's own go vet does,
# which would go through the dependencies of each build once more.
TEST := $(GO) test -vet=off

# SQLite is C that was translated into Go, with locks of its own. Its code is three times as
# slow under the race detector, which is here for what calls it.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false

# What measures throughput: beside other packages the machine has no time for it, and each
# measurement is made again, up to three times, and may tell nothing in the end.
ALONE := internal/conformance/load

.PHONY: test
test: ## all tests with the race detector, on SQLite, PostgreSQL and MariaDB, under Patroni, Galera, HAProxy and PgBouncer, and those of what dbfleet_plain switches off; installs what is missing (Debian, root)
	@DBFLEET_TEST_REQUIRE=$(ENGINES) scripts/install-databases
	others=$$($(GO) list ./... | grep -vx '.*/$(ALONE)') && DBFLEET_TEST_REQUIRE=$(ENGINES) $(TEST) $(RACE) -timeout 30m $$others
	DBFLEET_TEST_REQUIRE=$(ENGINES) $(TEST) $(RACE) -timeout 30m ./$(ALONE)
	DBFLEET_TEST_REQUIRE=postgres,mysql $(TEST) $(RACE) -timeout 10m -tags dbfleet_plain ./internal/sqlgen ./internal/rowmap ./internal/readtest

.PHONY: budgets
budgets: ## allocations, on the databases too, the cost of many goroutines, which the race detector would change, and that of a record type's build
	@scripts/install-databases
	DBFLEET_TEST_REQUIRE=postgres,mysql $(TEST) -count=1 -run '^TestBudget_' ./internal/conformance/costs ./internal/sqlgen ./internal/rowmap ./internal/readtest
	cd bench && $(TEST) -count=1 -run '^TestBudget_' ./build

.PHONY: quick
quick: ## all tests on the databases that are installed, or on those of DBFLEET_TEST_DIALECTS=sqlite,postgres,mysql
	@scripts/install-databases --check
	$(GO) test ./...

# The version that go.mod promises to work with. An own toolchain is fetched for
# it from the module proxy; without one this fails.
OLDEST := go$(shell awk '$$1 == "go" { print $$2 }' go.mod)

# What differs between versions of Go are its language and its library, which these use whole.
OLDEST_TESTS := . ./internal/sqlgen ./internal/rowmap ./internal/table ./internal/config ./internal/driver/...

.PHONY: oldest
oldest: ## build all, and test most on SQLite, with the oldest Go that go.mod allows
	@GOTOOLCHAIN=$(OLDEST) $(GO) version
	@[ "$$(GOTOOLCHAIN=$(OLDEST) $(GO) env GOVERSION)" = $(OLDEST) ]
	GOTOOLCHAIN=$(OLDEST) $(GO) build ./...
	DBFLEET_TEST_REQUIRE= DBFLEET_TEST_DIALECTS=sqlite GOTOOLCHAIN=$(OLDEST) $(TEST) -short $(OLDEST_TESTS)

.PHONY: types
types: ## accept what column types and Go types do together, as it is now, into docs/types.md
	@scripts/install-databases --check
	$(GO) test -count=1 -timeout 30m -run '^TestRoundTrip_' ./internal/conformance/values -update

# Those of the modules, but for the benchmark's, whose tests take longer. What the
# dashboard needs, Prometheus itself, takes minutes to build with the race detector.
.PHONY: modules
modules: ## the tests of the modules in folders of their own: OpenTelemetry, Prometheus, examples that need other libraries
	@scripts/install-databases
	@for m in $(filter-out . bench bench/%,$(MODULES)); do echo "go test: $$m"; (cd "$$m" && \
		race='$(RACE)'; [ "$$m" != dashboard ] || race=; export DBFLEET_TEST_REQUIRE=postgres,mysql; \
		$(TEST) $$race -timeout 10m -skip '^TestBudget_' ./... && \
		{ ! grep -rq --include='*_test.go' '^func TestBudget_' . || $(TEST) -count=1 -run '^TestBudget_' ./...; }); done

.PHONY: bench-test
bench-test: ## the tests of the benchmark itself
	cd bench && $(TEST) ./...

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME=10s each
	@GO='$(GO)' scripts/fuzz '$(FUZZTIME)'

TORTURE ?= 400
QUERIES ?= 20000
SEED ?= 1

.PHONY: torture
torture: ## what make test tries shortly, at length: TORTURE=400 changes of the schema under traffic, QUERIES=20000 random queries beside SQL, every round trip of a value, every fault in a transaction, crashes and a bank under atomic commits, clusters whose leaders move, and all that make test tries on clusters of one database only (hours)
	@DBFLEET_TEST_REQUIRE=$(ENGINES) scripts/install-databases
	DBFLEET_TEST_REQUIRE=$(ENGINES) DBFLEET_TORTURE=$(TORTURE) $(GO) test -count=1 -timeout 90m ./internal/conformance/sessions ./internal/conformance/replicas
	DBFLEET_TEST_REQUIRE=$(ENGINES) DBFLEET_TORTURE=$(TORTURE) DBFLEET_TORTURE_SEED=$(SEED) DBFLEET_TEST_QUERIES=$(QUERIES) $(GO) test -count=1 -timeout 60m -run '^(TestTorture_|TestLoad_|TestPgBouncer_|TestHAProxy_|TestPatroni_|TestGalera_|TestFaults_|TestNames_RandomQueries|TestRoundTrip|TestCrash_|TestBank_|TestRecover_|TestCut_)' ./internal/conformance/load ./internal/conformance/connections ./internal/conformance/atomic ./internal/conformance/writes ./internal/conformance/transactions ./internal/conformance/queries ./internal/conformance/values ./internal/conformance/engines ./internal/twophase

MUTANTS ?= -n 40 -seed 1

.PHONY: mutants
mutants: ## break the code in 40 places and count what the tests notice (an hour); MUTANTS="-n 5 -package internal/cell -v", "-light" without databases (minutes)
	@scripts/install-databases --check
	$(GO) run ./internal/mutants $(MUTANTS)

.PHONY: lint
lint: fmt-check vet vet-elsewhere vet-without staticcheck golangci tidy ## every check that is not a test

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: fmt-check
fmt-check:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not formatted (make fmt):"; echo "$$bad"; exit 1; }

.PHONY: vet
vet:
	@for m in $(MODULES); do echo "go vet: $$m"; (cd "$$m" && $(GO) vet ./...); done

# Another word size and another system in one, since all of SQLite has to be compiled for each,
# which takes minutes; and what is for Linux alone with that word size. The benchmark is only for
# here, and so are the tests of conformance, whose servers are.
.PHONY: vet-elsewhere
vet-elsewhere:
	@echo "go vet: GOOS=windows GOARCH=386"; export GOOS=windows GOARCH=386; others=$$($(GO) list ./... | grep -v '/internal/conformance/') && $(GO) vet $$others
	@echo "go build: GOOS=linux GOARCH=386"; GOOS=linux GOARCH=386 $(GO) build -tags dbfleet_no_sqlite .

# Each driver by itself, where the tests of the others are left out too, so that each is left out
# as well; and what dbfleet_plain switches off.
WITHOUT := mysql,postgres mysql,sqlite postgres,sqlite

.PHONY: vet-without
vet-without:
	@for w in $(WITHOUT); do tags="dbfleet_no_$${w//,/,dbfleet_no_}"; echo "go vet: $$tags"; $(GO) vet -tags "$$tags" . ./internal/driver/...; done
	@echo "go vet: dbfleet_plain"; $(GO) vet -tags dbfleet_plain ./internal/sqlgen ./internal/rowmap ./internal/readtest

.PHONY: staticcheck
staticcheck: $(STATICCHECK)
	@for m in $(MODULES); do echo "staticcheck: $$m"; (cd "$$m" && $(STATICCHECK) ./...); done

.PHONY: golangci
golangci: $(GOLANGCI_LINT)
	@for m in $(MODULES); do echo "golangci-lint: $$m"; (cd "$$m" && $(GOLANGCI_LINT) run --config '$(CURDIR)/.golangci.yml' ./...); done

.PHONY: tidy
tidy: ## check that go.mod and go.sum say what the code needs
	@for m in $(MODULES); do echo "go mod tidy: $$m"; (cd "$$m" && $(GO) mod tidy -diff); done

.PHONY: api
api: ## accept the exported surface as it is now into testdata/api.txt
	$(GO) test -count=1 -run '^TestAPI_' . -update

.PHONY: docs
docs: ## copy the code of bench/tasks and of the first examples into docs/tasks.md and README.md
	$(GO) test -count=1 -run '^TestShown_' . -update

.PHONY: examples
examples: ## build the examples and run the quickstart, the transfer, the shop and the replicas
	$(GO) build -o /dev/null ./examples/...
	@[ ! -d examples/quickstart ] || $(GO) run ./examples/quickstart
	@[ ! -d examples/transfer ] || $(GO) run ./examples/transfer
	@[ ! -d examples/shop ] || $(GO) run ./examples/shop
	@[ ! -d examples/replicas ] || $(GO) run ./examples/replicas

# Client and servers on one processor, where the system can do that: else what
# the scheduler does with the two is most of what is measured.
PINNED := $(if $(shell command -v taskset),taskset -c 0)

.PHONY: bench
bench: ## dbfleet beside hand-written database/sql and its peers on all databases (half an hour); redraws docs/performance.*
	@scripts/install-databases
	cd bench && $(GO) build -o "$(BIN)/bench" . && $(PINNED) "$(BIN)/bench" -json results/latest.json -docs ../docs

.PHONY: bench-quick
bench-quick: ## the same with few rounds, within three minutes; keeps nothing but bench/results
	@scripts/install-databases --check
	cd bench && $(GO) build -o "$(BIN)/bench" . && $(PINNED) "$(BIN)/bench" -quick

.PHONY: bench-transactions
bench-transactions: ## transactions and atomic commits beside hand-written database/sql, with round trips (five minutes); redraws docs/performance.md
	@scripts/install-databases
	cd bench && $(GO) build -o "$(BIN)/bench" . && $(PINNED) "$(BIN)/bench" -transactions -json results/transactions.json
	cd bench && "$(BIN)/bench" -from results/latest.json -docs ../docs >/dev/null

.PHONY: bench-replicas
bench-replicas: ## a read that is spread over replicas, and one in a session, beside one that is not, with round trips (three minutes); redraws docs/performance.md
	@scripts/install-databases
	cd bench && $(GO) build -o "$(BIN)/bench" . && $(PINNED) "$(BIN)/bench" -replicas -rounds 100 -json results/replicas.json
	cd bench && "$(BIN)/bench" -from results/latest.json -docs ../docs >/dev/null

.PHONY: bench-relations
bench-relations: ## parents with their children, with tags, and with the newest of their children, beside the peers that have relations (three minutes); redraws docs/performance.md
	@scripts/install-databases
	cd bench && $(GO) build -o "$(BIN)/bench" . && $(PINNED) "$(BIN)/bench" -relations -json results/relations.json
	cd bench && "$(BIN)/bench" -from results/latest.json -docs ../docs >/dev/null

.PHONY: bench-build
bench-build: ## what a record type costs a build, with dbfleet and its peers (a quarter of an hour); redraws docs/performance.md
	cd bench && $(GO) build -o "$(BIN)/bench-build" ./build && "$(BIN)/bench-build" -json results/build.json
	cd bench && $(GO) run . -from results/latest.json -docs ../docs >/dev/null

.PHONY: cover
cover: ## test coverage of the whole module, as cover.html
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -html=cover.out -o cover.html
	$(GO) tool cover -func=cover.out | tail -n 1

.PHONY: clean
clean: ## remove what these targets made here
	rm -rf '$(BIN)' cover.out cover.html

$(STATICCHECK):
	@echo "Building staticcheck $(STATICCHECK_VERSION) …"
	@GOBIN='$(BIN)' $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv '$(BIN)/staticcheck' '$@'

$(GOLANGCI_LINT):
	@echo "Building golangci-lint $(GOLANGCI_LINT_VERSION) …"
	@GOBIN='$(BIN)' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv '$(BIN)/golangci-lint' '$@'
