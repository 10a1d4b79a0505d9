# Commands of the project; `make` lists them. Go, make and git are all they need; what is built is kept in .cache and build/bin.

GO   ?= go
PORT ?= 1053
EXPLAIN ?= 8053
FUZZTIME ?= 10m
MAN ?= man/coredns-headless.7
# The plugin's version; it stands in no other place.
VERSION := $(shell sed -n 's/^const Version = "\(.*\)"$$/\1/p' plugin.go)
IMAGE   ?= localhost/coredns-headless:$(VERSION)
# Podman does as well; both work for root and for others.
BUILDAH ?= $(shell command -v buildah || command -v podman || echo buildah)
# What the image is built in: nothing, and this machine's Go in it, or an image of Go, such as golang:1.26.
BUILDER ?= scratch
ARCHIVE ?= build/bin/coredns-headless.tar
CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt
# The race detector needs a C compiler. `go test` vets all dependencies before it tests; make lint vets what is ours.
RACE ?= $(shell command -v $${CC:-gcc} >/dev/null && echo -race)
TEST = $(GO) test -vet=off $(RACE)

# The packages of `make test` that need servers, side by side on one control plane. What is not here runs in `make test-all` alone.
E2E = . ./ask ./controlplane ./differential ./documents ./explain ./licences ./manifests ./parts ./reload ./server

.DEFAULT_GOAL := help
.PHONY: help build image release run test test-all unit e2e lint bench load scale faults soak fuzz screenshots licences man examples/cluster.yaml

help: ## list the commands
	@sed -n 's/^\([a-z0-9./-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r name text; do printf 'make %-22s %s\n' "$$name" "$$text"; done

build: ## CoreDNS with the plugin: build/bin/coredns
	@echo "building build/bin/coredns (2 minutes from an empty cache)"
	@cd build && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/coredns .

# With this machine's Go come its modules and what it compiled before. Modules are fetched out here, as Go is told to on this machine.
ifeq ($(BUILDER),scratch)
image: with = --network none --build-arg GOPROXY=off -v '$(CERTIFICATES):/etc/ssl/certs/ca-certificates.crt:ro' \
	-v "$$($(GO) env GOROOT):/usr/local/go:ro" -v "$$($(GO) env GOMODCACHE):/go/pkg/mod:ro" -v "$$($(GO) env GOCACHE):/go/cache"
endif

image: ## container image, with buildah or podman and no registry; also as build/bin/coredns-headless.tar (PLATFORMS=linux/amd64,linux/arm64)
	@mkdir -p build/bin && rm -f $(ARCHIVE)
ifeq ($(BUILDER),scratch)
	@cd build && for arch in amd64 arm64; do CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) list -deps . >/dev/null || exit 1; done
endif
	@$(if $(PLATFORMS),$(BUILDAH) manifest rm $(IMAGE) >/dev/null 2>&1 || $(BUILDAH) rmi $(IMAGE) >/dev/null 2>&1 || true) # a list is added to
	$(BUILDAH) build --layers=false -f build/Dockerfile --build-arg BUILDER=$(BUILDER) --build-arg VERSION=$(VERSION) $(with) --timestamp "$$(git log -1 --format=%ct || echo 0)" \
		--platform $(or $(PLATFORMS),linux/$$($(GO) env GOARCH)) $(if $(PLATFORMS),--manifest,--tag) $(IMAGE) .
	$(BUILDAH) $(if $(PLATFORMS),manifest push --all,push) $(IMAGE) oci-archive:$(ARCHIVE):$(IMAGE)

release: ## binaries for linux amd64 and arm64, their checksums, and the line of plugin.cfg: build/bin/release
	cd build && CGO_ENABLED=0 $(GO) run ./release

run: build ## serve examples/cluster.yaml on 127.0.0.1:1053 (PORT=...), or the cluster of a KUBECONFIG=...
ifeq ($(origin KUBECONFIG),command line)
	@sed 's/@PORT@/$(PORT)/; s/@EXPLAIN@/$(EXPLAIN)/' examples/dig.cluster.txt
	@cd examples && PORT=$(PORT) EXPLAIN=$(EXPLAIN) KUBECONFIG='$(abspath $(KUBECONFIG))' exec ../build/bin/coredns -conf Corefile.cluster
else
	@sed 's/@PORT@/$(PORT)/; s/@EXPLAIN@/$(EXPLAIN)/' examples/dig.txt
	@cd examples && PORT=$(PORT) EXPLAIN=$(EXPLAIN) exec ../build/bin/coredns -conf Corefile
endif

test: unit e2e ## the tests to run before a commit: unit, and end to end on one control plane, in 8 minutes

# Tests in the packages of E2E that are for test-all alone look for HEADLESS_ALL.
test-all: export HEADLESS_ALL = 1
test-all: PARTS = all
test-all: unit e2e ## every test: test, and a real node, faults, tenants, secondaries, a browser, the image and more, in 45 minutes
	cd test && $(TEST) -count=1 -p 1 -timeout 30m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(E2E))")
	$(MAKE) fuzz FUZZTIME=10000x

