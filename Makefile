# The words of this project; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null && \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
# DEEP=no leaves out torch, which only the sequence models need; TORCH_OPTIONS goes to pip, to choose a build of it:
# on Linux "--index-url ADDRESS", with the address that torch's page on installation gives for CPUs, saves some 4 GB.
DEEP ?= yes
TORCH_OPTIONS ?=
# What an installation takes, with the largest build of torch; the stack checks for its own need when it starts.
FREE_GB := $(if $(filter no,$(DEEP)),4,10)
# How many processes share the tests; each has a Postgres of its own. LONG=yes runs the slow ones too.
WORKERS ?= 2
LONG ?= no
export PYTHONPATH := $(CURDIR)

deep := $(if $(filter no,$(DEEP)),,.venv/deep)

.PHONY: help run test up down status psql check audit load bench faults lock
help:  ## list the words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/runtime $(deep)  ## set up everything and run the main job on real data
	@$(BIN)/python -m local demo

test: .venv/development $(deep)  ## run the tests, an end-to-end run among them (LONG=yes: the slow ones too, as CI does)
	@$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder $(if $(filter yes,$(LONG)),,-m "not slow or smoke") $(ARGS)

up: .venv/runtime  ## start Postgres, MLflow, Airflow and the dashboard
	@$(BIN)/python -m local up

down:  ## stop them; data stay
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m local down

status: .venv/runtime  ## show addresses, states and memory
	@$(BIN)/python -m local status

psql: .venv/runtime  ## SQL as the analyst: interactive, or from standard input
	@$(BIN)/python -m local psql

check: .venv/development  ## formats, types, SQL style, import rules
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint -q dbt_project/models dbt_project/tests
	@BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD=unused $(BIN)/dbt parse --quiet --project-dir dbt_project \
		--profiles-dir dbt_project --target-path .bundles/check --log-path .bundles/check
	@$(BIN)/python -m pytest -q tests/test_architecture.py

audit: .venv/development  ## look for known holes in the packages
	@$(BIN)/python -m local audit

load: .venv/development  ## measure answers under load, also while runs are published (QUICK=--quick for a small round)
	@mkdir -p benchmarks/results
	@$(BIN)/python -m benchmarks.load $(QUICK) --json benchmarks/results/load.json

bench: .venv/development $(deep)  ## run the benchmarks (QUICK=--quick for a small round)
	@mkdir -p benchmarks/results
	@for name in association substitutes pair_counting bundles scenarios preference ablation scoring optimizer stock pipeline serving \
		own_data off_policy $(if $(deep),compression events); do \
		$(BIN)/python -m benchmarks.$$name $(QUICK) --json benchmarks/results/$$name.json || exit 1; done

faults: .venv/development  ## break things on purpose, one line a fault (SEED=7 RUNS=200 choose the random ones)
	@BUNDLES_FAULTS=long BUNDLES_FAULTS_SEED=$(or $(SEED),7) BUNDLES_FAULTS_RUNS=$(or $(RUNS),200) \
		$(BIN)/python -m pytest -q -m faults tests/faults $(ARGS)

lock:  ## resolve requirements*.in anew (needs uv)
	uv pip compile --universal --python-version 3.11 requirements.in -o requirements.txt --generate-hashes -q --no-annotate --no-header
	uv pip compile --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt --generate-hashes -q --no-annotate --no-header

# The stamps are written last, so an interrupted installation is taken up again by the next call.
.venv/runtime: requirements.txt
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed; name one by PYTHON=/path/to/python"; exit 1; }
	@df -Pk . | awk -v need=$(FREE_GB) 'NR == 2 && $$4 < need * 1048576 { \
		printf "%.1f GB free here, %d GB are needed for the installation\n", $$4 / 1048576, need; exit 1 }'
	@$(BIN)/python -c '' 2>/dev/null && { [ -n "$(UV)" ] || $(BIN)/python -m pip --version >/dev/null 2>&1; } || \
		{ rm -rf .venv && $(PYTHON) -m venv .venv; } || { rm -rf .venv; exit 1; }
	@echo "installing requirements.txt (a few minutes the first time)"
	@$(call install,--compile-bytecode,--progress-bar on) -r requirements.txt
	@$(BIN)/python -c 'import lightgbm' || { echo "LightGBM needs the OpenMP runtime (Debian: apt-get install libgomp1)"; exit 1; }
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	@$(call install,-q,-q) -r requirements-dev.txt
	@touch $@

# By pip even where there is uv, which looks for other builds; what is installed must still agree afterwards.
.venv/deep: .venv/runtime requirements-deep.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip -q
	@echo "installing requirements-deep.txt (DEEP=no leaves it out)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(TORCH_OPTIONS) -r requirements-deep.txt
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || { $(BIN)/python -m pip check; exit 1; }
	@touch $@

# install OPTIONS_OF_UV,OPTIONS_OF_PIP: the locks are complete, so pip need not resolve (it would take 20 minutes).
install = if [ -n "$(UV)" ]; then set -- uv pip install --python $(BIN)/python $(1); \
	else set -- $(BIN)/python -m pip install --no-deps --disable-pip-version-check $(2); fi; \
	"$$@" --require-hashes --only-binary :all:
