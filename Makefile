PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

# Runs DE-GAN and the cross-entropy baseline on the embedded dataset, ranks them, draws the figures.
demo: .venv/installed
	$(BIN)/ferbench run --multirun method=degan,cross_entropy dataset=synthfaces budget=demo \
	    protocol=subject_kfold protocol.k=2 results_dir=results/demo
	$(BIN)/ferbench leaderboard results/demo
	@echo "Figures: results/demo/*/figures/"

test: .venv/tested
	$(BIN)/python -m pytest

lint: .venv/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/tested
	$(BIN)/python -m pytest benchmarks --benchmark-only -q -s

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

.venv/developed: .venv/tested
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
