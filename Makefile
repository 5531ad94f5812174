# Everything the project does by name. Each target sets up what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ANALYZE := $(BIN)/analyze
DEMO ?= figures/demo
RESULTS = $(DEMO)/vanilla/results.nc $(DEMO)/asa/results.nc
# Folder of N-MNIST recordings; without it `make reproduce` leaves N-MNIST out.
NMNIST ?= $(wildcard ../shared/data/nmnist)

.PHONY: demo figures reproduce test lint bench fuzz clean
.DEFAULT_GOAL := demo

# The virtual environment, with pinned packages; made once, and again only when
# the project's requirements change. A first analysis compiles the kernels, for which
# later ones do not wait.
$(READY): setup.cfg pyproject.toml constraints.txt
	@echo "setting up $(VENV) (once; a minute or two, and 2 GB)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "redundancy needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@$(ANALYZE) spike-features checkpoints/gait-vanilla.pt --samples 2 --batch-size 1 --quiet \
		--out $(VENV)/first-analysis --overwrite
	@touch $(READY)

demo: $(READY)  ## analyse the shipped vanilla and ASA networks and compare them
	@$(ANALYZE) spike-features checkpoints/gait-vanilla.pt --out $(DEMO)/vanilla --overwrite
	@echo
	@$(ANALYZE) spike-features checkpoints/gait-asa.pt --out $(DEMO)/asa --overwrite
	@echo
	@$(ANALYZE) compare $(RESULTS) --out $(DEMO)/compare --overwrite
	@echo
	@echo "look at: $(DEMO)/compare/figure_6_spike_patterns.png and the tables beside it,"
	@echo "$(DEMO)/vanilla/figure_2_spike_features.png, $(DEMO)/asa/figure_5_spike_features.png"

figures: demo  ## remake the gallery shown in the README
	@$(ANALYZE) figure 1 $(RESULTS) --out $(DEMO)/compare --quiet
	@$(ANALYZE) ghost-features $(DEMO)/vanilla/results.nc --quiet
	@mkdir -p figures/gallery
	@cp $(DEMO)/vanilla/figure_2_spike_features.png $(DEMO)/vanilla/event_frames.png \
		$(DEMO)/vanilla/ghost_groups.png $(DEMO)/vanilla/ghost_similarity.png \
		$(DEMO)/asa/figure_5_spike_features.png $(DEMO)/compare/figure_1.png \
		$(DEMO)/compare/figure_6_spike_patterns.png $(DEMO)/compare/energy.png figures/gallery/

reproduce: $(READY)  ## restate the paper's observations and tables, in figures/REPRODUCTION.md
	@$(ANALYZE) reproduce $(if $(NMNIST),--nmnist $(NMNIST))

test: $(READY)  ## run every test
	@$(BIN)/python -m pytest -n 2

lint: $(READY)  ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)  ## measure speed and memory as ratios
	@$(BIN)/python -m benchmarks

fuzz: $(READY)  ## open damaged and foreign files of every kind for two minutes; SEED=3 for others
	@$(BIN)/python -m benchmarks.fuzz --seconds 120 --seed $(or $(SEED),0)

clean:  ## remove what make made
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis
