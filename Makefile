# csperf: `make` or `make help` lists what there is. Everything is installed into this folder (.uv, .venv) and
# nothing outside it is touched.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9
export CSPERF_HOME ?= $(CURDIR)/var
# Parallel test processes; the suite is written for two.
TEST_WORKERS ?= 2
ARGS ?=

# uv keeps its cache here too, takes the Python that is there and the system's certificates (a company's TLS proxy).
export UV_CACHE_DIR ?= $(CURDIR)/.uv/cache
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
export UV_LINK_MODE := hardlink
export PIP_DISABLE_PIP_VERSION_CHECK := 1
UV := .uv/bin/uv

# What dbt has read of its project: every new CSPERF_HOME starts from it.
PARSED := dbt_project/target/partial_parse.msgpack

.PHONY: help install run test lint lint-python lint-types lint-sql audit bench faults fuzz airflow lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: .venv/installed ## the locked environment in .venv, with .venv/bin/csperf

run: .venv/installed $(PARSED) ## a demo company's quarter through Airflow: landed, scored, decided, paid (under 3 minutes)
	.venv/bin/python -m scripts.main_job $(ARGS)

test: .venv/installed $(PARSED) ## the whole test suite (ARGS="tests/test_periods.py -x" for a part; HYPOTHESIS_PROFILE=search tries new examples)
	.venv/bin/python -m pytest -n $(TEST_WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: .venv/installed ## ruff, mypy, sqlfluff
	@$(MAKE) --no-print-directory --keep-going -j 3 lint-python lint-types lint-sql

lint-python:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

lint-types:
	.venv/bin/mypy

lint-sql:
	.venv/bin/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

audit: .venv/installed ## known vulnerabilities of the locked packages; where no advisories can be had, the lock's age
	@.venv/bin/python -m scripts.audit $(ARGS)

bench: .venv/installed $(PARSED) ## all plans for 10,000 employees, a million messages checked, then one night of 2,000 agents (an hour)
	.venv/bin/python -m bench.plans
	.venv/bin/python -m bench.checks
	.venv/bin/python bench/night.py $(ARGS)

faults: .venv/installed $(PARSED) ## 200 kills, full disks, two runs at once, a dying source, readers: nothing lost (an hour; ARGS=--short)
	.venv/bin/python -m tests.faults $(ARGS)

fuzz: .venv/installed ## 10,000 deliveries made at random, good and bad, through the intake: no row lost (an hour; ARGS="--deliveries 500")
	.venv/bin/python -m tests.fuzz $(ARGS)

airflow: .venv/installed ## a local Airflow with the four DAGs, at http://localhost:8080
	.venv/bin/python -m scripts.local_airflow $(ARGS)

lock: $(UV) ## resolve requirements.lock again from pyproject.toml
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --all-extras --no-header \
	  --output-file requirements.lock --quiet pyproject.toml

clean: ## remove the environment and caches; records (var) stay
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info dbt_project/target dbt_project/logs

$(UV):
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); v = sys.version.split()[0]; \
	  sys.exit(0 if ok else f"csperf needs Python 3.11, 3.12 or 3.13 and {sys.executable} is {v}; name another: make PYTHON=python3.12")'
	@echo 'Installing uv into .uv and the locked environment into .venv …'
	@$(PYTHON) -m pip install --quiet --no-cache-dir --no-warn-script-location --root-user-action ignore --target .uv --upgrade uv==$(UV_VERSION)
	@touch $@

$(PARSED): .venv/installed $(shell find dbt_project -name target -prune -o -name logs -prune -o -type f -print)
	cd dbt_project && ../.venv/bin/dbt --quiet --no-write-json --log-level-file none --no-send-anonymous-usage-stats \
	  parse --profiles-dir .
	@touch $@

# Bytecode is compiled now, once: Great Expectations alone takes nine seconds to import without it.
.venv/installed: requirements.lock pyproject.toml | $(UV)
	test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch $@
