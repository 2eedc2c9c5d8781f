# The commands of the project. make help lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

# Tests, benches and the demo start many processes; each would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

install: $(STAMP) ## virtual environment with everything, from the hashed lock

run: $(STAMP) ## install, seed a small city, serve it on SQLite
	$(BIN)/gridtrail demo

test: $(STAMP) ## the default tests, on SQLite and PostgreSQL
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not browser"

test-slow: $(STAMP) ## the slow tests too
	GRIDTRAIL_TEST_EXAMPLES=10 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not browser"

test-browser: $(STAMP) ## stories in a real browser (Debian: apt-get install chromium)
	$(BIN)/pytest -m browser

lint: $(STAMP) ## ruff, mypy, import-linter
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## measured figures, part after part, on a quiet machine (one to two hours)
	$(BIN)/python -m bench.all

bench-short: $(STAMP) ## the same in small, to see that it works
	$(BIN)/python -m bench.all --short

bench-pages: $(STAMP) ## bytes, taps and times of the tablet app, in a browser at a quarter of its speed
	$(BIN)/python -m bench.pages

screenshots: $(STAMP) ## pictures of the main pages into docs/pictures
	$(BIN)/python -m bench.pictures

audit-demo: $(STAMP) ## the story of a proof: upload, witness, verify, tamper, find, restore, erase, verify again
	$(BIN)/python -m service.audit.story

lock: ## write requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra build --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements.lock

clean: ## remove the environment and the demo's data
	rm -rf $(VENV) var build *.egg-info

.PHONY: help install run test test-slow test-browser lint bench bench-short bench-pages screenshots audit-demo lock clean
