# make demo: the main job on the bundled model.  make test: the test suite.  make lint: what is checked without running.
# make coverage: the test suite, and which lines it runs.  Each makes its environment first.
PYTHON ?= python3.11
VENV ?= .venv
SAMPLE ?= living_room
PROMPT ?=

.PHONY: demo test lint coverage
demo: $(VENV)/ready
	$(VENV)/bin/python -m occscene_server.studio.demo --sample "$(SAMPLE)" $(if $(PROMPT),--prompt "$(PROMPT)")

test: $(VENV)/ready
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

coverage: $(VENV)/ready
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --cov

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/buf lint
	$(VENV)/bin/buf breaking --against protos/released.binpb
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[server,blender,test]"
	touch $@
