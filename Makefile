# Every target sets up what it needs and does only what has changed. `make` or `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
PY := $(VENV)/bin/python
# The first Python that is new enough; set PYTHON to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)

# Tests run in this many processes.
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
# More arguments for `make run` (faultline serve) and the pytest targets.
ARGS ?=

STAMPS := .cache/stamps
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
NODE_MODULES := web/node_modules/.package-lock.json
DASHBOARD := src/faultline/api/static/index.html
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' \
	-not -path 'web/test-results/*' -not -path 'web/playwright-report/*' -not -path 'web/tests/*' 2>/dev/null)
WEB_TESTS := $(shell find web/tests tests/fixtures -type f 2>/dev/null)
PY_SOURCES := $(shell find src tests tools benchmarks examples -type f \( -name '*.py' -o -name '*.toml' \) 2>/dev/null)

# Compiled kernels, one folder per state of the sources (src/faultline/kernel_cache.py).
export XDG_CACHE_HOME ?= $(CURDIR)/.cache

# Runs every bench_*.py of a folder, all of them even where one misses its gate.
define run-each
failed=0; ran=0; for script in $(1)/bench_*.py; do \
	[ -f "$$script" ] || continue; ran=1; echo "== $$script"; $(PY) "$$script" $(ARGS) || failed=1; done; \
[ $$ran -eq 1 ] || { echo "There are no benchmarks in $(1)"; exit 2; }; exit $$failed
endef

.PHONY: help setup run test check lint types imports unit web web-check web-e2e bench bench-quality torture fuzz \
	docs lock notices wheel new-venue clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## create the environment and install the locked packages and the project

run: $(INSTALLED) $(DASHBOARD) ## set everything up, start the engine on a simulated market, print its address
	$(VENV)/bin/faultline serve --simulated $(ARGS)

test: check unit web-check web-e2e ## set everything up and run every check
	@echo "All checks passed."

check: lint types imports ## style, types and import direction of the Python code: the quick half of `make test`

lint: $(STAMPS)/lint
$(STAMPS)/lint: $(LOCKED) $(PY_SOURCES) pyproject.toml | $(STAMPS)
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	@touch $@

types: $(STAMPS)/types
$(STAMPS)/types: $(LOCKED) $(PY_SOURCES) pyproject.toml | $(STAMPS)
	$(VENV)/bin/mypy
	@touch $@

imports: $(STAMPS)/imports
$(STAMPS)/imports: $(INSTALLED) $(PY_SOURCES) pyproject.toml | $(STAMPS)
	$(VENV)/bin/lint-imports --no-logo
	@touch $@

unit: $(INSTALLED) $(DASHBOARD) ## all Python tests (ARGS='-k word' for some)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile -q $(ARGS)

web: $(DASHBOARD) ## build the dashboard into src/faultline/api/static

$(DASHBOARD): $(NODE_MODULES) $(WEB_SOURCES)
	$(PY) tools/npm.py run build
	@touch $@

web-check: $(STAMPS)/web-check ## types, style, unit tests and size of the dashboard
$(STAMPS)/web-check: $(DASHBOARD) $(WEB_TESTS) | $(STAMPS)
	$(PY) tools/npm.py run check
	$(PY) tools/npm.py run test
	$(PY) tools/npm.py run size
	@touch $@

web-e2e: $(INSTALLED) $(DASHBOARD) ## the dashboard in a real browser (FAULTLINE_BROWSER=skip leaves it out)
	@code=0; chromium=$$($(PY) tools/browser.py) || code=$$?; \
	if [ $$code -eq 3 ]; then exit 0; elif [ $$code -ne 0 ]; then exit $$code; fi; \
	FAULTLINE_CHROMIUM=$$chromium $(PY) tools/npm.py run e2e

bench: $(INSTALLED) ## speed of every stage on populated structures (CPU time, one process each)
	@$(call run-each,benchmarks/speed)

bench-quality: $(INSTALLED) ## skill of the map on permanent scenarios against its baselines
	@$(call run-each,benchmarks/quality)

torture: $(INSTALLED) ## long form of the tests that kill the writer and tear its files
	FAULTLINE_TORTURE=1 $(PY) -m pytest -m torture --timeout 7200 -q $(ARGS)

fuzz: $(INSTALLED) ## long form of the tests that feed hostile bytes to everything that reads
	FAULTLINE_FUZZ=1 $(PY) -m pytest -m fuzz --timeout 7200 -q $(ARGS)

docs: $(INSTALLED) ## write the reference pages from the code, then check all documents
	$(PY) tools/write_reference.py
	$(PY) -m pytest tests/docs -q

lock: $(LOCKED) ## write the lock files again from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --group dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --group pyproject.toml:node -o requirements-node.lock

notices: $(INSTALLED) $(DASHBOARD) ## write the third-party notices and tested versions again, after the locks changed
	$(PY) tools/write_notices.py

wheel: $(INSTALLED) $(DASHBOARD) ## wheel and source archive in dist/, with the dashboard inside; needs no network
	$(PY) -m hatchling build -d dist

new-venue: ## add the folder of a venue (NAME=slug)
	@$(PYTHON) tools/new_venue.py $(NAME)

clean: ## remove what the other targets made, except the environment
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache src/faultline/api/static web/dist dist

$(STAMPS):
	@mkdir -p $@

$(LOCKED): requirements.lock
	@[ -n "$(PYTHON)" ] || { echo "Faultline needs Python 3.11 or newer; none was found"; exit 1; }
	$(PYTHON) tools/set_up.py --venv $(VENV) --lock requirements.lock
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	$(PYTHON) tools/set_up.py --venv $(VENV) --project
	@touch $@

$(NODE_MODULES): web/package-lock.json $(LOCKED)
	@# Not `npm ci`: it refuses a lock without the packages of platforms that an index does not carry. This installs
	@# the locked versions, checks their hashes and leaves the lock alone.
	$(PY) tools/npm.py install --no-save
	@touch $@
