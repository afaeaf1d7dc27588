# Two commands for users, `make demo` and `make test`; the rest is for contributors.
# Needs Python 3.11 or newer and make; everything else is installed into .venv from the lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# Packages are linked from uv's cache where the file system can, and copied where it cannot.
export UV_LINK_MODE ?= copy
export UV_CACHE_DIR ?= $(HOME)/.cache/uv

.PHONY: demo test test-all test-newest test-lowest test-beside-hopsworks servers lint docs links \
  pictures lock clean

demo: $(VENV)/.demo  ## set everything up and run the main job
	$(BIN)/python examples/digits_grid.py

# Two processes, a file to one of them: most integration tests wait rather than compute, and more
# processes would start more of the servers that tests share.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test: $(VENV)/.dev servers  ## set everything up and run all tests but the long ones
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.dev servers  ## the long ones too
	$(PYTEST)

# What a user's installer resolves is not what is locked: the same tests with the newest versions
# that the requirements admit, and with the lowest, each in an environment of its own.
# TESTS="tests/unit tests/integration/test_launch.py" runs some of them.
test-newest: RESOLUTION := highest
test-lowest: RESOLUTION := lowest-direct
test-newest test-lowest: $(VENV)/.dev servers  ## the tests with the newest, or lowest, versions
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-$(@:test-%=%)
	$(BIN)/uv pip install --quiet --python $(VENV)-$(@:test-%=%) --resolution $(RESOLUTION) \
	  --editable '.[dev]'
	$(VENV)-$(@:test-%=%)/bin/python -m pytest --numprocesses 2 --dist loadfile $(TESTS)

# Hopsworks' SDK pins versions of what this project needs too. Whether both can be installed together
# is resolved, from the package index, for each Python version that both support.
test-beside-hopsworks: $(VENV)/.uv  ## resolve this project together with Hopsworks' SDK
	for version in 3.11 3.12 3.13; do \
	  echo 'hopsworks[python]==5.2.1' | $(BIN)/uv pip compile --quiet --no-annotate --no-header \
	    --python-version $$version --extra tensorflow pyproject.toml - | \
	    grep -E '^(dask|fsspec|hopsworks|prefect|s3fs|tensorflow)==' || exit 1; \
	done

servers: $(VENV)/.dev  ## fetch what the tests' HDFS, S3 and browser are made of; needs Java 17 and Maven
	$(BIN)/python -m tests.servers.fetch

lint: $(VENV)/.dev  ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pages lie in build/docs. A warning, such as of a link that leads nowhere, is an error.
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet

docs: $(VENV)/.dev  ## build the documentation: build/docs/index.html
	$(SPHINX) --builder html docs build/docs

# LINKS=local leaves out what needs a network.
links: $(VENV)/.dev  ## check the documentation's links, those to other sites too
	$(BIN)/python -m pytest tests/unit/test_docs.py -k link
	test "$(LINKS)" = local || $(SPHINX) --builder linkcheck docs build/links

pictures: $(VENV)/.dev servers  ## make the pictures in docs/images again
	HOPSML_SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/ui

lock: $(VENV)/.uv  ## resolve the lock files anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-emit-index-url --custom-compile-command "make lock" \
	  --extra dev --output-file requirements/dev.txt pyproject.toml
	for extra in demo gpu; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --custom-compile-command "make lock" --constraint requirements/dev.txt \
	    --extra $$extra --output-file requirements/$$extra.txt pyproject.toml || exit 1; \
	done

clean:
	rm -rf $(VENV) $(VENV)-newest $(VENV)-lowest build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	touch $@

$(VENV)/.demo: $(VENV)/.uv requirements/demo.txt pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/demo.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@ $(VENV)/.demo
