# Everything one runs here; `make help` lists it. PYTHON=python3.12 make demo picks another interpreter.
PYTHON ?= python3
VENV := .venv
FREQTRADE := build/freqtrade/.venv
BIN := $(VENV)/bin
COMPILED := build/compiled
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test compiled bench torture freqtrade picture format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.run ## start the exchange with funded accounts and bots (Ctrl-C stops it, again continues)
	@exec $(BIN)/exchange demo

test: $(VENV)/.dev ## format, lint, types, and every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

torture: $(VENV)/.dev ## the long form of the fault tests
	-@$(MAKE) --silent freqtrade
	-@$(PIP) --editable '.[dev,torture]'
	$(BIN)/pytest -m torture --timeout 3600 --durations 0 --durations-min 1

freqtrade: $(FREQTRADE)/bin/freqtrade ## install freqtrade apart, for its test in `make torture`

compiled: $(VENV)/bin/python ## build the core with mypyc, apart, and run its tests on that build
	rm -rf $(COMPILED)/source $(COMPILED)/checks
	mkdir -p $(COMPILED)/source $(COMPILED)/checks
	cp -R exchange clients pyproject.toml README.md $(COMPILED)/source
	cp -R tests pyproject.toml $(COMPILED)/checks
	test -x $(COMPILED)/.venv/bin/python || $(BIN)/python -m venv $(COMPILED)/.venv
	HATCH_BUILD_HOOKS_ENABLE=1 $(COMPILED)/.venv/bin/python -m pip --disable-pip-version-check install --quiet \
		'./$(COMPILED)/source[dev,bench]'
	cd $(COMPILED)/checks && ../.venv/bin/pytest -m 'not torture and not interpreted' tests/core tests/properties

bench: $(VENV)/.bench ## the speed table, beside this machine's yardsticks
	$(BIN)/python -m tests.bench

picture: $(VENV)/.dev ## draw docs/demo.svg from a real run
	$(BIN)/python -m docs.picture

format: $(VENV)/.dev ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what these commands made, except data folders
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-results*.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all; each stamp adds what its commands need and is redone when pyproject.toml changes.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. On Debian: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "Python's venv module is missing. On Debian: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run

# It asks for versions of its own; the test that needs it is skipped where it can't be installed.
$(FREQTRADE)/bin/freqtrade: | $(VENV)/bin/python
	$(BIN)/python -m venv $(FREQTRADE)
	$(FREQTRADE)/bin/python -m pip --disable-pip-version-check install --quiet freqtrade

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.run
