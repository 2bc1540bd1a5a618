# The two commands of the README, and what they stand on. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint ruff mypy pytest format fuzz audit figures bench soak clean

PYTHON ?= python3
VENV   := .venv
VP     := $(VENV)/bin/vp
# uv from the PATH, or a private copy from the package registry.
UV     := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
STAMP  := $(VENV)/.synced

# A shell that forbids writing bytecode would make every import 3 to 6 times slower.
unexport PYTHONDONTWRITEBYTECODE
# Another project's environment is none of ours; another index would not fit the lock file.
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT PYTHONHOME PYTHONPATH
unexport UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NO_INDEX

define NEED_PYTHON
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; found " + sys.version.split()[0] + ". Name another: make PYTHON=/path/to/python3")'
endef

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.uv/bin/uv:
	$(NEED_PYTHON)
	"$(PYTHON)" -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(NEED_PYTHON)
	"$(UV)" sync --locked --compile-bytecode --python "$(PYTHON)"
	@touch $@

setup: $(STAMP) ## virtual environment with the locked dependencies; leaves .venv/bin/vp

demo: setup ## the whole main job on sandbox exchanges (ONCE=1: then exit; REPLAY=DIR: on recorded data)
	@$(VP) demo $(if $(ONCE),--once) $(if $(REPLAY),--replay "$(REPLAY)")

up: setup ## the platform on the live exchanges
	@$(VP) up

lint: ruff mypy ## ruff and mypy

ruff: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

mypy: setup
	$(VENV)/bin/mypy

format: setup ## let ruff rewrite what it can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: ruff ## linters, type checker and every test (ARGS="-k profile": some tests)
	@$(MAKE) --no-print-directory --jobs=2 mypy pytest

pytest: setup
	$(VENV)/bin/pytest --numprocesses=2 $(ARGS)

fuzz: setup ## what reads input, on inputs that are nearly right (ARGS="--seconds 60": of each reader)
	@$(VENV)/bin/python -m vp_pipeline_tests.fuzz $(ARGS)

audit: | $(filter .uv/bin/uv,$(UV)) ## known vulnerabilities of what the lock file names, from PyPI's advisories
	@"$(UV)" export --quiet --locked --no-dev --no-emit-project --output-file .audit.txt
	"$(UV)" tool run pip-audit --strict --disable-pip --require-hashes --requirement .audit.txt

figures: setup ## time and memory of the platform on this machine (ARGS=--write: into the README)
	@$(VENV)/bin/python benchmarks/figures.py $(ARGS)

bench: setup ## every ratio the project claims, in one report (ARGS=--quick: small sizes; ARGS="kde reads": these alone)
	@$(VENV)/bin/python benchmarks/report.py $(ARGS)

soak: setup ## strike the platform with seeded faults, then judge every minute (ARGS="--seed 1 --faults 1000")
	@PYTHONWARNINGS="ignore:Parameter" $(VENV)/bin/python -m vp_pipeline_tests.soak $(ARGS)

clean: ## remove what the commands made, demos and replays included; the live platform's data in .vp/live stay
	rm -rf $(VENV) .uv .vp/bench .vp/demo .vp/replay-* .mypy_cache .ruff_cache .pytest_cache .hypothesis
