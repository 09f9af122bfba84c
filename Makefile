# The newcomer's doors: `make` lists them. Needs Python 3.11 or later and make; the rest goes into .venv.

PYTHON ?= python3
# More options for pip, such as where CPU builds of PyTorch are (see README.md).
PIP_EXTRA ?=
DEMO ?= demo

VENV := .venv
LABELPROP := .venv-labelprop
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint Testing/constraints.txt $(PIP_EXTRA)
REQUIREMENTS := pyproject.toml Testing/constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench bench-accuracy bench-speed bench-labelprop clean

help:
	@echo "make demo            simulate a calf, draw a few slices, propagate, compare: a table and $(DEMO)/montage.png"
	@echo "make test            install what the tests need and run them"
	@echo "make lint            check style and formatting"
	@echo "make bench           measure accuracy, speed and memory (many hours); results go to Testing/benchmarks"
	@echo "make bench-accuracy  accuracy alone (many hours; goes on where it was interrupted)"
	@echo "make bench-speed     speed and memory alone"
	@echo "make bench-labelprop install LabelProp, a rival, into $(LABELPROP), so that bench-accuracy measures it, too"
	@echo "make clean           delete $(VENV) and $(LABELPROP)"

demo: $(VENV)/.demo
	@$(BIN)/muscleprop demo -o $(DEMO)

test: $(VENV)/.test
	@$(PY) -m pytest

lint: $(VENV)/.test
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

bench: bench-accuracy bench-speed

bench-accuracy: $(VENV)/.test
	@$(PY) Testing/benchmarks/accuracy.py

bench-speed: $(VENV)/.test
	@$(PY) Testing/benchmarks/speed.py
	@$(PY) Testing/benchmarks/network_speed.py
	@$(PY) Testing/benchmarks/measure_bench.py
	@$(PY) Testing/benchmarks/slicer_panel.py
	@$(PY) Testing/benchmarks/full_grid.py

bench-labelprop: $(LABELPROP)/.ready

$(LABELPROP)/.ready: Testing/benchmarks/labelprop_env.sh
	@PYTHON="$(PYTHON)" sh $<
	@touch $@

$(VENV)/.demo: $(REQUIREMENTS) | $(PY)
	@echo "Installing MuscleProp into $(VENV), a few minutes the first time"
	@$(PIP) --editable '.[benchmark]'
	@touch $@

$(VENV)/.test: $(REQUIREMENTS) | $(PY)
	@echo "Installing MuscleProp and what its tests need into $(VENV), a few minutes the first time"
	@$(PIP) --editable '.[test]'
	@touch $@

$(PY):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'MuscleProp needs Python 3.11 or later; try make PYTHON=python3.12')"
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(LABELPROP)
