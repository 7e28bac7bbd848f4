# make demo: the main job on the bundled model.  make test: the tests but slow ones.  make test-slow: the slow ones.
# make lint: what is checked without running.  make coverage: all tests, and which lines they run.
# Each makes its environment first.
PYTHON ?= python3.11
VENV ?= .venv
SAMPLE ?= living_room
PROMPT ?=

# the many processes that tests start share what one of them has compiled
export PYTHONDONTWRITEBYTECODE =
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

.PHONY: demo test test-slow lint coverage
demo: $(VENV)/ready
	$(VENV)/bin/python -m occscene_server.studio.demo --sample "$(SAMPLE)" $(if $(PROMPT),--prompt "$(PROMPT)")

test: $(VENV)/ready
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/ready
	$(PYTEST) -m slow

coverage: $(VENV)/ready
	$(PYTEST) --cov

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
