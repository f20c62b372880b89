# What a newcomer needs: `make demo` and `make test`. Both install into .venv first; nothing else is touched.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where tools/make-venv puts the OpenMP library on a machine that has none and gives us no root.
export LD_LIBRARY_PATH := $(CURDIR)/$(VENV)/lib$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
# The tests start hundreds of programs, each of which would compile our sources anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq

.PHONY: help install install-dev demo test test-random test-brokers check format bench bench-cpu bench-model chaos outage docs lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.run ## Install into .venv what running needs
install-dev: $(VENV)/.dev ## Install into .venv what tests and checks need as well

$(BIN)/python:
	@tools/make-venv $(PYTHON) $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) (about 200 MB, half a minute) ..."
	@$(PIP) --require-hashes -r requirements/run.lock
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "Installing the tools for tests and checks ..."
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

demo: $(VENV)/.run ## Run the main job: agents, a broker, a model, nine tasks
	@$(BIN)/sutazai demo

test: $(VENV)/.dev ## Run the tests against a real RabbitMQ and a real small model
	@$(BIN)/python -m pytest -n 3 --dist worksteal -p no:randomly --cov --cov-report=term $(ARGS)

test-random: $(VENV)/.dev ## Run the tests in random order
	@$(BIN)/python -m pytest -n 3 --dist worksteal --no-cov $(ARGS)

test-brokers: $(VENV)/.dev ## Run the bus's tests on RabbitMQ 3 and 4, with quorum queues, and on clusters
	@tools/test-brokers $(BIN)/python

check: $(VENV)/.dev ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## Rewrite the formatting
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure the main job; see benchmarks/ for more
	@$(BIN)/python benchmarks/main_job.py $(ARGS)

bench-cpu: $(VENV)/.dev ## Measure the CPU of a task, here and in another checkout (ARGS="--against FOLDER")
	@$(BIN)/python benchmarks/cpu.py $(ARGS)

bench-model: $(VENV)/.dev ## Measure grouping by model against the physical limit; four minutes
	@$(BIN)/python benchmarks/model_side.py $(ARGS)

chaos: $(VENV)/.dev ## A storm of faults over real processes: is anything lost? Three minutes
	@$(BIN)/python benchmarks/chaos.py $(ARGS)

outage: $(VENV)/.dev ## The model server away for a minute: does it cost a task or an attempt? Three minutes
	@$(BIN)/python benchmarks/outage.py $(ARGS)

docs: $(VENV)/.dev ## Write docs/cli.md anew from the command line's own help
	@$(BIN)/python -m typer agents.cli.main utils docs --name sutazai --title "The command line" --output docs/cli.md

lock: ## Rewrite the locks from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --extra local --extra fast --extra migrate --extra exporter --extra otel --group build \
		pyproject.toml -o requirements/run.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --extra local --extra fast --extra migrate --extra exporter --extra otel --group dev \
		-c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean: ## Remove .venv and everything made by tools
	rm -rf $(VENV) .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist htmlcov
