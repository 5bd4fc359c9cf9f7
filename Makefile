# One door: `make check` is what continuous integration runs, and what a commit should pass.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HOOK := --jaxtyping-packages=lavin_dit,beartype.beartype

.PHONY: info check lint test test-slow clean

info: $(VENV)/.installed
	$(BIN)/lavin info

check: lint test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

# Twice, as what compiles, and what breaks the annotations on purpose, can't run under the hook that
# checks shapes.
test: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 $(HOOK) -m "not compile and not unchecked and not gpu and not slow and not web"
	$(BIN)/pytest -n 2 -m "(compile or unchecked) and not gpu and not slow and not web"

test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -m slow

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,data,labels,eval,train,diffusers,hub,web]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV)
