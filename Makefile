# make run      start Support Copilot with sample issues on http://127.0.0.1:8000
# make test     run the tests in an environment of their own
# make help     all targets
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
DEV := .venv-dev
export SUPPORT_COPILOT_DATA_DIR ?= data

.PHONY: help install run dev check test lock format clean

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Make the environment .venv with the command support-copilot

run: install  ## Install, prepare and start everything in one process, with sample issues
	@exec $(VENV)/bin/support-copilot run --samples

dev: $(DEV)/.installed  ## Make the environment .venv-dev for tests and checks

$(VENV)/.installed: requirements.txt requirements-build.txt pyproject.toml
	@./tools/make-environment $(PYTHON) $(VENV) requirements.txt
	@touch $@

$(DEV)/.installed: requirements-dev.txt requirements-build.txt pyproject.toml
	@./tools/make-environment $(PYTHON) $(DEV) requirements-dev.txt
	@touch $@

check: dev  ## Format, lint, types, import contracts, docs
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-cache
	$(DEV)/bin/pytest -q tests/architecture

test: dev  ## Run the tests
	$(DEV)/bin/pytest

format: dev  ## Format the code and mend what can be mended
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

lock: dev  ## Pin all dependencies anew, with hashes
	$(DEV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --upgrade -o requirements.txt pyproject.toml
	$(DEV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --upgrade --group dev -c requirements.txt \
		-o requirements-dev.txt pyproject.toml

clean:  ## Remove environments and caches; the data directory stays
	rm -rf $(VENV) $(DEV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
