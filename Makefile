# `make` lists what there is. Everything runs offline but for Go modules and
# Debian packages; the tests need root, since they make network namespaces.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Static and reproducible: no C library, no paths of this machine, no build time.
export CGO_ENABLED := 0
GOBUILD  := go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
PROGRAMS := $(addprefix ./,$(wildcard cmd/*)) ./test/sidecar/cmd/testsidecar

# Narrow a run: make test PKG=./iptables/... TESTFLAGS='-run Reconcile -v'
PKG       ?= ./...
TESTFLAGS ?=
FUZZTIME  ?= 10s

TOOLS     := build/tools
GOTESTSUM := $(TOOLS)/gotestsum
GOLANGCI  := $(TOOLS)/golangci-lint

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## the programs, static and stripped, into bin/
	$(GOBUILD) -o bin/ $(PROGRAMS)

# Tests of the kernel are never taken from the cache: the machine is an input.
.PHONY: test
test: packages-test $(GOTESTSUM) ## vet and every test (root; installs missing Debian packages)
	go vet ./...
	$(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg -- -count=1 -timeout 4m $(TESTFLAGS) $(PKG)

.PHONY: race
race: packages-test $(GOTESTSUM) ## every test under the race detector (needs gcc)
	CGO_ENABLED=1 $(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg -- -race -count=1 -timeout 8m $(TESTFLAGS) $(PKG)

.PHONY: lint
lint: packages-lint $(GOLANGCI) ## format, linters, the other platforms, tidy modules, shell scripts
	$(GOLANGCI) run
	GOARCH=arm64 go vet ./...
	GOOS=darwin go vet ./...
	GOOS=windows go vet ./...
	go mod tidy -diff
	go -C tools mod tidy -diff
	shellcheck .ci/run tools/*.sh

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (10s)
	tools/fuzz.sh $(FUZZTIME) $(PKG)

.PHONY: fmt
fmt: $(GOLANGCI) ## format the code as lint wants it
	$(GOLANGCI) fmt

.PHONY: clean
clean: ## remove what make made
	rm -rf bin build dist cover.out

.PHONY: packages-%
packages-%:
	@tools/packages.sh $*

# The tools' versions are those of tools/go.mod, a module of its own.
$(GOTESTSUM): TOOL := gotest.tools/gotestsum
$(GOLANGCI): TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/benchstat: TOOL := golang.org/x/perf/cmd/benchstat
$(TOOLS)/govulncheck: TOOL := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/%: tools/go.mod tools/go.sum
	@echo "building $* (golangci-lint takes a minute or two the first time)"
	@go -C tools build -trimpath -ldflags '-s -w' -o ../$(TOOLS)/ $(TOOL)
	@touch $@
