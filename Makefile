# The two commands of the README, and what they stand on. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint format clean

PYTHON ?= python3
VENV   := .venv
VP     := $(VENV)/bin/vp
# uv from the PATH, or a private copy from the package registry.
UV     := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
STAMP  := $(VENV)/.synced

# A shell that forbids writing bytecode would make every import 3 to 6 times slower.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/python3")'
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet uv

$(STAMP): pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --locked --compile-bytecode --python $(PYTHON)
	@touch $@

setup: $(STAMP) ## virtual environment with the locked dependencies; leaves .venv/bin/vp

demo: setup ## the whole main job on sandbox exchanges (ONCE=1: then exit; REPLAY=DIR: on recorded data)
	@$(VP) demo $(if $(ONCE),--once) $(if $(REPLAY),--replay "$(REPLAY)")

up: setup ## the platform on the live exchanges
	@$(VP) up

lint: setup ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: setup ## let ruff rewrite what it can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: lint ## linters, type checker and every test
	$(VENV)/bin/pytest

clean: ## remove what the commands made, the demo's data included
	rm -rf $(VENV) .uv .vp
