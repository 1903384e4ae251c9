# `make demo` and `make test` do everything, set-up included.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all check bench docs pictures clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(BIN)/pip install --quiet -e '.[test,check,docs]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python examples/demo.py

test: $(VENV)/.developer check
	$(BIN)/pytest -m 'not slow' -n 2 --dist worksteal

test-all: $(VENV)/.developer check
	$(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/.developer
	$(BIN)/ruff format --check src tests examples benchmarks docs
	$(BIN)/ruff check src tests examples benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.sizes

docs: $(VENV)/.developer
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

pictures: $(VENV)/.developer
	$(BIN)/python docs/pictures.py

bench: $(VENV)/.developer
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python -m benchmarks $(ALGO)

clean:
	rm -rf $(VENV) .clients site build dist demo-output
