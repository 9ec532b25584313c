# Needs only Python >= 3.11, pip and make. `make PYTHON=python3.12 test` picks another Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# On Linux, PyPI's torch is built for GPUs. `make TORCH_INDEX=https://download.pytorch.org/whl/cpu demo` takes it from
# PyTorch's own index instead: the CPU build.
TORCH_INDEX ?=
# `make UV=uv demo` installs with uv instead of pip.
UV ?=
ifeq ($(UV),)
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
else
MAKE_VENV = $(UV) venv -q --python $$($(PYTHON) -c 'import sys; print(sys.executable)') $(VENV)
INSTALL = $(UV) pip install -q --python $(BIN)/python -c constraints.txt
endif
PYTEST := $(BIN)/python -m pytest

# One thread each: the two pytest workers and small matrices gain nothing from more.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo docs test slow check lint types tables bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Clearance needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(MAKE_VENV)
	$(if $(TORCH_INDEX),$(INSTALL) --index-url $(TORCH_INDEX) torch)

# The stamps: an install happens again only when what it depends on has changed.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing clearance into $(VENV) (about 1 GB, a minute or two)"
	$(INSTALL) -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing clearance with its development tools into $(VENV) (about 1.3 GB, a minute or two)"
	$(INSTALL) -e '.[dev]'
	@touch $(VENV)/installed $@

demo: $(VENV)/installed ## bundled classifiers on real digits
	$(BIN)/clearance demo

lint: $(VENV)/installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## pyright, strict, on src
	$(BIN)/pyright --pythonpath $(BIN)/python --threads 2

check: lint types ## lint and types

test: check ## lint, types, and every test that is not slow
	$(PYTEST) -n 2 -m "not slow"

slow: $(VENV)/installed-dev ## the slow tests only
	$(PYTEST) -m slow

docs: $(VENV)/installed-dev ## the site, in build/site; warnings are errors
	$(BIN)/python docs/_site/build.py

TABLES := imports audit/test_flag_pages attacks/test_table certificates/test_table data/test_table \
	model/test_transform_table report/test_docs training/test_docs zoo/test_table

tables: $(VENV)/installed-dev ## write the tables of the docs anew, from the package's own
	@for script in $(TABLES); do PYTHONPATH=src:tests $(BIN)/python tests/$$script.py --write; done

bench: $(VENV)/installed ## a record of the ratios of this commit, and the chart of all records (five minutes)
	PYTHONPATH=src $(BIN)/python benchmarks/over_time.py

clean: ## remove the virtual environment, caches and the demo's output
	rm -rf $(VENV) build docs/api docs/cli docs/gallery dist demo-run .pytest_cache .ruff_cache .hypothesis
	find src tests experiments benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
