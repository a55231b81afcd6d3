# Mood Mirror. `make` or `make help` lists all targets.

PYTHON ?= python3
BIN := .venv/bin
# Node.js of the machine, or else from a package in the virtual environment.
NPM = $(shell command -v npm || echo $(CURDIR)/$(BIN)/npm)

# Parallel test processes. Tests wait for browsers and servers much of the time; each process takes up to 2 GB of memory.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help install setup run test test-fast test-platforms test-image test-js fuzz bench bench-load soak bench-recommend bench-peers bench-install vectors check-data types lint lock sbom docs clean

help:  ## Show this list
	@echo "Mood Mirror: reads your mood from face, voice and text, and recommends for it."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Settings go in front: CAMERA=off PORT=9000 make run; CAMERA=auto|off|0|rtsp://…|video.mp4"
	@echo "All settings: docs/configuration.md"

install: python  ## Install what the site needs in .venv/, without starting it
	@$(PYTHON) tools/install.py serving

setup: python  ## Install everything in .venv/: for the site, training, tests and documentation
	@$(PYTHON) tools/install.py development

run: install  ## Start the site at http://127.0.0.1:8000
	@$(BIN)/python app.py

test: setup test-js  ## Run all tests, in a real browser and on real faces
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

# Only the files with unit tests are collected: to import the others, TensorFlow among them, takes ten seconds.
test-fast: setup  ## Run the unit tests only, in under a minute
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m "unit and not training" \
		$$(grep -l 'pytest\.mark\.unit' tests/test_*.py)

test-platforms: setup  ## Run the unit tests as on Windows and as on macOS, without what only POSIX systems have
	@for platform in win32 darwin; do echo "As on $$platform:"; AS_PLATFORM=$$platform $(BIN)/python -m pytest --quiet \
		--numprocesses $(TEST_PROCESSES) --dist loadfile -p tests.other_platform -m "unit and not training" \
		$$(grep -l 'pytest\.mark\.unit' tests/test_*.py) || exit 1; done

test-image: setup  ## Build the container image on a Debian base, run it and ask it for a mood; needs root, buildah, podman, mmdebstrap
	@$(BIN)/python -m pytest -m image tests/test_image.py

test-js: setup  ## Run the tests of the page's scripts that need no browser
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent test

fuzz: setup  ## Search for inputs that harm the site, guided by code coverage; FUZZ="--seconds 600 frames" sets options
	@$(BIN)/python -m tests.fuzz $(FUZZ)

bench: setup  ## Measure the cost of faces, speech, text, files and isolation, start-up, memory, and face detection
	@$(BIN)/python -m benchmarks.frame
	@$(BIN)/python -m benchmarks.detection
	@$(BIN)/python -m benchmarks.speech
	@$(BIN)/python -m benchmarks.text
	@$(BIN)/python -m benchmarks.media
	@$(BIN)/python -m benchmarks.isolation

bench-load: setup  ## Measure how many visitors are served at once; LOAD="--visitors 80 --minutes 10" sets options
	@$(BIN)/python -m benchmarks.load $(LOAD)

soak: setup  ## Load the site for half an hour: memory, threads and open files must not grow; SOAK="--minutes 2" is shorter
	@$(BIN)/python -m benchmarks.load --visitors 8 --rate 3 --viewers 4 --stay 20 --flat $(or $(SOAK),--minutes 30)

bench-recommend: setup  ## Measure the quality of recommendations on the corpora in DATA
	@$(BIN)/python -m benchmarks.recommend

bench-peers: setup .venv-peers/installed  ## Compare the cost of a frame with the usual tutorial and the fer package
	@$(BIN)/python -m benchmarks.peers

bench-install: python  ## Measure the time from a fresh clone to an answering page; INSTALL="--runs 1" sets options
	@$(PYTHON) -m benchmarks.install $(INSTALL)

lint: setup  ## Check style, types, import layers, and packages for known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent lint
	@$(BIN)/python .ci/audit.py

# Material announces its successor at every start; this silences it.
docs: export NO_MKDOCS_2_WARNING = 1
docs: setup  ## Build the documentation in site/; a broken link is an error
	@$(BIN)/mkdocs build --quiet && echo "The documentation is in site/: open site/index.html"

vectors: training  ## Recompute the catalogue's sentence embeddings, after a change of its rows or of the text network
	@$(BIN)/python -m moodmirror.training.catalogue_vectors

check-data: install  ## Find duplicates, gaps, imbalance and harmful content in the catalogue
	@$(BIN)/python -m moodmirror.recommendation.catalogue_check

types: install  ## Generate the page's types and the documentation of the Socket.IO events
	@$(BIN)/python -m moodmirror.live.page_types

clean:  ## Remove what setup created
	rm -rf .venv .venv-peers node_modules static/vendor site

sbom: setup  ## Write sbom.json: the packages, page scripts and models that a site consists of, as CycloneDX
	@$(BIN)/python tools/sbom.py sbom.json

lock: setup  ## Write the lock files of the Python packages; LOCK=--upgrade takes the newest versions
	@$(BIN)/python tools/lock.py $(LOCK)

.PHONY: python training
python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install python3, then try again."; exit 1; }

training: python
	@$(PYTHON) tools/install.py training

.venv-peers/installed: requirements-peers.lock requirements-fer.lock | setup
	@echo "Installing the fer package and TensorFlow in .venv-peers/ …"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-fer.lock
	@touch $@
