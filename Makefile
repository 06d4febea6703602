# All that one does with a checkout. `make` alone lists the targets.
#
# VENV=dir     where the environment lives (.venv)
# PYTHON=name  the Python that makes it (python3.11, else python3; 3.11 or newer)
# JOBS=n       processes that run the tests (2)

VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
# Work stealing keeps the tests of a file together, so that what they share is made once.
PYTEST := -n $(JOBS) --dist worksteal
STAMP := $(VENV)/.set-up

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup search test lint test-slow check-style check-format check-types check-layers check-tests wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make the environment (.venv); quick when nothing changed

$(STAMP): pyproject.toml constraints.txt
	@recent='import sys; sys.exit(sys.version_info < (3, 11))'; \
	if [ -e "$(VENV)" ] && ! "$(BIN)/python" -c "$$recent" 2>/dev/null; then \
		echo "make setup: $(VENV) holds no Python 3.11 or newer that runs: remove it, or name another with VENV=dir" >&2; exit 1; \
	fi; \
	if [ ! -e "$(VENV)" ]; then \
		for python in $(or $(PYTHON),python3.11 python3) none; do "$$python" -c "$$recent" 2>/dev/null && break; done; \
		if [ "$$python" = none ]; then \
			echo "make setup: archwright needs Python 3.11 or newer, and found none as $(or $(PYTHON),python3.11 or python3): install it, or name it with PYTHON=path" >&2; exit 1; \
		fi; \
		"$$python" -m venv "$(VENV)" || { rm -rf "$(VENV)"; \
			echo "make setup: $$python cannot make an environment with pip (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	fi
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

search: setup ## search digits for two minutes; the network and its report go to runs/digits
	$(BIN)/archwright search digits --budget 2m --max-params 50k --out runs/digits

test: setup ## run the checks: style, types, layers, the tests but for the slow ones
	@$(MAKE) --no-print-directory --keep-going check-style check-format check-types check-layers check-tests \
		&& echo "All checks passed: ruff, mypy, import-linter, pytest." \
		|| { echo "Some checks FAILED: see above." >&2; exit 1; }

lint: setup ## the checks that run no code: style, types, layers
	@$(MAKE) --no-print-directory --keep-going check-style check-format check-types check-layers

test-slow: setup ## the slow tests: long examples and pages, exports of many networks
	$(BIN)/python -m pytest $(PYTEST) -m slow

check-style:
	$(BIN)/ruff check

check-format:
	$(BIN)/ruff format --check

check-types:
	$(BIN)/mypy

check-layers:
	$(BIN)/lint-imports --no-logo

check-tests:
	$(BIN)/python -m pytest $(PYTEST) -m "not slow"

wheel: setup ## build the source archive and the wheel into dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove what the checks and builds left behind; .venv and runs/ stay
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
