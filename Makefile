PYTHON ?= python3
BIN := .venv/bin
LIGHT ?= .venv-light
COVERAGE ?=
JOBS ?= 2
PIP := -m pip install --quiet --disable-pip-version-check
LIGHT_TESTS := tests/config tests/registry tests/plan tests/protocols tests/ranking tests/test_cards.py \
    tests/test_deprecation.py tests/test_extras.py

.PHONY: demo test test-slow test-engines test-light test-lowest lint rooms bench docs docs-links dist clean

# Runs DE-GAN and the cross-entropy baseline on the embedded dataset, ranks them, writes a site with boards and figures.
demo: .venv/installed
	$(BIN)/ferbench run --multirun method=degan,cross_entropy dataset=synthfaces dataset.takes=1 budget=demo \
	    protocol=subject_kfold protocol.k=2 results_dir=results/demo
	$(BIN)/ferbench leaderboard results/demo
	$(BIN)/ferbench site results/demo --output results/site --baseline cross_entropy

# In JOBS processes of one thread and some 2 GB each. `make test COVERAGE=--cov` also reports coverage, which costs two fifths more
# time.
test: .venv/tested
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(COVERAGE) --ignore tests/engines -m 'not slow'

# What takes longer than some half a minute each: studies that are killed, packages that are built and installed.
test-slow: .venv/tested
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(COVERAGE) --ignore tests/engines -m slow

# On clusters of Slurm and Ray that are started here and stopped again, one after another, since Ray gives up on a busy machine, and with
# the libraries of trackers. The Slurm daemons are Debian's packages slurmctld, slurmd, slurm-client and munge; without them, or where
# there may be no namespaces for Ray, tests are skipped.
test-engines: .venv/engines
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/engines

# The light part without torch, on the newest dependencies and the coming Hydra.
test-light: $(LIGHT)/installed
	$(LIGHT)/bin/python -m pytest -q -p no:cacheprovider $(LIGHT_TESTS)

# The light part without torch, on the lowest versions that pyproject.toml declares.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest -q -p no:cacheprovider $(LIGHT_TESTS)

lint: .venv/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# How many rooms (packages and modules directly in ferbench/) there are, and arrows (imports) between them.
rooms: .venv/developed
	$(BIN)/python .ci/rooms.py

bench: .venv/tested
	$(BIN)/python -m pytest benchmarks --benchmark-only -q -s

# The documentation as a site in site/, which opens from disk. Warnings are errors: links that lead nowhere, pages that are not in the
# navigation or that a forge shows otherwise. Its figures are those of a study that is trained once, into build/docs.
docs: .venv-docs/installed build/docs/trained
	.venv-docs/bin/mkdocs build

# Asks the network for the pages that the documentation links to. Not in CI, which shall not fail because of others.
docs-links: docs
	.venv-docs/bin/python .ci/docs/links.py site

# Source archive and wheel, tried in an environment of their own without the extras (docs/releasing.md).
dist: .venv-light/installed
	rm -rf dist .venv-dist
	.venv-light/bin/python $(PIP) build
	.venv-light/bin/python -m build --outdir dist .
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/python $(PIP) dist/*.whl
	.venv-dist/bin/ferbench --version
	.venv-dist/bin/ferbench plugins
	mkdir .venv-dist/records && tar -xJf docs/records/synthfaces.tar.xz -C .venv-dist/records
	.venv-dist/bin/ferbench leaderboard .venv-dist/records/synthfaces

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) --editable '.[all]'
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python $(PIP) --editable '.[test]'
	touch $@

.venv/engines: .venv/tested
	$(BIN)/python $(PIP) --editable '.[test-engines]'
	touch $@

.venv/developed: .venv/tested
	$(BIN)/python $(PIP) --editable '.[dev]'
	touch $@

.venv-docs/installed: pyproject.toml
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python $(PIP) --editable '.[docs]'
	touch $@

build/docs/trained: .ci/docs/gallery.py .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python .ci/docs/gallery.py
	touch $@

$(LIGHT)/installed: pyproject.toml
	test -x $(LIGHT)/bin/python || $(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python $(PIP) --editable '.[test-light]' 'hydra-core>=1.4.0rc3,<1.5'
	touch $@

.venv-lowest/installed: pyproject.toml .ci/lowest.py
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	$(PYTHON) .ci/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python $(PIP) --constraint .venv-lowest/constraints.txt --editable '.[test-light]'
	touch $@

clean:
	rm -rf .venv .venv-light* .venv-lowest .venv-dist .venv-docs build dist site .coverage .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
