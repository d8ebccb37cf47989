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
PKG       ?= $(shell go list ./... | grep -vE '/test/(libcni|containerd|ships)$$')
TESTFLAGS ?=
FUZZTIME  ?= 10s
BENCHFLAGS ?=
DEMOFLAGS ?=

TOOLS     := build/tools
GOTESTSUM := $(TOOLS)/gotestsum
GOLANGCI  := $(TOOLS)/golangci-lint
HELM      := $(TOOLS)/helm

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## the programs, static and stripped, into bin/
	$(GOBUILD) -o bin/ $(PROGRAMS)

# DEMOFLAGS='--backend iptables-legacy' and more: build/demo --help
.PHONY: demo
demo: packages-demo build ## see interception work on this machine's kernel (root; a minute)
	@$(GOBUILD) -o build/demo ./test/demo
	@build/demo --sluice bin/sluice $(DEMOFLAGS)

# In CI a few tests that fail run again, and the output says so: hundreds of
# them wait for a real kernel on two processors, and one that is late is no
# verdict on a change. A test that fails three times is one.
RERUN := $(if $(CI),--rerun-fails=2 --rerun-fails-max-failures=5 --rerun-fails-abort-on-data-race)

# Tests of the kernel are never taken from the cache: the machine is an input.
.PHONY: test
test: packages-test $(GOTESTSUM) ## vet and every test (root; installs missing Debian packages)
	go vet ./...
	$(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg $(RERUN) --packages='$(PKG)' -- -count=1 -timeout 6m $(TESTFLAGS)

# One package after the other: each has the machine's runtimes to itself. These
# wait for runtimes more than they compute, so they run under the race detector
# here, and not a second time in `make race`.
.PHONY: e2e
e2e: packages-test packages-race packages-e2e $(GOTESTSUM) ## pods on libcni, containerd and podman, images, chart, guides, the mesh under load (root; some minutes)
	CGO_ENABLED=1 $(GOTESTSUM) --format testname --hide-summary=output $(RERUN) --packages='./test/libcni ./test/containerd ./test/ships' -- -race -count=1 -timeout 9m -p 1 $(TESTFLAGS)
	$(GOTESTSUM) --format testname --hide-summary=output -- -count=1 -timeout 9m $(TESTFLAGS) ./test/mesh -load 10s -connections 200

# The programs that tests start are built as they ship, without it; what runs
# in the tests' own processes is watched: a race there ends the run.
.PHONY: race
race: packages-test packages-race $(GOTESTSUM) ## the same tests under the race detector (root; installs gcc)
	CGO_ENABLED=1 $(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg $(RERUN) --packages='$(PKG)' -- -race -count=1 -timeout 9m $(TESTFLAGS)

# The programs of the cluster are built once, into build/kube (about six minutes).
.PHONY: e2e-cluster
e2e-cluster: packages-test ## the node agent on a real Kubernetes (root)
	go vet -tags cluster ./test/cluster
	go test -tags cluster -count=1 -timeout 25m $(TESTFLAGS) ./test/cluster

.PHONY: lint
lint: packages-lint $(GOLANGCI) ## format, linters, the other platforms, tidy modules, shell scripts
	$(GOLANGCI) run
	GOARCH=arm64 go vet ./...
	GOOS=darwin go vet $$(go list -deps ./cmd/sluice | grep ^github.com/sluicemesh)
	GOOS=windows go vet $$(go list -deps ./cmd/sluice | grep ^github.com/sluicemesh)
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C tools/charts mod tidy -diff
	shellcheck .ci/run tools/*.sh

.PHONY: golden
golden: ## rewrite the golden cases and docs/demo.md from what the programs print now
	go test ./cmd/sluice -run TestDryRunPrintsTheGoldenFiles -count=1 -update
	go test ./test/demo -count=1 -update

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (10s)
	tools/fuzz.sh $(FUZZTIME) $(PKG)

.PHONY: corpus
corpus: ## commit to testdata/fuzz the few inputs that reach all that fuzzing reached
	go run ./test/corpus $(PKG)

# Each of these measures, and writes what it measured into build/reliability.
MEASURED := $(CURDIR)/build/reliability

.PHONY: mutation
mutation: ## make small mistakes in what decides, and see that the tests notice (minutes)
	mkdir -p $(MEASURED)
	nice -n 10 go run ./test/mutation -out $(MEASURED)/mutation.json

.PHONY: faults
faults: packages-test ## kill, refuse and disturb at every step (root; ten minutes and more)
	mkdir -p $(MEASURED)
	rm -f $(MEASURED)/faults.json
	go test ./test/faults -count=1 -timeout 60m -every 1 -record $(MEASURED)/faults.json

.PHONY: soak
soak: packages-test ## weeks of a node in minutes (root)
	mkdir -p $(MEASURED)
	rm -f $(MEASURED)/soak.json
	go test ./test/soak -count=1 -timeout 30m -pods 5000 -rewrites 1000 -restarts 100 -record $(MEASURED)/soak.json

.PHONY: reliability
reliability: mutation faults soak ## measure docs/reliability.md and write it (an hour on two cores)
	tools/fuzz.sh 1m ./... | tee $(MEASURED)/fuzz.txt
	go run ./test/reliability

# What is published. SOURCE_DATE_EPOCH is the commit's time unless given, and
# the programs carry no trace of the machine: the same commit, the same bytes.
REGISTRY  ?= ghcr.io/sluicemesh
REVISION  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
IMAGES    ?= sluice sluice-iptables $(if $(wildcard cmd/sluice-node),sluice-node)
SHIP      := go run ./deploy/ship
DIST      ?= dist
SHIPARGS   = -out '$(DIST)' -registry '$(REGISTRY)' -version '$(VERSION)' -revision '$(REVISION)' -time '$(SOURCE_DATE_EPOCH)'
GOSHIP    := go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'

.PHONY: platforms
platforms:
	rm -rf build/linux-*
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(GOSHIP) -o build/linux-$$arch/ ./cmd/...; done

.PHONY: image
image: packages-image platforms ## OCI archives for amd64 and arm64 into dist/ (IMAGES='sluice ...' for some)
	$(SHIP) image $(SHIPARGS) $(IMAGES)

.PHONY: licences
licences: platforms ## check the licence of everything linked, write the texts
	$(SHIP) licences $(SHIPARGS)

.PHONY: release
release: empty-dist image licences $(HELM) ## everything that is published, with checksums, into dist/
	for os in darwin windows; do for arch in amd64 arm64; do \
		GOOS=$$os GOARCH=$$arch $(GOSHIP) -o build/$$os-$$arch/ ./cmd/sluice; done; done
	mkdir -p build/completions
	for shell in bash zsh fish; do build/linux-$$(go env GOARCH)/sluice completion $$shell >build/completions/sluice.$$shell; done
	$(SHIP) sbom $(SHIPARGS)
	VERSION='$(VERSION)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' DIST='$(abspath $(DIST))' tools/release.sh
	cat $(DIST)/SHA256SUMS

.PHONY: empty-dist
empty-dist:
	rm -rf '$(DIST)'

# Its exit code 3 is a finding; any other is no verdict.
VULNDB ?=
.PHONY: vuln
vuln: $(TOOLS)/govulncheck ## known vulnerabilities (needs vuln.go.dev, or VULNDB=file:///FOLDER with a copy)
	@code=0; $(TOOLS)/govulncheck $(if $(VULNDB),-db '$(VULNDB)') ./... || code=$$?; case $$code in \
	0) ;; \
	3) echo "vulnerable: update the modules named above (go get MODULE@VERSION)" >&2 ;; \
	*) echo "no verdict: govulncheck failed, see above. If it could not read its database, run it where https://vuln.go.dev can be reached," \
		"or unpack https://vuln.go.dev/vulndb.zip there, bring it here and run: make vuln VULNDB=file:///FOLDER" >&2 ;; \
	esac; exit $$code

.PHONY: image-lock
image-lock: ## pin the newest Debian packages for the image sluice-iptables
	$(SHIP) lock >build/debian.lock
	mv build/debian.lock deploy/ship/debian.lock

.PHONY: manifests
manifests: $(HELM) ## render the chart into deploy/manifests
	tools/manifests.sh deploy/manifests

.PHONY: docs
docs: ## write the reference and the manual pages, which come from the code
	go test ./cmd/sluice ./cmd/sluice-node -run "TestTheReference|TestGuidesShowRealOutput" -count=1 -update

# The programs beside sluice are a module of their own, test/bench/rivals.
.PHONY: bench
bench: packages-test packages-bench ## measure sluice beside other ways, into docs/performance.md (root, minutes)
	$(GOBUILD) -o build/bench/ ./cmd/sluice ./cmd/sluice-cni ./test/bench ./test/peak
	go -C test/bench/rivals build -trimpath -ldflags '-s -w' -o ../../../build/bench/ ./...
	for f in build/bench/*; do cp $$f $$f.copy && mv $$f.copy $$f; done # as an image is unpacked: see docs/performance.md
	build/bench/bench $(BENCHFLAGS)

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
$(HELM): tools/charts/go.mod tools/charts/go.sum
	@echo "building helm (a minute or two the first time)"
	@go -C tools/charts build -p 2 -trimpath -ldflags '-s -w' -o ../../$(TOOLS)/ helm.sh/helm/v3/cmd/helm
	@touch $@
