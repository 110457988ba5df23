# Two commands: make demo, make test. Both set up everything they need, into .venv: the demo little, the tests the rest.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup test lint format demo docs bench bench-forecast wheel sanitize sanitize-threads lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /: /'

setup: ## make .venv with what requirements/test.txt pins, and the engine with every instruction set
	@$(MAKE) --silent -j 2 .venv/.ready

PIP = $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(wildcard requirements/*.txt) pyproject.toml CMakeLists.txt $(wildcard csrc/*.h csrc/*.cpp)

# What is compiled to bytecode is kept, whatever the caller's shell says: .venv is made here, and for here.
unexport PYTHONDONTWRITEBYTECODE

# PyTorch has no hashes, because the build for CPUs and the one for CUDA have different ones.
TORCH := -r requirements/torch.txt
SAY_ENGINE = @$(BIN)/python -c "from ostinato.ops.selection import explain; print(explain('gru'))"

# A recipe that calls no make gets the flags of make, but not the pipe that hands out its jobs. ninja would look for it.
NINJA_ALONE := env -u MAKEFLAGS

$(BIN)/python:
	@tools/step "making an environment for Python in .venv" $(PYTHON) -m venv .venv

# the packages are downloaded while the engine is compiled: one waits for the network, the other for the processor
.venv/.tools: requirements/build.txt | $(BIN)/python
	@tools/step "installing the tools that install and compile (uv, cmake, ninja, nanobind: 60 MB)" \
		$(PIP) install --no-compile -r requirements/build.txt
	@touch $@

# They are imported once in the meantime, since Python compiles a module, and matplotlib looks for fonts, at the first import.
# torch._dynamo is a thousand modules that torch.optim imports.
.venv/.packages: requirements/run.txt requirements/torch.txt .venv/.tools
	@tools/step "installing what ostinato needs: 150 MB, and PyTorch in the build that your package index gives" \
		tools/install -r requirements/run.txt $(TORCH)
	@tools/step "loading the packages for the first time" \
		$(BIN)/python -c "import torch, torch._dynamo, pandas, polars, scipy.optimize, scipy.stats, matplotlib.pyplot, jinja2, rich.table, typer"
	@touch $@

.venv/.engine: $(SOURCES) .venv/.tools
	@tools/step "compiling the engine for this processor (two minutes on one core)" \
		$(NINJA_ALONE) $(PIP) install -v --no-compile --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.demo: .venv/.packages .venv/.engine
	$(SAY_ENGINE)
	@touch $@

# Two fifths of the packages are not compiled beforehand: their own tests, and what no test of ours imports.
UNREAD := /(tests?|pip|setuptools|mypyc?|fontTools|huggingface_hub)/|/ray/(llm|rllib|serve)/

# Two at once again: what waits for the network and for one core, and the compiler, which takes the cores that are left.
# A file that Python cannot compile, such as a template, is one that nothing imports, so an error there is no fault.
.venv/.test-packages: $(wildcard requirements/*.txt) pyproject.toml .venv/.tools
	@tools/step "installing what requirements/test.txt pins: also the tools of the tests and of the site, and Ray" \
		tools/install -r requirements/test.txt $(TORCH)
	@tools/step "compiling the packages to bytecode" \
		sh -c '$(BIN)/python -m compileall -qq -j 0 -x "$(UNREAD)" .venv/lib || :'
	@touch $@

.venv/.test-engine: $(SOURCES) .venv/.tools
	@tools/step "compiling the engine, with every instruction set" \
		$(NINJA_ALONE) $(PIP) install -v --no-deps --no-build-isolation --config-settings=cmake.define.OSTINATO_SETS=tested --editable .
	@touch $@

.venv/.ready: .venv/.test-packages .venv/.test-engine
	$(SAY_ENGINE)
	@touch .venv/.packages .venv/.engine .venv/.demo $@

# mypy reads sources alone, so it needs no engine: while that is compiled, mypy does its work.
.PHONY: style types imports
style: .venv/.test-packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
types: .venv/.test-packages
	@tools/step "checking the types (a minute the first time)" $(BIN)/mypy
imports: .venv/.ready
	@tools/step "checking the import rule" $(BIN)/lint-imports

lint: ## style, types, import rule
	@$(MAKE) --silent -j 2 style types imports

# The style is checked first, in a second. mypy reads tests/typing too, so the test that calls it there is left out.
test: ## everything that CI runs
	@$(MAKE) --silent -j 2 style .venv/.ready
	@tools/beside "$(BIN)/mypy" "$(BIN)/lint-imports" -- $(BIN)/python -m pytest -n 2 --dist worksteal --ignore=tests/typing

format: setup ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: ## fit models to the sunspots, forecast two cycles, draw it, report on it
	@$(MAKE) --no-print-directory -j 2 .venv/.demo
	@mkdir -p out
	@tools/step --show "fitting models to 309 years of sunspots, for at most two minutes" \
		$(BIN)/ostinato fit src/ostinato/datasets/sunspots.csv --model auto --budget 2m -o out/sunspots.ost
	@tools/step --show "forecasting two cycles of the sun" \
		$(BIN)/ostinato forecast out/sunspots.ost --horizon 22 --level 80 95 -o out/sunspots-forecast.csv --plot out/sunspots-forecast.png
	@tools/step --show "writing a report" $(BIN)/ostinato report out/sunspots.ost -o out/sunspots.html

SPHINX := $(BIN)/python -m sphinx -q -W --keep-going -E

# The figures are drawn first. If DOCS_FIGURES names a folder, those that the tests of the pages have kept there are taken.
docs: setup ## the site in both languages, into out/site; a warning or a block that fails stops it
	@rm -rf out/site out/doctrees
	@tools/step "drawing the figures of the pages" $(BIN)/python docs/pages.py "$${DOCS_FIGURES:-out/doctrees/figures}"
	@tools/beside "$(SPHINX) -d out/doctrees/ko -c docs -D language=ko docs/ko out/site/ko" -- \
		$(SPHINX) -d out/doctrees/en docs out/site
	@echo out/site/index.html

bench: setup ## the engine beside torch.nn: verified, then timed; a table, JSON and a picture in out/
	@mkdir -p out
	@$(BIN)/python benchmarks/recurrences.py --json out/bench.json --picture out/bench.png

# what people use: neural ones need a torch, which is pinned to the processor's as ours is
PEERS := .venv-peers

$(PEERS)/.ready: benchmarks/forecast/peers.lock
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/forecast/peers.lock
	@touch $@

bench-forecast: setup $(PEERS)/.ready ## forecasts beside the peers'; FORECAST="--only hourly --peers gluonts-DeepAR" for a part
	@cd benchmarks && ../$(BIN)/python -m forecast --python ../$(PEERS)/bin/python $(FORECAST)

wheel: setup ## one wheel for this platform, every instruction set in it, into dist/
	@$(NINJA_ALONE) $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

# The sanitizers' library must come before Python's own memory (LD_PRELOAD); Python keeps memory to its end, which is no
# leak of ours. -S leaves out the editable install, so that the package beside the sanitized engine is the one imported.
SANITIZED := build/sanitize/site
SANITIZED_TESTS ?= tests/ops tests/test_nn.py

sanitize: setup sanitize-threads ## the engine's tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(BIN)/cmake -S . -B build/sanitize -G Ninja -DOSTINATO_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -DPython_EXECUTABLE=$(abspath $(BIN)/python) > /dev/null
	@$(NINJA_ALONE) $(BIN)/cmake --build build/sanitize -- --quiet
	@rm -rf $(SANITIZED) && mkdir -p $(SANITIZED) && cp -R src/ostinato $(SANITIZED)
	@$(BIN)/cmake --install build/sanitize --prefix $(SANITIZED) > /dev/null
	@LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		PYTHONPATH="$(abspath $(SANITIZED)):$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		$(BIN)/python -S -m pytest -n 0 -p no:cacheprovider $(SANITIZED_TESTS)

sanitize-threads: ## the threads of the engine under ThreadSanitizer
	@mkdir -p build
	@c++ -std=c++17 -O1 -g -fsanitize=thread -Wall -Wextra -pthread -Icsrc csrc/openmp.cpp csrc/team.cpp tests/ops/team_races.cpp -o build/team_races
	@TSAN_OPTIONS=die_after_fork=0 build/team_races

lock: ## write requirements/*.txt again; LOCK=--upgrade for newer versions
	@tools/lock $(LOCK)

clean: ## remove what was made
	@rm -rf .venv $(PEERS) out dist build docs/theory/figures docs/ko/theory/figures .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
