# Everything a person does with the project, by name: make help

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
CHECKOV_VENV := .venv-checkov
# Python compiles the quarter of it that is used when it is used: pip would compile all of it on one core, for most of a minute.
PIP_FLAGS := --quiet --disable-pip-version-check --use-pep517 --no-compile
TARGET ?= 127.0.0.1
# Four files at a time on two cores: half of the end-to-end tests is waiting. In order of their path: these, which take longest, come
# first, and many short ones fill up the end.
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder
ARGS ?=

.DEFAULT_GOAL := help
# Settings of deploy and destroy, on the command line of make: infra/deploy.py explains each.
export STACK ALLOWED DENIED NETWORK SUBNETS SECURITY_GROUPS PUBLIC_IP MAX_WORKERS PARAMETERS PYTHON_VERSION NMAP_VERSION TAG DEBIAN CONFIRM
export VANTAGE VANTAGE_REGION VANTAGE_NETWORKS
# The tests start hundreds of Python processes: none should compile again what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help deploy deploy-vantage live-check destroy setup nmap scan test what-is-skipped test-packages compiled test-fast soak lint checkov types check bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(BIN)/.ready  ## the virtual environment, with everything the project needs

$(BIN)/.ready: pyproject.toml functions/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "cascan needs Python 3.11 or newer: set PYTHON=python3.12 or the like" >&2; exit 2; }
	@echo "setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { ./.ci/install python3-venv && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[dev]'
	@touch $@

$(SAM_VENV)/.ready:
	@echo "setting up $(SAM_VENV): the SAM command line (once; about a minute)"
	@$(PYTHON) -m venv $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install $(PIP_FLAGS) aws-sam-cli==1.170.0
	@touch $@

nmap:  # nmap from the distribution, where it is missing and we may install it
	@command -v nmap >/dev/null || ./.ci/install nmap

scan: nmap setup  ## one scan through the whole pipeline: make scan TARGET=127.0.0.1 ARGS="-sV -p 22"
	@$(BIN)/cascan scan $(TARGET) -- $(ARGS)

deploy: setup $(SAM_VENV)/.ready  ## to AWS, the first time and again: docs/deploying.md
	@PATH="$$PATH:$(CURDIR)/$(SAM_VENV)/bin" $(BIN)/python infra/deploy.py deploy

deploy-vantage: setup $(SAM_VENV)/.ready  ## workers in other subnets, VPCs or Regions: docs/vantages.md
	@PATH="$$PATH:$(CURDIR)/$(SAM_VENV)/bin" $(BIN)/python infra/deploy.py deploy-vantage

live-check: setup  ## scans TARGET through a stack to see that it works: make live-check STACK=cascan TARGET=10.20.0.0/24
	@$(BIN)/cascan doctor --live "$(TARGET)" --stack "$(or $(STACK),$(error STACK is the name of the stack: make live-check STACK=cascan TARGET=10.20.0.0/24))"

destroy: setup $(SAM_VENV)/.ready  ## removes a stack, but not its bucket and table: make destroy STACK=cascan
	@PATH="$$PATH:$(CURDIR)/$(SAM_VENV)/bin" $(BIN)/python infra/deploy.py destroy

test: what-is-skipped nmap setup $(SAM_VENV)/.ready  ## every test: unit, integration, template, end to end
	@PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" $(BIN)/python -m pytest $(SIDE_BY_SIDE)

what-is-skipped:
	@echo "make $(or $(MAKECMDGOALS),test): $$($(PYTHON) tests/support/packages.py)"

test-packages:  ## what the tests use of the machine, from Debian packages; starts no service
	@packages="$$($(PYTHON) tests/support/packages.py --missing)"; \
		if [ -z "$$packages" ]; then echo "every package that the tests use is installed"; else ./.ci/install $$packages; fi

compiled: setup  # pytest compiles each test with its assertions explained; where none is compiled, each of its processes would do it
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null || true  # make test says what is wrong

soak: what-is-skipped nmap setup $(SAM_VENV)/.ready  ## the long tests, whole: all seeds, fuzz and kills (hours); docs/soak.md
	@PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" CASCAN_SOAK=1 \
		$(BIN)/python -m pytest -m soak -o timeout=14400 --durations=20 -n 2 --dist load $(ARGS)

test-fast: setup  ## unit, integration, template and document tests only
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/unit tests/integration tests/template tests/docs

lint: setup $(SAM_VENV)/.ready  ## ruff, import arrows, cfn-lint, sam validate
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/lint-imports
	@$(BIN)/cfn-lint template.yaml infra/*.yaml
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam validate --lint

$(CHECKOV_VENV)/.ready: Makefile
	@echo "setting up $(CHECKOV_VENV): checkov, which has 290 MB (once; about half a minute)"
	@$(PYTHON) -m venv $(CHECKOV_VENV)
	@$(CHECKOV_VENV)/bin/python -m pip install $(PIP_FLAGS) checkov==3.3.30
	@touch $@

checkov: $(CHECKOV_VENV)/.ready  ## what checkov says of the templates, but for what .checkov.yaml skips with a reason (not in CI)
	@$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml

types: setup  ## mypy, strict
	@$(BIN)/mypy

check: lint types test  ## what CI runs

bench: nmap setup  ## the figures of docs/performance.md (without benchmarks.large_reports, which takes long)
	@$(BIN)/python -m benchmarks.pipeline
	@$(BIN)/python -m benchmarks.imports
	@$(BIN)/python -m benchmarks.planning
	@$(BIN)/python -m benchmarks.writing
	@$(BIN)/python -m benchmarks.inventory
	@$(BIN)/python -m benchmarks.history
	@$(BIN)/python -m benchmarks.streaming
	@$(BIN)/python -m benchmarks.exports
	@$(BIN)/python -m benchmarks.workers
	@$(BIN)/python -m benchmarks.reading
	@$(BIN)/python -m benchmarks.cascading
	@$(BIN)/python -m benchmarks.wide_scans
	@$(BIN)/python -m benchmarks.console 20000

clean:  ## the virtual environments and caches
	rm -rf $(VENV) $(SAM_VENV) $(CHECKOV_VENV) .aws-sam .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
