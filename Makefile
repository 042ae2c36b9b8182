# Arguments of demo and bench: make demo ARGS="--exit --json"
ARGS ?=
# How long make fuzz stays with each target.
FUZZTIME ?= 10s

# Go's own installer does not change the PATH.
export PATH := $(PATH):/usr/local/go/bin

# Git refuses to read a clone that belongs to somebody else, as in a container;
# then the version is not stamped into the program.
BUILDFLAGS = $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)

GOLANGCI := go tool -modfile=tools/go.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help demo build test race lint format fuzz bench docs requirements

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build ## Run the whole service against a simulated internet (ARGS="--exit --json")
	@exec bin/desist demo $(ARGS)

build: requirements ## Build bin/desist
	@go build $(BUILDFLAGS) -o bin/desist ./cmd/desist

test: requirements ## Run the tests
	@go test -timeout 20m ./...

race: requirements ## Run the tests with the race detector (needs a C compiler)
	@go test -race -timeout 40m ./...

lint: requirements ## Run the linters; the first time builds them, which takes minutes
	@$(GOLANGCI) run ./...

format: requirements ## Format the Go code
	@$(GOLANGCI) fmt ./...

fuzz: requirements ## Run each fuzz target for a while (FUZZTIME=1m)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
		done; \
	done

bench: build ## Print measured figures (ARGS=NAME for one of them)
	@exec bin/desist bench $(or $(ARGS),all)

docs: requirements ## Bring the generated parts of docs/ARCHITECTURE.md up to date
	@go test -run TestArchitecture ./internal/borders -update

requirements:
	@scripts/requirements.sh
