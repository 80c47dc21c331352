# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PACKAGES := shared catalog-svc campaign-svc dispatcher-svc status-ingest-svc deploy/fleetsim deploy/setup deploy/local
BIN := .venv/bin

.PHONY: help venv check format
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

venv: .venv/.ready ## the virtual environment, from the hashed lock
.venv/.ready: requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@echo "preparing .venv (about half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

check: venv ## ruff and mypy strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy $(PACKAGES) tests

format: venv ## ruff format and its safe fixes
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .
