# Needs git, make, python3 and python3-venv. Installs into .venv, caches in .cache, calls neither sudo nor apt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -q --disable-pip-version-check --no-input
INSTALL := $(PIP) install --require-hashes --only-binary :all: -r

export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba

# A stamp carries the hash of what it stands for, so nothing is installed twice.
hash = $(shell cat $(1) 2>/dev/null | git hash-object --stdin | cut -c1-16)
BASE := $(VENV)/.base-$(call hash,requirements/base.lock)
SELF := $(VENV)/.self-$(call hash,pyproject.toml)-$(shell echo '$(CURDIR)' | cksum | cut -d' ' -f1)
DEV := $(VENV)/.dev-$(call hash,requirements/dev.lock)
SPARK := $(VENV)/.spark-$(call hash,requirements/spark.lock)
UV := .cache/lock/.uv-$(call hash,requirements/lock.lock)

.DEFAULT_GOAL := help
.PHONY: help demo test test-spark bench lint format docs site wheel wheelhouse lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BASE) $(SELF) ## Find the world's clusters of network-device makers and open them (JIQUN_DEMO_SERVE=0: do not serve)
	@$(BIN)/jiqun demo

test: lint site ## Lint, build the docs, run all tests this machine can run (ARGS="-k name"; JIQUN_REQUIRE=browser,postgres,fonts,data)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 -m "not spark" -rs $(ARGS)

test-spark: $(DEV) $(SELF) $(if $(shell command -v java 2>/dev/null),$(SPARK)) ## Tests of the Spark engine; needs Java 17 or later (package default-jre-headless)
	$(BIN)/python -m pytest -m spark -rs $(ARGS)

bench: $(DEV) $(SELF) ## Figures and ratios against peers, measured in one run (ARGS="dbscan" for some)
	@$(BIN)/python bench/run.py $(ARGS)

lint: $(DEV) $(SELF) ## Style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

format: $(DEV) ## Mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV) $(SELF) ## Regenerate the reference pages and build the docs into site/
	$(BIN)/python scripts/cli_docs.py
	$(BIN)/python scripts/data_docs.py
	@$(MAKE) --no-print-directory site

site: $(DEV) $(SELF)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(DEV) ## Build the source package and the wheel into dist/
	$(BIN)/hatchling build

wheelhouse: wheel ## One archive that installs jiqun on a machine without network: dist/jiqun-wheelhouse.tar
	rm -rf dist/wheelhouse
	$(BIN)/python -m pip download -q --require-hashes --only-binary :all: -r requirements/server.lock -d dist/wheelhouse
	cp dist/jiqun-*.whl requirements/server.lock deploy/install.sh deploy/jiqun.service dist/wheelhouse/
	tar -C dist -cf dist/jiqun-wheelhouse.tar wheelhouse

lock: $(UV) ## Write the lock files anew (UPGRADE=--upgrade for newer versions)
	$(COMPILE) pyproject.toml --group build -o requirements/base.lock
	$(COMPILE) pyproject.toml --group build --group dev -c requirements/base.lock -o requirements/dev.lock
	$(COMPILE) pyproject.toml --extra postgres -c requirements/dev.lock -o requirements/server.lock
	$(COMPILE) pyproject.toml --extra spark -c requirements/dev.lock -o requirements/spark.lock
	$(COMPILE) --group pyproject.toml:lock -o requirements/lock.lock

clean: ## Remove the virtual environment, caches and whatever was built
	rm -rf $(VENV) .cache .hypothesis build dist site demo-workspace

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jiqun needs Python 3.11 or later; try: make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Install the package python3-venv, then try again."; exit 1; }

$(BASE): | $(BIN)/python
	@echo "Installing what jiqun stands on into $(VENV) (once)"
	@$(INSTALL) requirements/base.lock
	@rm -f $(VENV)/.base-* && touch $@

$(SELF): $(BASE)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.self-* && touch $@

$(DEV): | $(BASE)
	@echo "Installing the tools of development into $(VENV) (once)"
	@$(INSTALL) requirements/dev.lock
	@rm -f $(VENV)/.dev-* && touch $@

# A source package of 456 MB, built with the setuptools of dev.lock so that nothing unhashed is fetched.
$(SPARK): | $(DEV)
	@echo "Installing PySpark into $(VENV) (once; 456 MB)"
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/spark.lock
	@rm -f $(VENV)/.spark-* && touch $@

COMPILE = .cache/lock/bin/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
  --generate-hashes --custom-compile-command "make lock" $(UPGRADE)

$(UV):
	@$(PYTHON) -m venv .cache/lock
	@.cache/lock/bin/python -m pip -q --disable-pip-version-check install --require-hashes -r requirements/lock.lock
	@rm -f .cache/lock/.uv-* && touch $@