unit: ## the tests that need no process and no real clock, in 2 minutes
	@test -n "$(RACE)" || echo "no C compiler: the race detector is off"
	$(TEST) ./...

# Where a time ends, unlike a number, Go may say "context deadline exceeded" and fail without an input that does.
fuzz: ## every fuzz target for 10 minutes (FUZZTIME=1h; FUZZTIME=1000x: for so many inputs; FUZZ='-parallel 1')
	@mkdir -p .cache && : >.cache/fuzz.txt
	@$(GO) test -list '^Fuzz' ./... >.cache/fuzz.list || (cat .cache/fuzz.list; exit 1)
	@awk '/^Fuzz/ {name[n++] = $$1} /^ok/ {while (i < n) print $$2, name[i++]}' .cache/fuzz.list | while read -r package name; do \
		echo "$$name of $$package, $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(FUZZ) $$package </dev/null >.cache/fuzz.log 2>&1 || \
			{ grep -q '^ *context deadline exceeded$$' .cache/fuzz.log && ! grep -q 'Failing input' .cache/fuzz.log; } || { cat .cache/fuzz.log; exit 1; }; \
		echo "$$name of $$package: $$(sed -n 's/^fuzz: elapsed: [^,]*, //p' .cache/fuzz.log | tail -n 1)" >>.cache/fuzz.txt; \
	done
	@cat .cache/fuzz.txt

e2e: ## the tests of make test that run real servers, and those of the build
	@echo "building what the tests run: etcd, Kubernetes, kwok, CoreDNS (15 minutes from an empty cache, kept in .cache)"
	cd test && $(GO) run $(RACE) ./cmd/parts $(PARTS)
	cd build && $(TEST) ./...
	cd test && $(GO) run $(RACE) ./cmd/controlplane $(TEST) -count=1 -p 2 -timeout 20m $(E2E)

lint: ## golangci-lint, gofumpt and go.mod files
	cd test && $(GO) run $(RACE) ./cmd/parts golangci-lint
	@for m in . build test; do echo "lint $$m"; (cd $$m && export GOGC=400 CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -trimpath" && $(CURDIR)/.cache/bin/golangci-lint run -c $(CURDIR)/.golangci.yml ./... && $(GO) mod tidy -diff) || exit 1; done

bench: ## Go benchmarks, with allocations, and ServeDNS beside other plugins as a table of ratios
	$(GO) test -run '^$$' -bench . -benchmem ./...
	@cd test && $(GO) run ./cmd/parts benchstat
	cd test && $(GO) test ./bench -run '^$$' -bench . -count 6 -benchtime 0.2s >$(CURDIR)/.cache/bench.txt || (cat $(CURDIR)/.cache/bench.txt; exit 1)
	@.cache/bin/benchstat -row .name,/endpoints -col '/handler@(headless headless-suffix headless-of-service headless-outside kubernetes k8s_external hosts whoami)' .cache/bench.txt

load: ## queries a second of headless and others, to docs/performance, in ten minutes (LOAD='-rounds 3 -settings udp', LOAD=-h)
	@cd test && $(GO) run ./cmd/load -folder '$(CURDIR)/docs/performance' $(LOAD)

scale: ## what 150,000 endpoints cost, beside *kubernetes*, in a quarter of an hour (SCALE='-endpoints 15000 -services 150')
	cd test && $(GO) run ./cmd/scale -csv $(CURDIR)/docs/performance/scale.csv $(SCALE)

faults: ## what clients see of faults of processes, to docs/reliability/faults.md
	cd test && $(GO) test $(RACE) -count=1 -timeout 60m ./fault -args -long -table $(CURDIR)/docs/reliability/faults.md

soak: ## churn, queries and faults together, for an hour (SOAK='-duration 12h'), to docs/reliability/soak.md
	cd test && $(GO) test -count=1 -timeout 0 -v ./soak -args -duration 1h -report $(CURDIR)/docs/reliability/soak.md $(SOAK)

screenshots: ## pictures of explain's pages, to docs/explain
	cd test && $(GO) test -count=1 ./explain -args -screenshots $(CURDIR)/docs/explain

licences: ## what a CoreDNS links because of the plugin, and its licences, to docs/licences.md
	cd test && $(GO) test -count=1 ./licences -args -write

man: ## the manual page, from docs/reference.md, to man/coredns-headless.7
	@cd test && $(GO) run ./cmd/parts go-md2man
	@awk -f man/reference.awk docs/reference.md | .cache/bin/go-md2man >$(MAN)

examples/cluster.yaml: ## dump the tests' cluster anew, as kubectl prints it
	cd test && $(GO) run ./cmd/parts
	cd test && $(GO) run ./cmd/controlplane sh -ec '$(GO) test -count=1 -run "^$$" . && \
		$(CURDIR)/.cache/bin/kubectl --kubeconfig "$$HEADLESS_CONTROLPLANE/admin.kubeconfig" get services,endpointslices -A -o yaml >$(CURDIR)/$@'
