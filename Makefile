PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-light lint bench clean

# Runs DE-GAN and the cross-entropy baseline on the embedded dataset, ranks them, writes a page with the figures.
demo: .venv/installed
	$(BIN)/ferbench run --multirun method=degan,cross_entropy dataset=synthfaces dataset.takes=1 budget=demo \
	    protocol=subject_kfold protocol.k=2 results_dir=results/demo
	$(BIN)/ferbench leaderboard results/demo
	$(BIN)/ferbench report results/demo --output results/report --baseline cross_entropy

test: .venv/tested
	$(BIN)/python -m pytest

# The light part without torch, on the oldest pluggy and the coming Hydra.
test-light: .venv-light/installed
	.venv-light/bin/python -m pytest -p no:cacheprovider tests/test_config.py tests/test_registry.py tests/test_plan.py \
	    tests/test_cards.py tests/protocols

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

.venv-light/installed: pyproject.toml
	test -x .venv-light/bin/python || $(PYTHON) -m venv .venv-light
	.venv-light/bin/python -m pip install --quiet --disable-pip-version-check --pre 'hydra-core>=1.4.0rc3,<1.5'
	.venv-light/bin/python -m pip install --quiet --disable-pip-version-check 'pluggy==1.5.0' numpy pandas \
	    scikit-learn scipy pyarrow pillow rich rich-click pytest hypothesis
	.venv-light/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

clean:
	rm -rf .venv .venv-light build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
