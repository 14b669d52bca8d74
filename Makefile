# A face only: every target is one line that works without make too.
# Variables, as in `make run PORT=8001 RESULTS='data/*.csv'`, reach it through the environment.
PYTHON ?= python3

.PHONY: help setup run test check e2e bench faults soak

help:
	@$(PYTHON) -m local --help

setup:
	@$(PYTHON) -m local setup

run:
	@$(PYTHON) -m local run

test:
	@$(PYTHON) -m local test

check:
	@$(PYTHON) -m local check

e2e:
	@$(PYTHON) -m local e2e

faults:
	@$(PYTHON) -m local faults

soak:
	@$(PYTHON) -m local soak

bench:
	@$(PYTHON) -m local bench
