# Two lines on a fresh machine:  make run  opens the instrument,  make test  runs everything.
# Settings:  PYTHON=python3.12   TORCH=cpu|cuda   TORCH_INDEX=<address of a package index with CPU builds>
#            TEST_WORKERS=2      (processes that share the tests)
.DEFAULT_GOAL := help
.PHONY: help run test setup check clean

VENV := .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.ready-run
TEST_STAMP := $(VENV)/.ready-test
TEST_WORKERS ?= 2
export PYTHON TORCH TORCH_INDEX
unexport PYTHONDONTWRITEBYTECODE # hundreds of processes that tests start would compile all anew

help:
	@echo "make run     set up everything and open the instrument"
	@echo "make test    set up everything and run the whole test suite"
	@echo "make check   ruff and mypy only"
	@echo "make clean   remove the environment and the caches"

$(RUN_STAMP): pyproject.toml constraints.txt packaging/setup.sh
	@bash packaging/setup.sh run

$(TEST_STAMP): pyproject.toml constraints.txt packaging/setup.sh
	@bash packaging/setup.sh test

setup: $(TEST_STAMP)

run: $(RUN_STAMP)
	@$(PY) main.py

check: $(TEST_STAMP)
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

test: check
	QT_QPA_PLATFORM=offscreen $(PY) -m pytest -n $(TEST_WORKERS) --dist worksteal

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
