# Everything one runs here; `make help` lists it. PYTHON=python3.12 make demo picks another interpreter.
PYTHON ?= python3
VENV := .venv
FREQTRADE := build/freqtrade/.venv
BIN := $(VENV)/bin
COMPILED := build/compiled
INSTALL := -m pip --disable-pip-version-check install --quiet
# What is others': the files of locks/, and nothing they don't name. What is ours: as it is here, fetching nothing.
LOCKED := $(INSTALL) --require-hashes --no-deps --no-build-isolation
OURS := $(INSTALL) --no-index --no-deps --no-build-isolation
PROJECTS := . ./clients/python ./clients/bots
PYPROJECTS := pyproject.toml clients/python/pyproject.toml clients/bots/pyproject.toml
UV := build/uv/bin/uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-package exchange-client --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help demo test compiled bench torture freqtrade picture format lock clean

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
	-@$(MAKE) --silent $(VENV)/.torture
	$(BIN)/pytest -m torture --timeout 3600 --durations 0 --durations-min 1

freqtrade: $(FREQTRADE)/bin/freqtrade ## install freqtrade apart, for its test in `make torture`

compiled: $(VENV)/bin/python ## build the core with mypyc, apart, and run its tests on that build
	rm -rf $(COMPILED)/source $(COMPILED)/checks
	mkdir -p $(COMPILED)/source $(COMPILED)/checks
	cp -R exchange pyproject.toml README.md $(COMPILED)/source
	cp -R tests pyproject.toml $(COMPILED)/checks
	test -x $(COMPILED)/.venv/bin/python || $(BIN)/python -m venv $(COMPILED)/.venv
	for lock in run dev bench compiled; do $(COMPILED)/.venv/bin/python $(LOCKED) -r locks/$$lock.txt || exit 1; done
	HATCH_BUILD_HOOKS_ENABLE=1 $(COMPILED)/.venv/bin/python $(OURS) ./$(COMPILED)/source ./clients/python ./clients/bots
	cd $(COMPILED)/checks && ../.venv/bin/pytest -m 'not torture and not interpreted' tests/core tests/properties

bench: $(VENV)/.bench ## the speed table, beside this machine's yardsticks
	$(BIN)/python -m tests.bench

picture: $(VENV)/.dev ## draw docs/demo.svg from a real run
	$(BIN)/python -m docs.picture

format: $(VENV)/.dev ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV) ## write locks/ anew after a change of pyproject.toml; UPGRADE=1 takes the newest versions
	@$(if $(UPGRADE),true,cat locks/*.txt) >build/locked.txt
	$(LOCK) $(PYPROJECTS) $(patsubst %,--group %,build dev torture bench compiled) --output-file build/locked.txt
	$(LOCK) $(PYPROJECTS) --group build --constraint build/locked.txt --output-file locks/run.txt
	for group in dev torture bench compiled; do \
		$(LOCK) --group $$group --constraint build/locked.txt --output-file locks/$$group.txt || exit 1; done

clean: ## remove what these commands made, except data folders
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-results*.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all; each stamp adds what its commands need and is redone when its lock changes.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. On Debian: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "Python's venv module is missing. On Debian: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: locks/run.txt $(PYPROJECTS) | $(VENV)/bin/python
	$(BIN)/python $(LOCKED) -r locks/run.txt
	$(BIN)/python $(OURS) $(patsubst %,--editable %,$(PROJECTS))
	@touch $@

$(VENV)/.%: locks/%.txt $(VENV)/.run
	$(BIN)/python $(LOCKED) -r $<
	@touch $@

$(VENV)/.bench $(VENV)/.torture: $(VENV)/.dev

# It asks for versions of its own; the test that needs it is skipped where it can't be installed.
$(FREQTRADE)/bin/freqtrade: | $(VENV)/bin/python
	$(BIN)/python -m venv $(FREQTRADE)
	$(FREQTRADE)/bin/python $(INSTALL) freqtrade

$(UV): | $(VENV)/bin/python
	$(BIN)/python -m venv build/uv
	build/uv/bin/python $(INSTALL) uv==0.13.9
