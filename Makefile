# Two commands for everybody (run, test) and what they need. PYTHON may name another interpreter, 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test self-test explore-teeth mutants bench versions format clean

run: $(VENV)/.installed
	@PYTHONHASHSEED=0 $(BIN)/hermes-sim run

test: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2

# Every broken implementation and every legal oddity, judged by the user's own command: minutes.
self-test: $(VENV)/.installed
	@$(BIN)/hermes-contract self-test

# Does exploring find the same broken implementations, and make them small? Hours; it can be resumed.
explore-teeth: $(VENV)/.installed-test
	@$(BIN)/python -m tests.explored $(CONTROLS)

# Is there a test for each thing that claims, store and providers decide? Half an hour for all of them,
# minutes for one: make mutants MUTANTS=hermes_cron/claims.py. One that was cut off goes on where it was:
# make mutants MUTANTS=--again
mutants: $(VENV)/.installed-mutants
	@$(BIN)/python -m tests.mutants $(MUTANTS)

# Minutes: hermes-agent is measured beside ours, in an environment of its own (.venv-agent).
bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.benchmarks

# The same histories under every Python that is here; one that is missing is NOT_RUN.
versions: $(VENV)/.installed-test
	@$(BIN)/python tests/versions.py

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "installing the test extra ..."
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed-test
	@echo "installing the mutants extra ..."
	@$(PIP) -e '.[mutants]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-3.1? .venv-agent .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
