# make demo    a first model, from nothing but Python and make
# make test    every check of this project
# make soak    every crash, disk fault and power cut, and the long forms of the random tests: about an hour
# make fuzz    coverage-guided fuzzing of every parser, a minute each (FUZZ=600: seconds for each)
# make mutants small wrongs put into gate, ledger and verifying, and which of them no test notices (MUTANTS=500: a sample)
# make bench   our times against the floors of this machine, in one run (BENCH=--full: a million entries)
# make bench-peers   the same steps by DBOS, Dagster, Metaflow and MLflow, from environments that it makes; drift by Evidently, NannyML, Alibi Detect
# make false-alarms   how often drift is wrong, from seeded draws: about ten minutes
# make lock    resolve the requirements again (UPGRADE=--upgrade takes newer versions)
# make clean   back to a fresh clone
#
# PYTHON picks the interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Where packages come from is the machine's business; where they go, and that they are the locked ones, is ours.
unexport PIP_CONSTRAINT PIP_PREFIX PIP_REQUIRE_HASHES PIP_TARGET PIP_USER PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types floors tests soak fuzz mutants bench bench-peers false-alarms lock clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.tabular
	$(BIN)/noa demo

test: lint types floors tests

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy

floors: $(VENV)/.dev
	$(BIN)/lint-imports --no-logo

tests: $(VENV)/.dev $(VENV)/.torch
	$(BIN)/pytest -n auto

SOAKED := tests/faults tests/crash tests/audit/test_every_bit.py tests/agents/test_surroundings.py \
	tests/end_to_end/test_operate_killed.py

soak: $(VENV)/.dev $(VENV)/.torch
	PYTHONPATH=tests:. $(BIN)/python -m faults.sweeps
	NOA_SOAK=1 $(BIN)/pytest $(SOAKED) -n auto

fuzz: $(VENV)/.dev $(VENV)/.fuzz
	PYTHONPATH=tests:. $(BIN)/python -m tools.fuzz faults.parsers --seconds $(or $(FUZZ),60)

mutants: $(VENV)/.dev
	$(BIN)/python -m tools.mutants $(MUTANTS)

bench: $(VENV)/.dev $(VENV)/.torch
	$(BIN)/python -m benchmarks $(BENCH)

bench-peers: $(VENV)/.tabular
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.peers.drift $(BENCH)

false-alarms: $(VENV)/.dev
	$(BIN)/python -m benchmarks.false_alarms

# A stamp stands for an environment that holds exactly what its lock names, and this package on top.
$(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/.created
	$(PIP) install --quiet --require-hashes --only-binary :all: --requirement $<
	$(PIP) install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.torch: requirements/torch.txt | $(VENV)/.dev
	$(PIP) install --quiet --only-binary :all: --requirement $<
	@touch $@

$(VENV)/.created: requirements/pip.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "noa needs Python 3.11 or newer, and '$(PYTHON)' is not. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --only-binary :all: --requirement requirements/pip.txt
	@touch $@

# Hashes must be those of the published files, whatever local copies this machine knows.
COMPILE = env -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND='make lock' \
  $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-options \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(UPGRADE)

lock: $(VENV)/.dev
	$(COMPILE) --extra tabular --extra search --extra dev --output-file requirements/dev.txt pyproject.toml requirements/build.in
	$(COMPILE) --extra tabular -c requirements/dev.txt --output-file requirements/tabular.txt pyproject.toml requirements/build.in
	$(COMPILE) -c requirements/dev.txt --output-file requirements/core.txt pyproject.toml requirements/build.in
	$(COMPILE) -c requirements/dev.txt --output-file requirements/pip.txt requirements/pip.in
	$(COMPILE) -c requirements/dev.txt --output-file requirements/fuzz.txt requirements/fuzz.in

clean:
	rm -rf $(VENV) build dist .fuzz .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
