# The words of this project; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null && \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)

.PHONY: help run test up down status psql check bench lock
help:  ## list the words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/runtime  ## set up everything and run the main job on real data
	@$(BIN)/python -m local demo

test: .venv/development  ## run all tests
	@$(BIN)/python -m pytest $(ARGS)

up: .venv/runtime  ## start Postgres, MLflow and Airflow
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
	@$(BIN)/python -m pytest -q tests/test_architecture.py

bench: .venv/runtime  ## run the benchmarks (QUICK=--quick for a small round)
	@mkdir -p benchmarks/results
	@for name in association bundles preference pipeline; do \
		$(BIN)/python -m benchmarks.$$name $(QUICK) --json benchmarks/results/$$name.json || exit 1; done

lock:  ## resolve requirements*.in anew (needs uv)
	uv pip compile --universal --python-version 3.11 requirements.in -o requirements.txt -q --no-annotate --no-header
	uv pip compile --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt -q --no-annotate --no-header

# The stamps are written last, so an interrupted installation is taken up again by the next call.
.venv/runtime: requirements.txt
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed; name one by PYTHON=/path/to/python"; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@echo "installing requirements.txt (a few minutes the first time)"
	@if command -v uv >/dev/null; then uv pip install --python $(BIN)/python --compile-bytecode -r requirements.txt; \
		else $(BIN)/python -m pip install --no-deps --progress-bar on -r requirements.txt; fi
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	@if command -v uv >/dev/null; then uv pip install --python $(BIN)/python -r requirements-dev.txt; \
		else $(BIN)/python -m pip install -q --no-deps -r requirements-dev.txt; fi
	@touch $@
