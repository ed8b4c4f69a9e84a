# Two commands do all the set-up: `make demo` runs the main job, `make test` runs all tests; CI runs test-full and proof as well.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
# Compiled modules are kept: every process of a test run would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

MINUTES := 5
HOURS := 8
SEED := 1
STORE := sqlite

.PHONY: demo test test-full check serve bench proof chaos soak format pins clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    install into .venv and run the main job on real input'
	@echo 'make test    install the development dependencies and run all tests'
	@echo 'make test-full  what make test leaves out: the descriptions and the conformance kit at full scale'
	@echo 'make check   ruff, mypy --strict, import-linter'
	@echo 'make serve   run a server on 127.0.0.1:9000'
	@echo 'make bench   measure, beside yardsticks of the same run'
	@echo 'make proof   prove what docs/guarantees.md promises, at the scale of CI'
	@echo 'make chaos   kill, stop and starve real processes under load [MINUTES=5 SEED=1 STORE=sqlite]'
	@echo 'make soak    steady load on one server, and what grows [HOURS=8 STORE=sqlite]'

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed and was not found on PATH' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'python -m venv failed: on Debian install python3-venv' >&2; exit 1; }

$(VENV)/.runtime: requirements/build.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(PIP) -r requirements/build.txt -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime
	$(BIN)/python examples/demo

serve: $(VENV)/.runtime
	$(BIN)/sojourn serve

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	@$(BIN)/python tests/debian.py
	@# What fails beside other tests is run once more by itself, and fails the run when it fails again.
	$(BIN)/python -m pytest -n $(WORKERS) || { echo 'UNSTEADY unless it fails again, by itself:'; \
		$(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none; }

test-full: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) tests/full

bench: $(VENV)/.dev
	$(BIN)/python -m bench

proof: $(VENV)/.dev
	$(BIN)/python -m proof

chaos: $(VENV)/.dev
	$(BIN)/python -m proof chaos --minutes $(MINUTES) --seed $(SEED) --store $(STORE)

soak: $(VENV)/.dev
	$(BIN)/python -m proof soak --minutes $$(( $(HOURS) * 60 )) --store $(STORE)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pins:
	cd requirements && uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes -q build.in -o build.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes -q pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes -q --group dev pyproject.toml -o requirements/dev.txt

clean:
	rm -rf $(VENV) build dist
