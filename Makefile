# Everything from a fresh clone: `make serve` and `make test` each do it all.
PYTHON  ?= python3.11
VENV    := .venv
BIN     := $(VENV)/bin
MUTANTS := .venv-mutation
FUZZERS := .venv-fuzz
SITE    := .venv-docs
ARGS    ?=
JOBS    ?= 3

.DEFAULT_GOAL := help
.PHONY: help install serve demo test faults check coverage mutation fuzz bench dashboards docs docs-serve lock clean

help:  ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than what it was made from, so a rerun installs nothing and needs no network.
$(VENV)/.installed: requirements.lock pyproject.toml client/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): not found: install Python 3.11 or later, or name one: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e client -e .
	touch $@

install: $(VENV)/.installed  ## Prepare .venv from requirements.lock

serve: install  ## Run the service on 127.0.0.1:5290
	$(BIN)/claxon serve $(ARGS)

demo: install  ## Two minutes: a fake Claude API, faults, pages, resolves
	$(BIN)/claxon demo $(ARGS)

test: install  ## Run all tests, JOBS files at once (test peers: see tests/README.md)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

faults: install  ## Strike nodes, brokers and the ways between them, as make test does not; 11 min
	CI=true $(BIN)/python -m pytest -m faults $(ARGS)

check: install  ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: install  ## Run every branch of alerts/, or fail
	$(BIN)/python -m coverage run -m pytest tests/alerts tests/test_scenarios.py
	$(BIN)/python -m coverage report

# mutmut is not in requirements.lock: it is no part of what is tested or shipped. Derandomized, so that two runs kill the same.
$(MUTANTS)/.installed: requirements.lock pyproject.toml
	test -x $(MUTANTS)/bin/python || $(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --group mutation
	touch $@

mutation: $(MUTANTS)/.installed  ## Break four files of alerts/ in 700 ways; the tests notice
	rm -rf mutants
	CI=true PYTHONPATH=$(CURDIR)/client $(MUTANTS)/bin/python -m mutmut run --max-children 1
	$(MUTANTS)/bin/python -m tests.support.mutation

$(FUZZERS)/.installed: requirements.lock pyproject.toml
	test -x $(FUZZERS)/bin/python || $(PYTHON) -m venv $(FUZZERS)
	$(FUZZERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(FUZZERS)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(FUZZERS)/bin/python -m pip install --quiet --disable-pip-version-check --group fuzz
	touch $@

fuzz: $(FUZZERS)/.installed  ## Fuzz decoders and API, ten minutes each of three
	for what in decoders coverage openapi; do \
	  PYTHONPATH=$(CURDIR)/client:$(CURDIR) $(FUZZERS)/bin/python -m tests.fuzz $$what $(ARGS) || exit 1; done

bench: install  ## Measure what is stated (ARGS=list: each by name)
	$(BIN)/python -m benchmarks $(ARGS)

dashboards: install  ## Write dashboards/*.json from their code
	$(BIN)/python -m dashboards.build

# The generator is in a lock file and an environment of its own. Warnings are errors: a broken link is a broken page.
$(SITE)/.installed: requirements-docs.lock
	test -x $(SITE)/bin/python || $(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	touch $@

docs: $(SITE)/.installed  ## Build the pages as a site, in site/
	$(SITE)/bin/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -c docs/site -d $(SITE)/doctrees . site

docs-serve: docs  ## Show the site on 127.0.0.1:5291
	$(SITE)/bin/python -m http.server --bind 127.0.0.1 --directory site 5291

lock:  ## Renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-package claxon --group dev pyproject.toml client/pyproject.toml --all-extras -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-package claxon pyproject.toml client/pyproject.toml --extra apprise --extra otlp --extra postgres --extra kafka -c requirements.lock -o requirements-runtime.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group docs -o requirements-docs.lock

clean:  ## Remove what the targets made
	rm -rf $(VENV) $(MUTANTS) $(FUZZERS) $(SITE) .venv-moto site mutants .coverage .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
