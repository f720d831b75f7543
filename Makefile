# make check is what CI runs, but for installing mail programs and trying the README.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 1m
BENCHTIME ?= 1s
ROUNDS ?= 500
SOAK ?= 30m
SEEDS ?= 2000
BENCHFLAGS ?= -messages 100000

.PHONY: build test race lint check fuzz torture bench microbench

build:
	$(GO) build -o roost .

test:
	$(GO) test ./...

race:
	$(GO) test -race -timeout 20m ./...

lint:
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd bench && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...

check: lint race build

# Each fuzz target of each package for FUZZTIME.
fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# The long forms of the tests that go test ./... runs for seconds: kill -9 of a loaded server ROUNDS times, a load with the race detector for SOAK,
# kills, faults, loss of power, damaged state and hostile clients inside the packages, and SEEDS seeds in both modes of clients that stay in step, a tenth of
# them with the race detector. Two hours.
torture:
	$(GO) test -count 1 -v -timeout 6h ./internal/torture -long -rounds $(ROUNDS) -soak $(SOAK)
	$(GO) test -count 1 -timeout 6h ./maildir -run 'TestKill|TestPowerLoss|TestFaults' -long
	$(GO) test -count 1 ./internal/serve -run TestManyUsers -long
	$(GO) test -count 1 -timeout 6h ./imap -run 'TestDamagedState|TestModel|TestNoise' -long
	$(GO) test -count 1 -timeout 6h ./imap -run TestReplicas -parallel 4 -replica.seeds $(SEEDS)
	$(GO) test -count 1 -timeout 6h -race ./imap -run TestReplicas -parallel 4 -replica.start 1000000 -replica.seeds $$(($(SEEDS)/10))

# Roost beside Debian's Dovecot, as root; writes bench/RESULTS.md. At 100,000 messages it takes about 20 minutes, and searches as long again.
bench:
	cd bench && $(GO) run . -out . $(BENCHFLAGS)
	cd bench && $(GO) run . -search -out . $(BENCHFLAGS)

# The benchmarks inside the packages.
microbench:
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
