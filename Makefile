# Needs Python 3.11 or later, pip and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
CASES ?= 100

.PHONY: demo test check bench docs wheel clean

demo: .venv/.core  ## audit the embedded SmolLM2-135M and write report.html
	$(BIN)/gadfly audit gadfly/smollm2 --cases $(CASES) --output report.html

test: check  ## everything CI runs; tests start many processes, which compiled modules make half a second shorter each
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m slipcover --json --out .coverage.json -m pytest -n logical --durations=10
	$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --skip-covered --fail-under 90

check: .venv/.dev  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

bench: .venv/.dev  ## every figure under benchmarks/results/, ratios from one run on this machine
	$(BIN)/python -m benchmarks

docs: .venv/.dev  ## docs/cli.md from the program itself
	$(BIN)/typer gadfly.cli utils docs --name gadfly --output docs/cli.md

wheel: .venv/.dev  ## build the wheel and audit with it, installed alone in a clean environment
	rm -rf dist build/clean
	$(BIN)/python -m build --wheel --quiet
	$(PYTHON) -m venv build/clean
	build/clean/bin/pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && GADFLY_RUNS=clean/runs clean/bin/gadfly audit gadfly/smollm2 --cases 4 --samples 2 --output clean/report.html

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ .venv/.core

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .coverage.json
